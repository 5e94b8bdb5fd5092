"""Receiving is measured beside dcmtk's receiver where there is one, and alone with the reason where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from star_core.evaluation import receiving_benchmark
from star_core.evaluation.receiving_benchmark import measure_receiving
from tests.core.dicom.factory import write_series
from tests.core.dicom.network.peers import find_tool


@pytest.fixture
def series(tmp_path: Path) -> Path:
    write_series(tmp_path / "series")
    return tmp_path / "series"


def test_receiving_is_measured_beside_storescp(series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find_tool("storescp")
    monkeypatch.setattr(receiving_benchmark, "REPEATS", 1)
    result = measure_receiving(series, tmp_path)
    assert result.ours > 0
    assert result.peer is not None
    assert result.peer > 0


def test_without_dcmtk_the_reason_is_told(series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving_benchmark.shutil, "which", lambda name: None)
    result = measure_receiving(series, tmp_path)
    assert result.ours > 0
    assert (result.peer, "not installed" in result.goal) == (None, True)
