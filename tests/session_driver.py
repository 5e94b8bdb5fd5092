"""The program with a reader who never rests, for the study of kills: `python -m tests.session_driver --seed 1`.

It opens the demonstration patient, or takes what is offered after a kill, and then acts at random through events of
mouse and keys. Lines of JSON tell what came back, every state that was given to be kept, and every one confirmed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit

from star_core.imaging.annotations import AnnotationKind
from star_core.imaging.editing.patch import MaskPatch
from star_core.types import Masks, Structure
from star_viewer.app import StarApp
from star_viewer.scene.four_views import FourViews
from star_viewer.scene.pen import LabelEditor
from star_viewer.scene.slice_pane import SlicePane
from star_viewer.session import WINDOW_PRESETS
from star_viewer.workspace import Workspace, to_entry

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
PAUSE_MS = (5, 60)


def tell(**values: object) -> None:
    """Write a line for the study."""
    print(json.dumps(values), flush=True)


def digests(workspace: Workspace) -> dict[str, str]:
    """Return short hashes of the content and of the view."""
    entry = to_entry(workspace)
    view = {name: value for name, value in entry.pop("view").items() if name != "model"}
    parts = {"content": entry, "view": view}
    texts = {name: json.dumps(_with_floats(part), sort_keys=True) for name, part in parts.items()}
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}


def _with_floats(value: Any) -> Any:
    """Return a value in which 61 and 61.0, which are the same age, are written alike."""
    match value:
        case bool() | str() | None:
            return value
        case int() | float():
            return float(value)
        case dict():
            return {name: _with_floats(part) for name, part in value.items()}
        case _:
            return [_with_floats(part) for part in value]


def _scribble(masks: Masks, structure: Structure, seed: float) -> MaskPatch:
    """Flip half of the voxels of a box somewhere."""
    chance = np.random.default_rng(int(seed * 2**32))
    sides = [int(min(size, 1 + chance.integers(40))) for size in masks.geometry.shape]
    z, y, x = (int(chance.integers(size - side + 1)) for size, side in zip(masks.geometry.shape, sides, strict=True))
    return MaskPatch(structure=structure, start=(z, y, x), toggled=chance.random(sides) < 0.5)


class Reader:
    """Acts at random on an open case."""

    def __init__(self, star: StarApp, seed: int) -> None:
        self._star, self._random = star, random.Random(seed)
        views = star.window.views
        assert isinstance(views, FourViews)
        self._panes = (views.axial, views.sagittal, views.coronal)
        self._count = 0
        self._tell_keeping()
        star.keeping.brought_back.connect(self._begin)

    def _tell_keeping(self) -> None:
        keeper = self._star.keeping.keeper
        for name in ("begin", "write"):
            give: Callable[[Workspace, int], None] = getattr(keeper, name)

            def told(workspace: Workspace, version: int, give: Callable[[Workspace, int], None] = give) -> None:
                tell(given=version, **digests(workspace))
                give(workspace, version)

            setattr(keeper, name, told)
        keeper.kept.connect(lambda version: tell(kept=version))
        keeper.troubled.connect(lambda _, why: tell(trouble=why))
        structures = self._star.editing.structures
        structures.settled.connect(self._tell_structures)
        structures.lost.connect(lambda why: tell(structures_lost=why))

    def _tell_structures(self) -> None:
        session = self._star.session
        if session.masks is not None:
            tell(structures=session.edits.get("masks", ""), voxels=zlib.crc32(session.masks.bits.tobytes()))

    def _begin(self) -> None:
        keeping = self._star.keeping
        workspace = keeping.workspace
        tell(back=True, live=keeping.is_live, annotations=len(workspace.content.annotations), **digests(workspace))
        self._next()

    def _next(self) -> None:
        QTimer.singleShot(self._random.randint(*PAUSE_MS), self._act)

    def _act(self) -> None:
        actions = (
            *((self._draw, 6), (self._drag, 5), (self._rename, 2), (self._delete, 2), (self._undo, 4), (self._redo, 2)),
            *((self._type, 3), (self._choose, 2), (self._edit, 2), (self._look, 8)),
        )
        act = self._random.choices([one for one, _ in actions], [weight for _, weight in actions])[0]
        act()
        self._count += 1
        tell(did=self._count, what=act.__name__.strip("_"))
        self._next()

    # ------------------------------------------------------------------ what a reader does

    def _pane(self) -> SlicePane:
        return self._random.choice(self._panes)

    def _place(self, pane: SlicePane) -> QPointF:
        return QPointF(
            self._random.uniform(0.25, 0.75) * pane.width(), self._random.uniform(0.25, 0.75) * pane.height()
        )

    def _send(self, pane: SlicePane, kind: QEvent.Type, point: QPointF, down: Qt.MouseButton) -> None:
        button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else LEFT
        QApplication.sendEvent(pane, QMouseEvent(kind, point, pane.mapToGlobal(point), button, down, NONE))

    def _stroke(self, pane: SlicePane, points: list[QPointF]) -> None:
        self._send(pane, QEvent.Type.MouseButtonPress, points[0], LEFT)
        for point in points[1:]:
            self._send(pane, QEvent.Type.MouseMove, point, LEFT)
        self._send(pane, QEvent.Type.MouseButtonRelease, points[-1], Qt.MouseButton.NoButton)

    def _draw(self) -> None:
        pane, kind = self._pane(), self._random.choice(list(AnnotationKind))
        self._star.window.star_actions[f"draw_{kind}"].trigger()
        if kind is AnnotationKind.TEXT:
            self._stroke(pane, [self._place(pane)])
            self._type_label(pane)
        elif kind is AnnotationKind.ANGLE:
            for _ in range(3):
                self._stroke(pane, [self._place(pane)])
        else:
            self._stroke(pane, [self._place(pane) for _ in range(8)])

    def _type_label(self, pane: SlicePane) -> None:
        for editor in pane.findChildren(LabelEditor):
            if editor.isVisible():
                QTest.keyClicks(editor, f"label {self._random.randint(1, 999)}")
                QTest.keyClick(editor, Qt.Key.Key_Return)

    def _drag(self) -> None:
        pane = self._pane()
        shown = [one for one in self._star.session.annotations if pane.shows(one.plane)]
        if shown:
            start = pane.pixel_of(self._random.choice(shown).points_mm[0])
            self._stroke(pane, [start, *(start + QPointF(step * 3.0, step * 2.0) for step in range(1, 12))])

    def _rename(self) -> None:
        if self._star.session.annotations:
            self._star.session.select(self._random.choice(self._star.session.annotations).id)
            pane = self._pane()
            QTest.keyClick(pane, Qt.Key.Key_F2)
            self._type_label(pane)

    def _delete(self) -> None:
        if self._star.session.annotations:
            self._star.session.select(self._random.choice(self._star.session.annotations).id)
            QTest.keyClick(self._pane(), Qt.Key.Key_Delete)

    def _undo(self) -> None:
        self._star.session.history.undo()

    def _redo(self) -> None:
        self._star.session.history.redo()

    def _type(self) -> None:
        name = self._random.choice(("age_years", "cea_ng_ml", "largest_tumour_cm"))
        editor = self._star.window.form.rows[name].editor
        assert isinstance(editor, QLineEdit)
        editor.selectAll()
        QTest.keyClicks(editor, str(self._random.randint(20, 99)))

    def _choose(self) -> None:
        editor = self._star.window.form.rows[self._random.choice(("sex", "bilobar_disease", "steatosis"))].editor
        assert isinstance(editor, QComboBox)
        editor.setCurrentIndex(self._random.randrange(editor.count()))

    def _edit(self) -> None:
        structure = self._random.choice((Structure.REMNANT, Structure.TUMOUR))
        seed = self._random.random()
        self._star.editing.structures.edit("paint", lambda masks, _: _scribble(masks, structure, seed))

    def _look(self) -> None:
        session = self._star.session
        match self._random.randrange(8):
            case 0:
                session.set_year(self._random.randint(1, 12))
            case 1:
                self._star.window.star_actions["annual"].trigger()
            case 2:
                session.set_window_level(self._random.choice(list(WINDOW_PRESETS.values())))
            case 3:
                self._pane().scroll_by(self._random.randint(-5, 5))
            case 4:
                self._star.window.opacity.setValue(self._random.randint(0, 100))
            case 5:
                pane = self._pane()
                pane.zoom(self._random.uniform(0.7, 1.5), self._place(pane))
            case 6:
                views = self._star.window.views
                assert isinstance(views, FourViews)
                views.maximise(self._random.choice((None, *(pane.name for pane in self._panes))))
            case 7:
                level = session.window_level
                session.set_window_level(replace(level, centre_hu=level.centre_hu + self._random.uniform(-20, 20)))


def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--demo", action="store_true", help="open the demonstration patient; else take the offer")
    asked = parser.parse_args()
    qt_app = QApplication(sys.argv[:1])
    star = StarApp(qt_app)
    reader = Reader(star, asked.seed)  # held: a signal alone would not
    star.show()
    if asked.demo:
        star.workflow.open_demo()
    else:
        looking = QTimer(star, interval=20)

        def take() -> None:
            if star.window.empty_state.offers:
                looking.stop()
                tell(offered=star.window.empty_state.offers[0])
                star.window.star_actions["continue"].trigger()

        looking.timeout.connect(take)
        looking.start()
    qt_app.exec()
    del reader


if __name__ == "__main__":
    main()
