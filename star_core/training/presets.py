"""Named configurations: the paper to the letter, and ours; the comparators train as ours unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from star_core.errors import CohortError, TrainingError
from star_core.imaging.preprocess import PlaneSpacing, PreprocessConfig, StructureSampling
from star_core.model.config import (
    Align,
    ComparatorConfig,
    Disentangle,
    InputChannels,
    OutcomeModel,
    Part,
    StarConfig,
)
from star_core.training.run import PresetName, Schedule, TrainingSettings


class Preset(BaseModel):
    """Options that make a network, a preparation of scans and a training run.

    ``network`` holds fields of :class:`StarConfig` or, with its field ``network``, of :class:`ComparatorConfig`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: dict[str, Any] = {}
    preprocessing: PreprocessConfig = PreprocessConfig()
    settings: TrainingSettings = TrainingSettings()

    def build_architecture(self, n_clinical: int, grid_shape: tuple[int, int, int]) -> StarConfig | ComparatorConfig:
        """Return the network's configuration for a number of clinical inputs and a model grid."""
        kind = self._network_kind()
        return kind(n_clinical=n_clinical, grid_shape=grid_shape, **self.network)

    def with_options(self, options: Mapping[str, Any]) -> Preset:
        """Return the preset with options of the network and of training changed by name.

        Raises
        ------
        TrainingError
            When there is no such option or it cannot have this value.
        """
        kind = self._network_kind()
        network, settings = dict(self.network), self.settings.model_dump()
        for name, value in options.items():
            if name in TrainingSettings.model_fields:
                settings[name] = value
            elif name in kind.model_fields and name not in _GIVEN_BY_COHORT:
                network[name] = _to_value(name, value)
            else:
                known = sorted({*TrainingSettings.model_fields, *kind.model_fields} - _GIVEN_BY_COHORT)
                raise TrainingError(f"There is no option {name!r}.", remedy=f"Options: {', '.join(known)}.")
        try:
            checked = kind.model_validate({"n_clinical": 1, **network}).model_dump(include=set(network))
            changed = TrainingSettings.model_validate(settings)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in problem["loc"])
            raise TrainingError(
                f"Option {place}: {problem['msg']}.", remedy="Correct the option.", details=str(error)
            ) from error
        return self.model_copy(update={"network": checked, "settings": changed})

    def _network_kind(self) -> type[StarConfig] | type[ComparatorConfig]:
        return StarConfig if self.network.get("network", "star") == "star" else ComparatorConfig


def _to_value(name: str, value: Any) -> Any:
    """Return an option's value; on the command line parts are ``AB`` and sequences ``16,32,64,96``."""
    if name == "parts":
        return tuple(value)
    return tuple(value.split(",")) if isinstance(value, str) and "," in value else value


_GIVEN_BY_COHORT = {"n_years", "n_clinical", "grid_shape", "network"}
_PAPER = Preset(
    network={
        "outcome": OutcomeModel.YEAR_CLASS,
        "input_channels": InputChannels.CT,
        "align": Align.RATIO,
        "disentangle": Disentangle.MATCH,
    },
    preprocessing=PreprocessConfig(z=PlaneSpacing.SLICES, structures=StructureSampling.NEAREST),
    settings=TrainingSettings(
        epochs=50,
        batch_size=1,
        accumulate_batches=1,
        learning_rate=1e-4,
        schedule=Schedule.PLATEAU,
        alignment_weight=0.1,
        disentanglement_weight=0.1,
        learn_sites=False,
        hide_structures=0.0,
        patience_epochs=15,
    ),
)
# Chosen among 28 settings by cross-validation on 157 MSKCC records, so measures on these are optimistic.
_CLINICAL = Preset(
    network={"input_channels": InputChannels.NONE, "parts": (Part.B,), "width": 8, "dropout": 0.5},
    settings=TrainingSettings(
        epochs=100,
        batch_size=64,
        accumulate_batches=1,
        learning_rate=3e-3,
        weight_decay=1.0,
        alignment_weight=0.0,
        disentanglement_weight=0.0,
        learn_sites=False,
        hide_structures=0.0,
        patience_epochs=100,
    ),
)
_COX = Preset(network={"network": "cox", "input_channels": InputChannels.NONE})
_COMPARATOR_SETTINGS = TrainingSettings(alignment_weight=0.0, disentanglement_weight=0.0)

PRESETS: dict[PresetName, Preset] = {
    PresetName.STAR: Preset(),
    PresetName.PAPER: _PAPER,
    PresetName.CLINICAL: _CLINICAL,
    PresetName.COX: _COX,
    **{
        name: Preset(network={"network": name.value}, settings=_COMPARATOR_SETTINGS)
        for name in PresetName
        if name not in (PresetName.STAR, PresetName.PAPER, PresetName.CLINICAL, PresetName.COX)
    },
}


def parse_options(texts: Sequence[str]) -> dict[str, str]:
    """Return options given as NAME=VALUE.

    Raises
    ------
    TrainingError
        When one has no value.
    """
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not equals:
            raise TrainingError(f"Option {name!r} has no value.", remedy="Write it as NAME=VALUE.")
    return {name: value for name, _, value in pairs}


def check_preparation(preset: Preset, preprocessing: PreprocessConfig, cohort: str) -> None:
    """Refuse a cohort whose scans were prepared otherwise than the preset says; the grid's size is free.

    A network without a scan takes any cohort.

    Raises
    ------
    CohortError
        Naming the settings that differ.
    """
    if preset.network.get("input_channels") == InputChannels.NONE:
        return
    wanted = preset.preprocessing.model_dump(exclude={"reduce"})
    found = preprocessing.model_dump(exclude={"reduce"})
    different = [f"{name} is {found[name]}, expected {wanted[name]}" for name in wanted if wanted[name] != found[name]]
    if different:
        raise CohortError(
            f"The scans of cohort {cohort!r} were not prepared as the preset wants them: {'; '.join(different)}.",
            remedy="Make the cohort again with this preset (option --preset of `star cohort`).",
        )
