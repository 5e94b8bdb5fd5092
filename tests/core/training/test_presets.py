"""Presets: the paper to the letter, ours, and options changed by name."""

from __future__ import annotations

import pytest

from star_core.errors import CohortError, TrainingError
from star_core.imaging.preprocess import PlaneSpacing, PreprocessConfig
from star_core.model.config import Align, ComparatorConfig, Disentangle, InputChannels, OutcomeModel, Part, StarConfig
from star_core.training.presets import PRESETS, check_preparation
from star_core.training.run import PresetName, Schedule


def test_the_paper_is_followed_to_the_letter() -> None:
    paper = PRESETS[PresetName.PAPER]
    config = paper.build_architecture(14, (40, 128, 128))
    assert isinstance(config, StarConfig)
    assert config.outcome is OutcomeModel.YEAR_CLASS
    assert config.input_channels is InputChannels.CT
    assert (config.align, config.disentangle) == (Align.RATIO, Disentangle.MATCH)
    assert paper.preprocessing.z is PlaneSpacing.SLICES
    settings = paper.settings
    assert (settings.batch_size, settings.accumulate_batches, settings.learning_rate) == (1, 1, 1e-4)
    assert settings.schedule is Schedule.PLATEAU
    assert settings.reconstruction_weight == 0.0
    assert (settings.elastic_mm, settings.noise_sigma, settings.blur_sigma_mm) == (5.0, 0.1, 0.5)


def test_options_change_network_and_training_by_name() -> None:
    preset = PRESETS[PresetName.STAR].with_options(
        {"parts": "AB", "channels": "8,8,8,8", "epochs": "3", "align": "ratio"}
    )
    config = preset.build_architecture(14, (10, 32, 32))
    assert isinstance(config, StarConfig)
    assert config.parts == (Part.A, Part.B)
    assert config.channels == (8, 8, 8, 8)
    assert config.align is Align.RATIO
    assert preset.settings.epochs == 3


def test_no_parts_at_all_is_a_plain_network() -> None:
    config = PRESETS[PresetName.STAR].with_options({"parts": ""}).build_architecture(14, (10, 32, 32))
    assert isinstance(config, StarConfig)
    assert config.parts == ()


@pytest.mark.parametrize(
    ("option", "message"),
    [({"colour": "red"}, "no option 'colour'"), ({"epochs": "many"}, "epochs"), ({"parts": "C"}, "add B")],
)
def test_wrong_options_are_named(option: dict[str, str], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        PRESETS[PresetName.STAR].with_options(option)


def test_the_clinical_preset_is_a_small_star_without_a_scan() -> None:
    preset = PRESETS[PresetName.CLINICAL]
    config = preset.build_architecture(14, (10, 32, 32))
    assert isinstance(config, StarConfig)
    assert not config.sees_scan
    assert not config.has_map
    assert (config.parts, config.width, config.dropout) == ((Part.B,), 8, 0.5)


def test_a_network_without_a_scan_takes_any_preparation() -> None:
    slices = PreprocessConfig(z=PlaneSpacing.SLICES)
    check_preparation(PRESETS[PresetName.CLINICAL], slices, "cohort")
    with pytest.raises(CohortError, match="z is slices"):
        check_preparation(PRESETS[PresetName.STAR], slices, "cohort")


def test_every_comparator_has_a_preset() -> None:
    for name in (PresetName.CNN3D, PresetName.RESNET18, PresetName.RESNET34, PresetName.RESNET50, PresetName.AMINN):
        config = PRESETS[name].build_architecture(14, (40, 128, 128))
        assert isinstance(config, ComparatorConfig)
        assert config.network == name.value
