"""What readers drew on archived scans, kept with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from star_core.archive.archive import Archive
    from star_core.imaging.annotations import Annotation


def keep_annotations(
    archive: Archive, series_id: int, series_uid: str, annotations: Sequence[Annotation]
) -> int | None:
    """Keep what was drawn on a scan, in the place of what was kept before, and return its number.

    Nothing is kept, and ``None`` returned, where the archive's series is not the one that was drawn on.

    Raises
    ------
    StorageError
        When it cannot be written, or the series is no longer there.
    """
    from star_core.archive.audit import to_subject
    from star_core.archive.catalogue import find_study
    from star_core.archive.results import keep_result
    from star_core.archive.rows import ResultKind
    from star_core.imaging.annotations import annotations_to_json

    _, found_uid = find_study(archive, series_id)
    if found_uid != series_uid:
        return None
    return keep_result(
        archive,
        series_id,
        kind=ResultKind.MEASUREMENT,
        model_name="",
        model_id="",
        inputs=to_subject("annotations", series_uid),
        summary={"annotations": float(len(annotations))},
        payload={"series_uid": series_uid, "drawn": annotations_to_json(annotations)},
    )


def read_annotations(archive: Archive, series_id: int, series_uid: str) -> tuple[Annotation, ...]:
    """Return what was drawn on a scan; empty where nothing was kept.

    Raises
    ------
    StorageError, AnnotationError
        When its file is gone, altered or not as it must be.
    """
    from star_core.archive.catalogue import find_study
    from star_core.archive.results import list_results, read_result
    from star_core.archive.rows import ResultKind
    from star_core.imaging.annotations import annotations_from_json

    study, found_uid = find_study(archive, series_id)
    rows = [row for row in list_results(archive, study) if row.kind is ResultKind.MEASUREMENT]
    newest = next((row.id for row in rows if row.series == series_id), None)
    if newest is None or found_uid != series_uid:
        return ()
    _, payload = read_result(archive, newest)
    return annotations_from_json(payload.get("drawn"))
