"""What a browser shows beside rows: values to filter by, cases, imports that did not end, what waits in the bin."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import and_, func, or_, select

from star_core.archive.archive import Archive
from star_core.archive.database import import_files, imports, instances, reading, series, studies
from star_core.archive.results import list_results
from star_core.archive.rows import Bin, Facets, SeriesRow, StudyContents, UnfinishedImport
from star_core.errors import StorageError


def list_facets(archive: Archive) -> Facets:
    """Return the values that studies can be filtered by."""
    with reading(archive.engine) as connection:
        found = [
            tuple(
                filter(None, connection.execute(select(column).where(series.c.instance_count > 0).distinct()).scalars())
            )
            for column in (series.c.modality, series.c.body_part)
        ]
    return Facets(modalities=tuple(sorted(found[0])), body_parts=tuple(sorted(found[1])))


def list_contents(archive: Archive, study: int) -> StudyContents:
    """Return what a study holds, with each segmentation told to which CT it belongs."""
    rows = archive.series_of_study(study)
    return StudyContents(
        study=study, series=rows, drawn_on=_find_drawn_on(archive, rows), results=list_results(archive, study)
    )


def _find_drawn_on(archive: Archive, rows: Sequence[SeriesRow]) -> dict[int, int]:
    scans = [row for row in rows if row.modality == "CT"]
    found: dict[int, int] = {}
    for drawing in (row for row in rows if row.modality == "SEG"):
        frame = drawing.frame_of_reference_uid
        fitting = [scan for scan in scans if frame and scan.frame_of_reference_uid == frame]
        if len(fitting) != 1:
            named = _read_referenced(archive, drawing.id)
            fitting = [scan for scan in fitting or scans if scan.series_uid in named]
        if fitting:
            found[drawing.id] = max(fitting, key=lambda scan: scan.instance_count).id
    return found


def _read_referenced(archive: Archive, series_id: int) -> tuple[str, ...]:
    """Return the series that a segmentation names (ReferencedSeriesSequence, PS3.3 C.12.1.1.11)."""
    from star_core.dicom.header import read_series_facts
    from star_core.dicom.scan import BrokenDicomError

    try:
        return read_series_facts(archive.paths_of_series(series_id)[0]).referenced_series_uids
    except (BrokenDicomError, StorageError, OSError, IndexError):
        return ()


def find_scan(archive: Archive, study: int) -> int:
    """Return the CT series of a study that has most images.

    Raises
    ------
    StorageError
        When the study has no CT.
    """
    scans = [row for row in archive.series_of_study(study) if row.modality == "CT"]
    if not scans:
        raise StorageError("This study has no CT to open.", remedy="Choose a study with a CT.")
    return max(scans, key=lambda row: row.instance_count).id


def find_segmentations(archive: Archive, series_id: int) -> tuple[int, ...]:
    """Return the segmentations that may belong to a CT: of its patient, in its study or its frame of reference."""
    own = select(studies.c.patient, series.c.study, series.c.frame_of_reference_uid)
    with reading(archive.engine) as connection:
        scan = connection.execute(own.join(studies).where(series.c.id == series_id)).one_or_none()
        if scan is None:
            return ()
        frame = scan.frame_of_reference_uid
        same_frame = and_(series.c.frame_of_reference_uid == frame, series.c.frame_of_reference_uid != "")
        query = (
            select(series.c.id)
            .join(studies)
            .where(studies.c.patient == scan.patient, series.c.modality == "SEG", series.c.instance_count > 0)
            .where(or_(series.c.study == scan.study, same_frame))
        )
        return tuple(connection.execute(query.order_by(series.c.id)).scalars())


def find_study(archive: Archive, series_id: int) -> tuple[int, str]:
    """Return the study of a series, and the series' UID.

    Raises
    ------
    StorageError
        When there is no such series.
    """
    with reading(archive.engine) as connection:
        query = select(series.c.study, series.c.series_uid).where(series.c.id == series_id)
        row = connection.execute(query).one_or_none()
    if row is None:
        raise StorageError("This series is no longer in the archive.", remedy="Import it again.")
    return int(row.study), str(row.series_uid)


def list_unfinished(archive: Archive) -> tuple[UnfinishedImport, ...]:
    """Return the imports that were killed or cancelled and can go on, oldest first."""
    done = select(func.count()).where(import_files.c["import"] == imports.c.id).scalar_subquery()
    query = select(imports.c.id, imports.c.started_utc, imports.c.sources, done.label("done"))
    with reading(archive.engine) as connection:
        rows = connection.execute(query.where(imports.c.finished_utc.is_(None)).order_by(imports.c.id)).all()
    return tuple(
        UnfinishedImport(
            number=row.id,
            started_utc=row.started_utc,
            names=tuple(Path(source).name for source in json.loads(row.sources)),
            files_done=row.done,
        )
        for row in rows
    )


def count_deleted(archive: Archive) -> Bin:
    """Return how much a purge would remove; linked files stay and are not counted."""
    gone = instances.c.deletion.is_not(None)
    copied = func.count().filter(instances.c.linked.is_(False))
    size = func.coalesce(func.sum(instances.c.size_bytes).filter(instances.c.linked.is_(False)), 0)
    with reading(archive.engine) as connection:
        query = select(func.count(series.c.study.distinct()), copied, size).join(series).where(gone)
        row = connection.execute(query.select_from(instances)).one()
    return Bin(studies=int(row[0]), files=int(row[1]), size_bytes=int(row[2]))
