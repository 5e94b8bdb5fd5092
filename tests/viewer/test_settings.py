"""Settings outlive the program, and a damaged file costs one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from star_viewer.settings import ReceiverSettings, Settings, SettingsStore, Theme, default_path


def test_a_first_start_has_the_defaults_and_no_problem(tmp_path: Path) -> None:
    store = SettingsStore(tmp_path / "settings.json")
    assert store.settings == Settings()
    assert store.settings.theme is Theme.DARK
    assert store.problem == ""


def test_what_was_changed_is_there_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "new" / "settings.json"
    SettingsStore(path).change(theme=Theme.LIGHT, overlay_opacity=0.25, recent_folders=("/data/a", "/data/b"))
    settings = SettingsStore(path).settings
    assert settings.theme is Theme.LIGHT
    assert settings.overlay_opacity == 0.25
    assert settings.recent_folders == ("/data/a", "/data/b")
    assert [file.name for file in path.parent.iterdir()] == ["settings.json"]


def test_how_studies_are_received_is_remembered_and_off_at_first(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    assert not SettingsStore(path).settings.receiver.at_start
    SettingsStore(path).change(receiver=ReceiverSettings(at_start=True, port=104, allowed=("PACS",)))
    assert SettingsStore(path).settings.receiver == ReceiverSettings(at_start=True, port=104, allowed=("PACS",))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe\x00",
        b'{"theme": "purple"}',
        b'{"overlay_opacity": 7}',
        b'{"recent_folders": 3}',
    ],
)
def test_a_damaged_file_gives_the_defaults_and_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    store = SettingsStore(path)
    assert store.settings == Settings()
    assert "damaged" in store.problem


def test_a_damaged_file_is_whole_again_after_the_next_change(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text("{")
    SettingsStore(path).change(theme=Theme.LIGHT)
    store = SettingsStore(path)
    assert store.problem == ""
    assert store.settings.theme is Theme.LIGHT


def test_settings_of_a_newer_program_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"theme": "light", "holograms": true}')
    store = SettingsStore(path)
    assert store.problem == ""
    assert store.settings.theme is Theme.LIGHT


def test_a_disk_that_refuses_keeps_the_change_for_this_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = SettingsStore(tmp_path / "file" / "settings.json")
    store.change(theme=Theme.LIGHT)
    assert store.settings.theme is Theme.LIGHT
    assert "cannot be saved" in store.problem


def test_star_home_says_where_the_settings_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STAR_HOME", str(tmp_path))
    assert default_path() == tmp_path / "settings.json"
    monkeypatch.delenv("STAR_HOME")
    assert default_path().name == "settings.json"
