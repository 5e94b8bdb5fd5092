"""Whoever takes part in a comparison, by name: networks by preset and options, models of the record, constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from star_core.errors import TrainingError
from star_core.training.run import PresetName
from star_core.types import N_YEARS, Cause, CohortForecast, ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from star_core.cohort.manifest import Manifest, ManifestPatient
    from star_core.cohort.splits import Split
    from star_core.model.star import Network

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
        """Return forecasts of ``split.test`` by a model fitted to the rest; ``scratch`` names its run's state."""
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
        from star_core.training.fit import fit_aside
        from star_core.training.presets import PRESETS

        preset = PRESETS[self.preset].with_options({**self.options, "seed": seed, "device": device})
        grid_shape = PreprocessConfig.model_validate(manifest.preprocessing).grid_shape
        config = preset.build_architecture(len(MODEL_FIELDS), grid_shape)
        network = fit_aside(config, manifest, split, preset.settings, scratch=scratch, progress=progress)
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
        from star_core.model.comparators.tabular import build_tabular

        model = build_tabular(self.name)
        model.fit((*split.train, *split.validation), seed=seed)
        return model.forecast(split.test)


def find_contestant(text: str, common: Mapping[str, Any] | None = None) -> Contestant:
    """Return a contestant by name, such as ``cox``, ``star`` or ``star:parts=AB:epochs=8``.

    ``common`` are options of every network; those in the name come before them.

    Raises
    ------
    TrainingError
        When there is none of that name, or no such option.
    """
    from star_core.model.comparators.tabular import TabularName
    from star_core.training.presets import PRESETS, parse_options

    name, *changes = text.split(":")
    tabular = [str(known) for known in TabularName]
    if name in tabular and not changes:
        return TabularContestant(name)
    if name not in [str(preset) for preset in PRESETS]:
        known = ", ".join((*(str(preset) for preset in PRESETS), *tabular))
        raise TrainingError(f"There is no model {text!r} to compare.", remedy=f"Choose from: {known}.")
    options = {**(common or {}), **parse_options(changes)}
    PRESETS[PresetName(name)].with_options(options)
    return NetworkContestant(text, PresetName(name), options)


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
        model_input = load_input(manifest, patient, with_scan=network.config.sees_scan)
        forecast = predict(network, model_input, (0,) * N_YEARS, device=chosen).forecast
        incidence = forecast.cumulative_incidence
        rows["overall_survival"].append(forecast.overall_survival)
        rows["event_free_survival"].append(forecast.event_free_survival)
        rows["any_recurrence"].append(incidence[Cause.LIVER] + incidence[Cause.ELSEWHERE])
        rows["liver_recurrence"].append(incidence[Cause.LIVER])
        progress(done + 1, len(patients))
    curves = {name: np.array(values, np.float64).reshape(len(patients), N_YEARS) for name, values in rows.items()}
    return CohortForecast(patient_ids=tuple(patient.patient_id for patient in patients), **curves)


def average_forecasts(forecasts: Sequence[CohortForecast]) -> CohortForecast:
    """Return the mean curves of several trainings of one model (a deep ensemble), of the same patients in order."""
    curves = {name: np.mean([getattr(forecast, name) for forecast in forecasts], axis=0) for name in _CURVES}
    return CohortForecast(patient_ids=forecasts[0].patient_ids, **curves)
