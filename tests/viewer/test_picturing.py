"""Pictures and films say what they are, hold no patient unless asked, and can be played."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from star_core.errors import StorageError
from star_core.types import ignore_progress
from star_viewer.app import StarApp, build_four_views
from star_viewer.dialogs.picture import PictureDialog, PictureWish, Subject
from star_viewer.jobs.film_requests import WriteFilm
from star_viewer.jobs.film_tasks import AVI_FRAMES_PER_S, FilmTasks
from star_viewer.picturing import stamp_picture
from star_viewer.scene.four_views import FourViews
from tests.viewer.conftest import OpenApp


@pytest.fixture
def seen(qtbot: QtBot, open_app: OpenApp) -> StarApp:
    star = open_app(build_views=build_four_views)
    with qtbot.waitSignal(star.workflow.assessed):
        star.workflow.open_demo()
    assert isinstance(star.window.views, FourViews)
    star.window.views.wait_until_drawn()
    return star


def _take(qtbot: QtBot, star: StarApp, subject: Subject, path: Path, *, identified: bool = False) -> None:
    with qtbot.waitSignal(star.picturing.runner.finished, timeout=20_000):
        star.picturing.take(PictureWish(subject=subject, path=path, identified=identified))
    assert path.exists()


def _strip(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))[-26:]


def test_a_picture_of_all_views_carries_the_notice(qtbot: QtBot, seen: StarApp, tmp_path: Path) -> None:
    path = tmp_path / "all.png"
    _take(qtbot, seen, Subject.ALL, path)
    with Image.open(path) as picture:
        views = seen.window.views
        assert picture.size == (views.width(), views.height() + 26)
        assert "RESEARCH USE ONLY" in picture.text["Comment"]
        assert "model synthetic" in picture.text["Comment"]
        assert "(learnt from synthetic patients)" in picture.text["Comment"]
        assert "year 1" in picture.text["Comment"]
    yellow = (_strip(path).astype(int) - [255, 214, 102] == 0).all(axis=-1)
    assert yellow.sum() > 50
    assert not list(tmp_path.glob("*partial*"))


def test_a_picture_of_a_view_has_that_views_size(qtbot: QtBot, seen: StarApp, tmp_path: Path) -> None:
    views = seen.window.views
    views.coronal.activated.emit(views.coronal.name)
    _take(qtbot, seen, Subject.VIEW, tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.size == (views.coronal.width(), views.coronal.height() + 26)


def test_the_patient_stays_out_unless_asked(qtbot: QtBot, seen: StarApp, tmp_path: Path) -> None:
    assert seen.window.views._corner_lines == ("synthetic", "CT")
    seen.window.banners.hide()  # what they tell takes room from the views
    _take(qtbot, seen, Subject.VIEW, tmp_path / "without.png")
    _take(qtbot, seen, Subject.VIEW, tmp_path / "with.png", identified=True)
    pixels = []
    for name in ("without.png", "with.png"):
        with Image.open(tmp_path / name) as picture:
            pixels.append(np.asarray(picture.convert("RGB")).astype(int))
    changed = np.argwhere(np.abs(pixels[0] - pixels[1]).max(axis=-1) > 60)
    assert len(changed) > 30
    assert changed[:, 1].min() > pixels[0].shape[1] / 2  # the corner at the right, and nothing else
    assert seen.window.views._corner_lines == ("synthetic", "CT")


@pytest.mark.parametrize("ending", [".gif", ".avi"])
def test_a_film_shows_the_twelve_years_and_gives_the_year_back(
    qtbot: QtBot, seen: StarApp, tmp_path: Path, ending: str
) -> None:
    seen.session.set_year(3)
    path = tmp_path / f"years{ending}"
    _take(qtbot, seen, Subject.FILM, path)
    assert seen.session.year == 3
    if ending == ".gif":
        with Image.open(path) as film:
            assert film.n_frames == 12
            assert film.info["duration"] == 700
            assert b"RESEARCH USE ONLY" in film.info["comment"]
    else:
        film = cv2.VideoCapture(str(path), cv2.CAP_OPENCV_MJPEG)
        frames = 0
        while film.read()[0]:
            frames += 1
        film.release()
        assert frames == 12 * round(0.7 * AVI_FRAMES_PER_S)


def test_a_film_says_in_each_frame_which_year_it_shows(qtbot: QtBot, seen: StarApp, tmp_path: Path) -> None:
    said: list[tuple[str, ...]] = []
    describe = seen.picturing.describe
    seen.picturing.describe = lambda: said.append(describe()) or describe()  # type: ignore[method-assign, func-returns-value]
    _take(qtbot, seen, Subject.FILM, tmp_path / "years.gif")
    assert [parts[-1] for parts in said[:12]] == [f"year {year}, cumulative" for year in range(1, 13)]


def test_an_export_is_written_into_the_audit_trail(qtbot: QtBot, seen: StarApp, tmp_path: Path, own_home: Path) -> None:
    _take(qtbot, seen, Subject.ALL, tmp_path / "all.png")
    trail = next(own_home.rglob("audit.jsonl")).read_text(encoding="utf-8").splitlines()
    assert json.loads(trail[-1])["details"] == {"what": "picture.png"}


def test_a_disk_that_refuses_is_told_and_leaves_nothing(qtbot: QtBot, seen: StarApp, tmp_path: Path) -> None:
    with qtbot.waitSignal(seen.picturing.runner.failed, timeout=20_000):
        wish = PictureWish(subject=Subject.ALL, path=tmp_path / "gone" / "all.png", identified=False)
        seen.picturing.take(wish)
    assert not seen.picturing.is_busy


def test_another_case_ends_a_film(qtbot: QtBot, seen: StarApp, tmp_path: Path) -> None:
    seen.picturing.take(PictureWish(subject=Subject.FILM, path=tmp_path / "years.gif", identified=False))
    assert seen.picturing.is_busy
    seen.session.set_case(None)
    assert not seen.picturing.is_busy


def test_without_a_case_there_is_nothing_to_picture(star: StarApp) -> None:
    assert star.picturing.ask(Subject.ALL) is None


def test_the_dialog_asks_for_a_place_and_tells_the_wish(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), "AVI with Motion JPEG (*.avi)"))
    dialog = PictureDialog(Subject.ALL, "star")
    qtbot.addWidget(dialog)
    assert not dialog.identified.isChecked()
    dialog.choices[Subject.FILM].setChecked(True)
    with qtbot.waitSignal(dialog.wished) as told:
        dialog.save_button.click()
    assert told.args[0] == PictureWish(subject=Subject.FILM, path=path.with_suffix(".avi"), identified=False)


def test_an_unknown_ending_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    request = WriteFilm(frames=(), path=tmp_path / "film.mp4", frame_ms=700, notice="", subject="x")
    with pytest.raises(StorageError) as refused:
        FilmTasks().answer(request, ignore_progress)
    assert ".gif" in refused.value.remedy


def test_a_dense_screens_picture_keeps_its_pixels() -> None:
    picture = QImage(400, 300, QImage.Format.Format_RGB32)
    picture.fill(QColor(10, 20, 30))
    picture.setDevicePixelRatio(2.0)
    stamped = stamp_picture(picture, ("RESEARCH USE ONLY", "model star"))
    assert (stamped.width(), stamped.height()) == (400, 300 + 52)
    assert stamped.pixelColor(399, 299) == QColor(10, 20, 30)
