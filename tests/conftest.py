"""What all tests share: a home of their own, and paths of the optional real data."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def real_data(relative: str) -> Path:
    """Return a folder of the real data, or skip the test where it is not at hand."""
    path = SHARED_DATA / relative
    if not path.exists():
        pytest.skip(f"real data {relative!r} is not on this machine")
    return path


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees or changes the user's models, studies and settings."""
    home = tmp_path / "home"
    monkeypatch.setenv("STAR_HOME", str(home))
    return home


@pytest.fixture
def ircad_folder() -> Path:
    return real_data("ct/ircad-17")


@pytest.fixture
def chaos_folder() -> Path:
    return real_data("ct/chaos-3")
