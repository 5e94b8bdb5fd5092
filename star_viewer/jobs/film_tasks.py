"""What the worker process of pictures and films does: PNG and GIF by Pillow, Motion JPEG by OpenCV's own encoder.

GIF plays wherever pictures are shown; AVI with Motion JPEG plays in the players of Windows, in VLC and in slide shows.
Neither encoder is under the GPL, and FFmpeg is not asked.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from star_core.errors import StorageError
from star_core.storage import new_file
from star_core.types import ProgressCallback
from star_viewer.jobs.film_requests import AVI, GIF, PNG, WriteFilm
from star_viewer.jobs.requests import Request

AVI_FRAMES_PER_S = 10
_COLOURS = 255


class FilmTasks:
    """Answers requests about pictures and films."""

    def answer(self, request: Request, progress: ProgressCallback) -> object:
        """Return the path of what was written."""
        from star_core.archive.audit import AuditAction, write_down

        if not isinstance(request, WriteFilm):
            raise ValueError(f"unknown request {type(request).__name__}")
        writers = {PNG: _write_png, GIF: _write_gif, AVI: _write_avi}
        ending = request.path.suffix.lower()
        if ending not in writers:
            raise StorageError(
                f"Pictures are not written as {ending!r}.", remedy=f"Choose a name that ends in {', '.join(writers)}."
            )
        write_down(AuditAction.EXPORT, subject=request.subject, details={"what": f"picture{ending}"})
        writers[ending](request, progress)
        return request.path


def _write_png(request: WriteFilm, progress: ProgressCallback) -> None:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    told = PngInfo()
    told.add_text("Comment", request.notice)
    with Image.open(request.frames[0]) as frame, new_file(request.path) as partial:
        frame.convert("RGB").save(partial, format="PNG", pnginfo=told)
    progress(1, 1)


def _write_gif(request: WriteFilm, progress: ProgressCallback) -> None:
    from PIL import Image

    pictures = []
    for number, path in enumerate(request.frames, start=1):
        with Image.open(path) as frame:
            pictures.append(frame.convert("RGB").quantize(_COLOURS, dither=Image.Dither.FLOYDSTEINBERG))
        progress(number, len(request.frames) + 1)
    with new_file(request.path) as partial:
        pictures[0].save(
            partial,
            format="GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=request.frame_ms,
            loop=0,
            comment=request.notice.encode("ascii", "replace"),
        )
    progress(len(request.frames) + 1, len(request.frames) + 1)


def _write_avi(request: WriteFilm, progress: ProgressCallback) -> None:
    import cv2

    repeats = max(round(request.frame_ms * AVI_FRAMES_PER_S / 1000), 1)
    # OpenCV tells the format by the name's end and cannot say why it failed; the file is made elsewhere and moved.
    with tempfile.TemporaryDirectory(prefix="star-film-") as folder:
        made = Path(folder) / "film.avi"
        writer = None
        for number, path in enumerate(request.frames, start=1):
            pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if pixels is None:
                raise StorageError("A picture of the film is missing.", remedy="Export the film again.")
            if writer is None:
                size = (pixels.shape[1], pixels.shape[0])
                code = cv2.VideoWriter.fourcc(*"MJPG")
                writer = cv2.VideoWriter(str(made), cv2.CAP_OPENCV_MJPEG, code, AVI_FRAMES_PER_S, size)
            for _ in range(repeats):
                writer.write(pixels)
            progress(number, len(request.frames))
        if writer is not None:
            writer.release()
        if not made.exists():
            raise StorageError("The film cannot be written.", remedy="Free some space, or choose GIF.")
        with new_file(request.path) as partial:
            partial.write_bytes(made.read_bytes())
