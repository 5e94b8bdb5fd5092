"""An archive of its own for each test, and a study to import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from star_core.archive.archive import Archive
from tests.core.dicom.factory import write_series


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive(tmp_path / "archive") as opened:
        yield opened


@pytest.fixture
def study(tmp_path: Path) -> Path:
    write_series(tmp_path / "study")
    return tmp_path / "study"
