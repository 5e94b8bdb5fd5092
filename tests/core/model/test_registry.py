"""Which models there are, and which is in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from star_core.api import install_model
from star_core.errors import BundleError, StorageError
from star_core.model.registry import DEFAULT_MODEL, activate_model, active_model_name, find_model, list_models


def test_the_demonstration_model_is_at_hand_and_in_use() -> None:
    (model,) = list_models()
    assert model.name == DEFAULT_MODEL
    assert model.is_demonstration
    assert model.is_active
    assert "synthetic" in model.cohort


def test_an_installed_model_can_be_put_to_use(untrained_bundle: Path) -> None:
    assert install_model(untrained_bundle).name == "untrained"
    activate_model("untrained")
    assert active_model_name() == "untrained"
    assert find_model(None).name == "untrained"
    assert [model.is_active for model in list_models()] == [False, True]


def test_an_unknown_model_lists_those_at_hand() -> None:
    with pytest.raises(StorageError, match="demonstration"):
        find_model("nobody")
    with pytest.raises(BundleError, match="demonstration"):
        activate_model("nobody")


def test_a_damaged_choice_falls_back_to_the_demonstration_model(own_home: Path) -> None:
    own_home.mkdir()
    (own_home / "active.json").write_text("{")
    assert active_model_name() == DEFAULT_MODEL
