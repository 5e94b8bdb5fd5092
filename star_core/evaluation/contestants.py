"""Whoever takes part in a comparison, by name: networks by preset and options, models of the record, constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from star_core.errors import TrainingError
from star_core.training.run import PresetName
from star_core.types import Cause, CohortForecast, ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from star_core.cohort.manifest import Manifest, ManifestPatient
    from star_core.cohort.splits import Split
    from star_core.model.comparators.base import TabularComparator
    from star_core.model.star import Network

TABULAR = ("cox", "forest", "fong", "tbs", "konopke", "game", "constant", "kaplan-meier")
_CURVES = ("overall_survival", "event_free_survival", "any_recurrence", "liver_recurrence")


class Contestant(Protocol):
    """A model that is fitted to a split's training patients and forecasts its test patients."""

    @property
    def name(self) -> str:
        """Name on the command line and in tables."""
        ...

    @property
    def year_classes(self) -> bool:
        """Whether its curves come from classes of years, so that its year is the likeliest class."""
        ...

    def fit_forecast(
        self,
        manifest: Manifest,
        split: Split,
        *,
        seed: int,
        scratch: Path,
        device: str = "auto",
        progress: ProgressCallback = ignore_progress,
    ) -> CohortForecast:
        """Return forecasts of ``split.test`` by a model fitted to the rest; ``scratch`` names its run."""
        ...


@dataclass(frozen=True, slots=True)
class NetworkContestant:
    """A network by preset and options."""

    name: str
    preset: PresetName
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def year_classes(self) -> bool:
        """Whether its outcome is a class of years."""
        from star_core.training.presets import PRESETS

        network = PRESETS[self.preset].with_options(self.options).network
        return str(network.get("outcome", "")) == "year_class"

    def fit_forecast(
        self,
        manifest: Manifest,
        split: Split,
        *,
        seed: int,
        scratch: Path,
        device: str = "auto",
        progress: ProgressCallback = ignore_progress,
    ) -> CohortForecast:
        """Train with ``seed`` and forecast; see :class:`Contestant`."""
        from star_core.clinical.fields import MODEL_FIELDS
        from star_core.imaging.preprocess import PreprocessConfig
        from star_core.training.fit import fit_network
        from star_core.training.presets import PRESETS
        from star_core.training.watch import RunState

        preset = PRESETS[self.preset].with_options({**self.options, "seed": seed, "device": device})
        grid_shape = PreprocessConfig.model_validate(manifest.preprocessing).grid_shape
        config = preset.build_architecture(len(MODEL_FIELDS), grid_shape)
        RunState(scratch).discard()
        network = fit_network(config, manifest, split, preset.settings, out=scratch, progress=progress)
        RunState(scratch).discard()
        return forecast_cohort(network, manifest, split.test, device=device)


@dataclass(frozen=True, slots=True)
class TabularContestant:
    """A model of the clinical record alone; validation patients join its training patients."""

    name: str

    @property
    def year_classes(self) -> bool:
        """Models of the record give curves, not classes."""
        return False

    def fit_forecast(
        self,
        manifest: Manifest,
        split: Split,
        *,
        seed: int,
        scratch: Path,
        device: str = "auto",
        progress: ProgressCallback = ignore_progress,
    ) -> CohortForecast:
        """Fit and forecast; see :class:`Contestant`."""
        model = _build_tabular(self.name)
        model.fit((*split.train, *split.validation), seed=seed)
        return model.forecast(split.test)


def find_contestant(text: str) -> Contestant:
    """Return a contestant by name, such as ``cox``, ``star`` or ``star:parts=AB,reconstruction_weight=0``.

    Raises
    ------
    TrainingError
        When there is none of that name, or no such option.
    """
    from star_core.training.presets import PRESETS

    name, _, changes = text.partition(":")
    if name in TABULAR and not changes:
        return TabularContestant(name)
    if name not in [str(preset) for preset in PRESETS]:
        known = ", ".join((*(str(preset) for preset in PRESETS), *TABULAR))
        raise TrainingError(f"There is no model {text!r} to compare.", remedy=f"Choose from: {known}.")
    options = parse_changes(changes.split(",") if changes else [])
    PRESETS[PresetName(name)].with_options(options)
    return NetworkContestant(text, PresetName(name), options)


def parse_changes(changes: Sequence[str]) -> dict[str, Any]:
    """Return options of ``NAME=VALUE`` texts.

    Raises
    ------
    TrainingError
        When a text has no equals sign.
    """
    import json

    options: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise TrainingError(f"Option {change!r} has no value.", remedy="Write it as NAME=VALUE.")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
    return options


def forecast_cohort(
    network: Network,
    manifest: Manifest,
    patients: Sequence[ManifestPatient],
    *,
    device: str = "auto",
    progress: ProgressCallback = ignore_progress,
) -> CohortForecast:
    """Return a network's curves of patients, in their order."""
    from star_core.cohort.manifest import load_input
    from star_core.model.predict import choose_device, predict

    rows: dict[str, list[Any]] = {name: [] for name in _CURVES}
    chosen = choose_device(device)
    for done, patient in enumerate(patients):
        forecast = predict(network, load_input(manifest, patient), (0,) * 12, device=chosen).forecast
        incidence = forecast.cumulative_incidence
        rows["overall_survival"].append(forecast.overall_survival)
        rows["event_free_survival"].append(forecast.event_free_survival)
        rows["any_recurrence"].append(incidence[Cause.LIVER] + incidence[Cause.ELSEWHERE])
        rows["liver_recurrence"].append(incidence[Cause.LIVER])
        progress(done + 1, len(patients))
    curves = {name: np.array(values, np.float64).reshape(len(patients), 12) for name, values in rows.items()}
    return CohortForecast(patient_ids=tuple(patient.patient_id for patient in patients), **curves)


def average_forecasts(forecasts: Sequence[CohortForecast]) -> CohortForecast:
    """Return the mean curves of several trainings of one model (a deep ensemble), of the same patients in order."""
    curves = {name: np.mean([getattr(forecast, name) for forecast in forecasts], axis=0) for name in _CURVES}
    return CohortForecast(patient_ids=forecasts[0].patient_ids, **curves)


def _build_tabular(name: str) -> TabularComparator:
    import importlib

    rooms = {"cox": ("cox", "CoxModel"), "forest": ("forest", "SurvivalForest")}
    module, kind = rooms.get(name, ("scores", "ScoreModel"))
    if name in ("constant", "kaplan-meier"):
        module, kind = "constant", "ConstantModel"
    build = getattr(importlib.import_module(f"star_core.model.comparators.{module}"), kind)
    # Scores and constants are told their name, which also says what they compute.
    model: TabularComparator = build() if name in rooms else build(name)
    return model
