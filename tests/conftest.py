"""Paths of the optional real data, shared by all tests."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def real_data(relative: str) -> Path:
    """Return a folder of the real data, or skip the test where it is not at hand."""
    path = SHARED_DATA / relative
    if not path.exists():
        pytest.skip(f"real data {relative!r} is not on this machine")
    return path


@pytest.fixture
def ircad_folder() -> Path:
    return real_data("ct/ircad-17")


@pytest.fixture
def chaos_folder() -> Path:
    return real_data("ct/chaos-3")
