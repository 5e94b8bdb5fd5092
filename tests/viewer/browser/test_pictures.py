"""Small pictures come one at a time, the newest wish first."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QBuffer, QByteArray
from PySide6.QtGui import QPixmap

from star_viewer.browser import pictures
from star_viewer.browser.pictures import PictureStore


@pytest.fixture
def png(qapp: object) -> bytes:
    pixmap = QPixmap(8, 8)
    pixmap.fill(0)
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    pixmap.save(buffer, "PNG")
    return bytes(data.data())


def test_the_newest_wish_comes_first_and_old_ones_are_forgotten(png: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_WAITING", 2)
    store, asked = PictureStore(), []
    store.asked.connect(asked.append)
    for series in (1, 2, 3, 4):
        assert store.picture_of(series) is None
    assert asked == [1]
    for series in (1, 4, 3):
        store.take(series, png)
    assert asked == [1, 4, 3]
    assert store.picture_of(1) is not None
    assert store.picture_of(2) is None
    assert asked == [1, 4, 3, 2]


def test_a_series_without_a_picture_is_asked_for_once(png: bytes) -> None:
    store, asked = PictureStore(), []
    store.asked.connect(asked.append)
    for _ in range(3):
        assert store.picture_of(1) is None
        store.take(1, b"")
    assert asked == [1]
    store.clear()
    store.picture_of(1)
    assert asked == [1, 1]
