"""Qt on one side, VTK on the other: states go in, frames come out.

VTK draws offscreen in a thread of its own and Qt paints the finished pictures. The window therefore stays alive while
VTK loads, compiles shaders or casts rays, works where Qt has no OpenGL, and nothing has to be torn down in step with
Qt's native windows. VTK's modules are imported by that thread, not by the window's start-up.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress

from PySide6.QtCore import QObject, QTimer, Signal

from star_viewer.scene.state import Frame, SceneState

_HAS_DRAWING_THREAD = sys.platform != "darwin"  # Cocoa allows windows, hidden ones too, on the main thread only.


_PATIENCE_S, _BETWEEN_S = 0.3, 0.002
_FAILURES = (RuntimeError, ValueError, TypeError, LookupError, AttributeError, MemoryError)


class VtkDrawer(QObject):
    """Draws the newest state that was asked for; states that were overtaken while it drew are skipped."""

    drawn = Signal(object)  # Frame
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None, *, threaded: bool = _HAS_DRAWING_THREAD) -> None:
        super().__init__(parent)
        self._mailbox = _Mailbox()
        self._thread: threading.Thread | None = None
        self._here: _Painter | None = None
        self._threaded = threaded
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._draw_here)
        self._stop: Callable[[], object] = weakref.finalize(self, _Mailbox.close, self._mailbox)

    @property
    def is_rested(self) -> bool:
        """Whether the pictures of the other years were prepared since the last frame, as far as they fit."""
        return self._mailbox.is_rested

    def warm_up(self) -> None:
        """Load VTK and make the OpenGL context before there is anything to draw."""
        self._mailbox.put(None)
        self._wake()

    def request(self, state: SceneState) -> None:
        """Ask for a frame; :attr:`drawn` brings it."""
        self._mailbox.put(state)
        self._wake()

    def finalise(self) -> None:
        """Release everything that VTK holds; later requests are ignored."""
        self._stop()
        self._thread = None
        if self._here is not None:
            self._here.release()
            self._here = None
        self._soon.stop()

    def _wake(self) -> None:
        if self._mailbox.closed:
            return
        if not self._threaded:
            self._soon.start(0)
        elif self._thread is None:
            self._thread = threading.Thread(
                target=_run, args=(self._mailbox, weakref.ref(self)), name="vtk-drawer", daemon=True
            )
            self._thread.start()
            self._stop = weakref.finalize(self, _stop, self._mailbox, self._thread)

    def _draw_here(self) -> None:
        if self._mailbox.closed or not self._mailbox.has_post:
            return
        if self._here is None:
            self._here = _Painter(self._mailbox)
        self._answer(self._here.paint(self._mailbox.take()))

    def _answer(self, answer: Frame | str | None) -> None:
        if isinstance(answer, Frame):
            self.drawn.emit(answer)
        elif answer is not None:
            self.failed.emit(answer)


def _do_nothing() -> None:
    """Stand where there is no stage yet, or no longer one."""


class _Mailbox:
    """Holds the newest request only."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._state: SceneState | None = None
        self.has_post = False
        self.closed = False
        self.is_rested = False
        self.overtake: Callable[[], None] = _do_nothing
        """Tells the stage that something newer is asked for."""

    def put(self, state: SceneState | None) -> None:
        with self._condition:
            if state is not None or not self.has_post:
                self._state = state
            self.has_post = True
            self.overtake()
            self._condition.notify()

    def wait(self, seconds: float | None) -> bool:
        """Wait for a request, or for the end; return whether either came in time."""
        with self._condition:
            return self._condition.wait_for(lambda: self.has_post or self.closed, seconds)

    def take(self) -> SceneState | None:
        """Return the newest request and forget it; waits for one unless the box is closed."""
        self.wait(None)
        with self._condition:
            state, self._state, self.has_post = self._state, None, False
            return state

    def close(self) -> None:
        with self._condition:
            self.closed = True
            self._state = None
            self.overtake()
            self._condition.notify()


class _Painter:
    """The stage, built when first needed."""

    def __init__(self, mailbox: _Mailbox) -> None:
        self._mailbox = mailbox
        self._stage: object | None = None
        self._ahead: SceneState | None = None
        self.patience_s: float | None = None
        """How long nothing must be asked for until pictures are prepared; ``None`` while there are none to prepare."""

    def paint(self, state: SceneState | None) -> Frame | str | None:
        from star_viewer.scene.stage import Stage

        try:
            if self._stage is None:
                self._stage = Stage()
                self._mailbox.overtake = self._stage.stop
                self._stage.open()
            assert isinstance(self._stage, Stage)
            if state is None:
                return None
            frame = self._stage.draw(state)
            self._ahead, self.patience_s = state, _PATIENCE_S
            return frame
        except _FAILURES as error:
            return f"The picture could not be drawn: {type(error).__name__}: {error}"

    def prepare(self) -> None:
        """Draw one picture of another year ahead of time."""
        from star_viewer.scene.stage import Stage

        self.patience_s = None
        if isinstance(self._stage, Stage) and self._ahead is not None:
            # What cannot be drawn ahead of time is told when it is asked for.
            with suppress(*_FAILURES):
                if self._stage.prepare(self._ahead):
                    self.patience_s = _BETWEEN_S

    def release(self) -> None:
        from star_viewer.scene.stage import Stage

        self._mailbox.overtake = _do_nothing
        if isinstance(self._stage, Stage):
            self._stage.release()
        self._stage = None


def _run(mailbox: _Mailbox, drawer_ref: weakref.ref[VtkDrawer]) -> None:
    painter = _Painter(mailbox)
    while not mailbox.closed:
        if not mailbox.wait(painter.patience_s):
            painter.prepare()
            mailbox.is_rested = painter.patience_s is None
            continue
        mailbox.is_rested = False
        state = mailbox.take()
        if mailbox.closed:
            break
        answer = painter.paint(state)
        del state
        drawer = drawer_ref()
        if drawer is None:
            break
        if not mailbox.closed:
            # Qt may have deleted the drawer with its window while a frame was drawn; nobody waits for it then.
            with suppress(RuntimeError):
                drawer._answer(answer)
        del drawer, answer
    painter.release()


def _stop(mailbox: _Mailbox, thread: threading.Thread) -> None:
    mailbox.close()
    if thread is not threading.current_thread():
        thread.join()
