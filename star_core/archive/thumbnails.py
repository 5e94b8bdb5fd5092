"""Small pictures of series: the middle slice, decoded as the hardened readers do, kept under hashed names."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from star_core.archive.database import instances, reading, series
from star_core.errors import DicomError
from star_core.storage import new_file, storage_error
from star_core.types import ignore_progress

if TYPE_CHECKING:
    from star_core.archive.archive import Archive
    from star_core.dicom.header import InstanceHeader

THUMBNAILS_FOLDER = "thumbnails"
THUMBNAIL_PIXELS = 128
ABDOMEN_HU = (-160.0, 240.0)
_MOST_PIXELS = 1 << 24


def read_thumbnail(archive: Archive, series_id: int) -> bytes:
    """Return a PNG of a series' middle slice, at most 128 pixels wide and high; empty where there is no picture.

    CT is shown from -160 to 240 HU, other grey images from their 1st to their 99th percentile. What was drawn once is
    kept in the archive's folder and goes when the series is purged.

    Raises
    ------
    StorageError
        When the picture cannot be kept.
    """
    found = _find_middle(archive, series_id)
    if found is None:
        return b""
    path, sop_uid, modality = found
    kept = thumbnail_file(archive.folder, sop_uid)
    if kept.is_file():
        return kept.read_bytes()
    drawn = _draw(path, modality)
    if drawn:
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(kept, error) from error
        with new_file(kept) as partial:
            partial.write_bytes(drawn)
    return drawn


def thumbnail_file(folder: Path, sop_uid: str) -> Path:
    """Return where the picture of an instance lies in an archive's folder; only a hash of the UID is in its name."""
    digest = hashlib.sha256(sop_uid.encode("utf-8", "surrogateescape")).hexdigest()
    return folder / THUMBNAILS_FOLDER / digest[:2] / f"{digest}.png"


def _find_middle(archive: Archive, series_id: int) -> tuple[Path, str, str] | None:
    query = (
        select(instances.c.path, instances.c.sop_uid, series.c.modality)
        .join(series, series.c.id == instances.c.series)
        .where(instances.c.series == series_id, instances.c.deletion.is_(None))
        .order_by(instances.c.number, instances.c.sop_uid)
    )
    with reading(archive.engine) as connection:
        rows = connection.execute(query).all()
    if not rows or rows[0].modality == "SEG":
        return None
    middle = rows[len(rows) // 2]
    return archive.folder / middle.path, middle.sop_uid, middle.modality


def _draw(path: Path, modality: str) -> bytes:
    from star_core.dicom.decode import read_slices_into
    from star_core.dicom.header import read_header
    from star_core.dicom.scan import BrokenDicomError, NotDicomError

    try:
        header = read_header(path)
        drawable = header.samples == 1 and header.frames == 1 and header.pixel_length > 0
        if not drawable or not 0 < header.rows * header.columns <= _MOST_PIXELS:
            return b""
        values = np.empty((1, header.rows, header.columns), dtype=np.int16)
        read_slices_into([header], values, ignore_progress)
    except (DicomError, NotDicomError, BrokenDicomError, OSError):
        return b""  # a picture that cannot be drawn is no reason to disturb; opening the series tells why
    return _to_png(values[0], header, modality)


def _to_png(values: NDArray[np.int16], header: InstanceHeader, modality: str) -> bytes:
    import cv2

    low, high = ABDOMEN_HU if modality == "CT" else map(float, np.percentile(values, (1, 99)))
    grey = np.clip((values.astype(np.float32) - low) / max(high - low, 1.0) * 255.0, 0, 255).astype(np.uint8)
    if header.photometric == "MONOCHROME1":
        grey = 255 - grey
    spacing = header.pixel_spacing_mm
    row_mm, column_mm = spacing if spacing is not None and min(spacing) > 0 else (1.0, 1.0)
    height_mm, width_mm = header.rows * row_mm, header.columns * column_mm
    scale = THUMBNAIL_PIXELS / max(height_mm, width_mm)
    size = max(1, round(width_mm * scale)), max(1, round(height_mm * scale))
    small: Any = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".png", small)
    return bytes(encoded.tobytes())
