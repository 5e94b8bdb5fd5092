"""Prepares what takes longer than a frame, off the GUI thread: surfaces and the laid-out yearly maps."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from PySide6.QtCore import QObject, Signal

from star_core.types import FloatArray, Masks, RiskMap, Volume
from star_viewer.scene.body import build_coarse_ct
from star_viewer.scene.risk_frames import RiskFrames, build_risk_frames, build_risk_paint
from star_viewer.scene.surfaces import BuiltSurfaces, build_body_surfaces, build_mask_surfaces

Source = Masks | RiskMap | Volume | RiskFrames


class SceneBuilder(QObject):
    """Takes frozen inputs; answers with the input and what was made of it, so that late answers are recognisable."""

    surfaces_built = Signal(object, object)  # Masks | Volume, tuple[Surface, ...]
    risk_built = Signal(object, object)  # RiskMap, RiskFrames
    paint_built = Signal(object, object)  # RiskFrames, RiskPaint
    body_built = Signal(object, object)  # Volume, CoarseCt | None
    failed = Signal(str)
    _finished = Signal(object, object, object)  # brings an answer from the pool to the GUI thread

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._finished.connect(self._call)
        self._pool: ThreadPoolExecutor | None = None
        self._unanswered = 0

    @property
    def busy(self) -> bool:
        """Whether something is still being built."""
        return self._unanswered > 0

    def build_surfaces(self, source: Masks | Volume, before: BuiltSurfaces | None = None) -> None:
        """Build the surfaces of masks, or the bones of a volume; those that did not change since are kept."""
        if isinstance(source, Masks):
            self._submit(lambda: build_mask_surfaces(source, before), source, self.surfaces_built.emit)
        else:
            self._submit(lambda: build_body_surfaces(source), source, self.surfaces_built.emit)

    def build_risk(self, source: RiskMap) -> None:
        """Lay out the yearly maps."""
        self._submit(lambda: build_risk_frames(source), source, self.risk_built.emit)

    def build_paint(self, source: RiskFrames, points_mm: FloatArray, normals: FloatArray) -> None:
        """Read the yearly maps beneath the points of a surface."""
        self._submit(lambda: build_risk_paint(source, points_mm, normals), source, self.paint_built.emit)

    def build_body(self, source: Volume, masks: Masks | None) -> None:
        """Make a volume coarse enough for 3D; with masks the liver alone."""
        self._submit(lambda: build_coarse_ct(source, masks), source, self.body_built.emit)

    def finalise(self) -> None:
        """Wait for what is being built and take no more."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _submit(self, work: Callable[[], object], source: Source, tell: Callable[[Source, object], None]) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="scene-builder")

        def answer(error: BaseException | None, result: object) -> None:
            self._unanswered -= 1
            if error is None:
                tell(source, result)
            else:
                self.failed.emit(f"The 3D view could not be prepared: {type(error).__name__}: {error}")

        def report(future: Future[object]) -> None:
            if not future.cancelled():
                error = future.exception()
                # The window may have gone while this was built; nobody waits for it then.
                with suppress(RuntimeError):
                    self._finished.emit(answer, error, None if error is not None else future.result())

        self._unanswered += 1
        self._pool.submit(work).add_done_callback(report)

    def _call(self, answer: Callable[[object, object], None], error: object, result: object) -> None:
        answer(error, result)
