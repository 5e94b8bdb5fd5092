"""Which models there are, and which is in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from star_core.api import install_model
from star_core.clinical.fields import MODEL_FIELDS
from star_core.errors import BundleError, StorageError
from star_core.model.bundle import read_bundle
from star_core.model.registry import (
    DEFAULT_MODEL,
    ModelInfo,
    activate_model,
    active_model_name,
    find_model,
    list_models,
)


def test_the_bundled_models_are_at_hand_and_star_is_in_use() -> None:
    models = {model.name: model for model in list_models()}
    assert set(models) == {"star", "clinical", "clinical-cox"}
    assert [name for name, model in models.items() if model.is_active] == [DEFAULT_MODEL] == ["star"]
    assert models["star"].is_demonstration
    assert "synthetic" in models["star"].cohort
    assert not models["clinical"].is_demonstration


@pytest.mark.parametrize("model", list_models(), ids=lambda model: model.name)
def test_a_bundled_models_card_agrees_with_its_weights_and_says_how_good_it_is(model: ModelInfo) -> None:
    bundle = read_bundle(Path(model.path))
    bundle.build_network()
    assert bundle.card.measures
    assert bundle.card.not_for
    assert bundle.card.fields == tuple(field.name for field in MODEL_FIELDS)


def test_an_installed_model_can_be_put_to_use(untrained_bundle: Path) -> None:
    assert install_model(untrained_bundle).name == "untrained"
    activate_model("untrained")
    assert active_model_name() == "untrained"
    assert find_model(None).name == "untrained"
    assert [model.name for model in list_models() if model.is_active] == ["untrained"]


def test_an_unknown_model_lists_those_at_hand() -> None:
    with pytest.raises(StorageError, match="star"):
        find_model("nobody")
    with pytest.raises(BundleError, match="star"):
        activate_model("nobody")


def test_a_damaged_choice_falls_back_to_star(own_home: Path) -> None:
    own_home.mkdir()
    (own_home / "active.json").write_text("{")
    assert active_model_name() == DEFAULT_MODEL
