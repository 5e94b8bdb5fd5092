"""Bundles: what was altered is refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from star_core.errors import BundleError, StorageError
from star_core.model.bundle import CARD_FILE, WEIGHTS_FILE, read_bundle, read_card, write_bundle
from tests.core.conftest import build_card


@pytest.fixture
def copy(untrained_bundle: Path, tmp_path: Path) -> Path:
    shutil.copytree(untrained_bundle, tmp_path / "model")
    return tmp_path / "model"


def test_a_bundle_comes_back_as_it_was_written(untrained_bundle: Path) -> None:
    bundle = read_bundle(untrained_bundle)
    assert bundle.card.demonstration
    assert len(bundle.card.model_id) == 64
    assert sum(p.numel() for p in bundle.build_network().parameters()) == sum(
        w.numel() for w in bundle.weights.values()
    )


def test_a_card_tells_who_was_left_out(copy: Path) -> None:
    cohort = read_card(copy).cohort
    assert cohort.in_words() == "20 synthetic patients (phantom)"
    assert cohort.model_copy(update={"left_out": 3}).in_words() == "20 synthetic patients (phantom), 3 left out"
    assert "left_out" not in cohort.model_dump()  # cards from before it keep their digest


def test_weights_that_were_altered_are_refused(copy: Path) -> None:
    content = bytearray((copy / WEIGHTS_FILE).read_bytes())
    content[-1] ^= 1
    (copy / WEIGHTS_FILE).write_bytes(content)
    with pytest.raises(BundleError, match="weights differ"):
        read_bundle(copy)


def test_a_card_that_was_altered_is_refused(copy: Path) -> None:
    content = json.loads((copy / CARD_FILE).read_text())
    content["demonstration"] = False
    (copy / CARD_FILE).write_text(json.dumps(content))
    with pytest.raises(BundleError, match="card was altered"):
        read_card(copy)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"name": "../../x"}'])
def test_a_damaged_card_is_refused(copy: Path, content: bytes) -> None:
    (copy / CARD_FILE).write_bytes(content)
    with pytest.raises(BundleError, match="card"):
        read_card(copy)


def test_a_newer_format_is_told(copy: Path) -> None:
    content = json.loads((copy / CARD_FILE).read_text())
    content["format_version"] = 99
    (copy / CARD_FILE).write_text(json.dumps(content))
    with pytest.raises(BundleError, match="format 99, expected 1"):
        read_card(copy)


def test_missing_files_are_told(copy: Path) -> None:
    (copy / WEIGHTS_FILE).unlink()
    with pytest.raises(StorageError, match="weights"):
        read_bundle(copy)
    with pytest.raises(StorageError, match="No model bundle"):
        read_card(copy.parent)


def test_a_bundle_is_never_written_over_another(untrained_bundle: Path) -> None:
    with pytest.raises(StorageError, match="not empty"):
        write_bundle(build_card(), read_bundle(untrained_bundle).weights, untrained_bundle)


def test_a_setting_at_its_default_leaves_the_digest_of_older_cards_as_it_was() -> None:
    from tests.core.conftest import build_config

    usual = build_config()
    assert "dropout" not in usual.model_dump()
    changed = usual.model_copy(update={"dropout": 0.5})
    assert type(usual).model_validate(changed.model_dump(mode="json")) == changed
