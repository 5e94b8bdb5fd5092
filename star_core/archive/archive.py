"""What is in the archive: search, series and files, deletion that can be undone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Row, Select, and_, delete, func, select, update

from star_core.archive.database import (
    deletions,
    import_files,
    imports,
    insert_row,
    instances,
    open_database,
    patients,
    reading,
    series,
    studies,
    writing,
)
from star_core.archive.results import delete_results_without_scan
from star_core.archive.rows import Purge, SeriesRow, StudyFilter, StudyRow
from star_core.archive.thumbnails import thumbnail_file
from star_core.dicom.names import fold, to_display_name
from star_core.errors import StorageError
from star_core.storage import storage_error

FILES_FOLDER, INCOMING_FOLDER = "files", "incoming"
MOST_ROWS = 200


class Archive:
    """A folder of studies with its database; several programs may have it open.

    Copied files lie below ``files`` under names made from hashes; nothing of a header is ever part of a path.
    """

    def __init__(self, folder: Path) -> None:
        """Open an archive, or make a new one.

        Raises
        ------
        StorageError
            When the folder cannot be written, or its database is damaged or of a newer version.
        """
        self.folder = folder
        try:
            for name in (FILES_FOLDER, INCOMING_FOLDER):
                (folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(folder, error) from error
        self.engine = open_database(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    # ----------------------------------------------------------------------- looking

    def find_studies(
        self, wanted: StudyFilter | None = None, *, limit: int = MOST_ROWS, offset: int = 0
    ) -> tuple[StudyRow, ...]:
        """Return the studies that fit, newest first."""
        query = _filtered(wanted or StudyFilter()).order_by(studies.c.date.desc(), studies.c.id.desc())
        with reading(self.engine) as connection:
            return tuple(_to_study(row) for row in connection.execute(query.limit(limit).offset(offset)))

    def recent_studies(self, limit: int = 20) -> tuple[StudyRow, ...]:
        """Return the studies that were opened last."""
        query = _filtered(StudyFilter()).where(studies.c.opened_utc.is_not(None))
        with reading(self.engine) as connection:
            rows = connection.execute(query.order_by(studies.c.opened_utc.desc()).limit(limit))
            return tuple(_to_study(row) for row in rows)

    def studies_of_patient(self, patient: int) -> tuple[StudyRow, ...]:
        """Return a patient's studies by date, oldest first."""
        query = _filtered(StudyFilter()).where(studies.c.patient == patient)
        with reading(self.engine) as connection:
            rows = connection.execute(query.order_by(studies.c.date, studies.c.time, studies.c.id))
            return tuple(_to_study(row) for row in rows)

    def studies_by_uid(self, study_uids: Collection[str]) -> tuple[StudyRow, ...]:
        """Return those of some studies, by their Study Instance UIDs, that are here."""
        query = _filtered(StudyFilter()).where(studies.c.study_uid.in_(study_uids))
        with reading(self.engine) as connection:
            return tuple(_to_study(row) for row in connection.execute(query.order_by(studies.c.id)))

    def series_of_study(self, study: int) -> tuple[SeriesRow, ...]:
        """Return a study's series in the order of their numbers."""
        columns = [series.c[name] for name in SeriesRow.__dataclass_fields__]
        query = select(*columns).where(series.c.study == study, series.c.instance_count > 0)
        with reading(self.engine) as connection:
            rows = connection.execute(query.order_by(series.c.number, series.c.series_uid))
            return tuple(SeriesRow(**row._mapping) for row in rows)

    def paths_of_series(self, series_id: int) -> tuple[Path, ...]:
        """Return a series' files in the order of their instance numbers.

        Raises
        ------
        StorageError
            When a file is gone: the folder of a link was moved, or somebody deleted it.
        """
        query = select(instances.c.path).where(instances.c.series == series_id, instances.c.deletion.is_(None))
        with reading(self.engine) as connection:
            rows = connection.execute(query.order_by(instances.c.number, instances.c.sop_uid)).scalars()
            paths = tuple(self.folder / path for path in rows)  # an absolute path, of a link, stays as it is
        missing = sum(not path.is_file() for path in paths)
        if missing:
            raise StorageError(
                f"{missing} of {len(paths)} files of this series are gone from where they were imported.",
                remedy="Bring their folder or drive back, or import the series again.",
            )
        return paths

    def known_instances(self, study_uid: str) -> frozenset[str]:
        """Return the SOP Instance UIDs that the archive has of a study, by its Study Instance UID."""
        query = (
            select(instances.c.sop_uid)
            .join(series, series.c.id == instances.c.series)
            .join(studies, studies.c.id == series.c.study)
            .where(studies.c.study_uid == study_uid, instances.c.deletion.is_(None))
        )
        with reading(self.engine) as connection:
            return frozenset(connection.execute(query).scalars())

    def mark_opened(self, study: int) -> None:
        """Remember that a study was opened now."""
        with writing(self.engine) as connection:
            connection.execute(update(studies).where(studies.c.id == study).values(opened_utc=now_utc()))

    def count_studies(self) -> int:
        """Return how many studies there are."""
        with reading(self.engine) as connection:
            count = connection.execute(select(func.count()).where(studies.c.instance_count > 0)).scalar_one()
            return int(count)

    # ----------------------------------------------------------------------- deleting

    def delete_studies(self, chosen: Sequence[int]) -> int:
        """Take studies out of sight and return the number of the deletion; their files stay until it is purged."""
        with writing(self.engine) as connection:
            affected = _series_of(connection, chosen)
            number = insert_row(connection, deletions, deleted_utc=now_utc())
            gone = and_(instances.c.series.in_(affected), instances.c.deletion.is_(None))
            connection.execute(update(instances).where(gone).values(deletion=number))
            refresh_counts(connection, affected)
        return number

    def undo_deletion(self, number: int | None = None) -> int:
        """Bring back what a deletion took away, the last one if not told; return how many instances came back.

        Raises
        ------
        StorageError
            When there is no such deletion, or it was purged.
        """
        with writing(self.engine) as connection:
            found = number or connection.execute(select(func.max(instances.c.deletion))).scalar_one()
            affected = () if found is None else _series_deleted(connection, found)
            if not affected:
                raise StorageError("There is no deletion to undo.", remedy="Purged files can be imported again.")
            back = connection.execute(update(instances).where(instances.c.deletion == found).values(deletion=None))
            refresh_counts(connection, affected)
            return int(back.rowcount)

    def purge_deletions(self, numbers: Iterable[int] | None = None) -> Purge:
        """Delete for good what deletions took away (all of them if not told).

        What was kept of their scans, small pictures and results, goes with them.
        Rows go first: a file without a row is rubbish that a later purge removes, a row without a file is an error.
        """
        with writing(self.engine) as connection:
            gone = instances.c.deletion.is_not(None)
            if numbers is not None:
                gone = instances.c.deletion.in_(tuple(numbers))
            columns = (instances.c.path, instances.c.linked, instances.c.sop_uid)
            rows = connection.execute(select(*columns).where(gone)).all()
            of_series = select(series.c.id, series.c.series_uid).join(instances, instances.c.series == series.c.id)
            touched = connection.execute(of_series.where(gone).distinct()).all()
            connection.execute(delete(instances).where(gone))
            left = set(connection.execute(select(instances.c.series).distinct()).scalars())
            payloads = delete_results_without_scan(connection)
        copied = [self.folder / row.path for row in rows if not row.linked]
        pictures = [thumbnail_file(self.folder, row.sop_uid) for row in rows]
        for path in (*copied, *pictures, *(self.folder / payload for payload in payloads)):
            path.unlink(missing_ok=True)
        return Purge(files=len(copied), series_uids=tuple(row.series_uid for row in touched if row.id not in left))

    # ----------------------------------------------------------------------- imports that did not end

    def unfinished_imports(self) -> tuple[int, ...]:
        """Return imports that were killed or cancelled and can go on."""
        query = select(imports.c.id).where(imports.c.finished_utc.is_(None)).order_by(imports.c.id)
        with reading(self.engine) as connection:
            return tuple(connection.execute(query).scalars())

    def forget_import(self, number: int) -> None:
        """Give up an import that did not end; what it brought in stays."""
        with writing(self.engine) as connection:
            connection.execute(delete(import_files).where(import_files.c["import"] == number))
            connection.execute(delete(imports).where(imports.c.id == number))


def now_utc() -> str:
    """Return the time as the archive writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def refresh_counts(connection: Connection, changed: Iterable[int]) -> None:
    """Count the instances of series anew, and what their studies show of them."""
    numbers = [(number,) for number in changed]
    if not numbers:
        return
    connection.exec_driver_sql(_COUNT_SERIES, numbers)
    touched = {connection.exec_driver_sql("SELECT study FROM series WHERE id = ?", one).scalar_one() for one in numbers}
    for study in touched:
        _refresh_study(connection, study)


_COUNT_SERIES = """UPDATE series SET instance_count = (SELECT count(*) FROM instances WHERE instances.series = series.id
                   AND deletion IS NULL) WHERE id = ?"""
_SERIES_OF_STUDY = """SELECT modality, description, body_part, instance_count FROM series
                      WHERE study = ? AND instance_count > 0"""
_ABOUT_STUDY = """SELECT patients.name, patients.patient_id, studies.description, studies.accession FROM studies
                  JOIN patients ON patients.id = studies.patient WHERE studies.id = ?"""
_TELL_STUDY = "UPDATE studies SET instance_count = ?, modalities = ?, search = ? WHERE id = ?"


def _refresh_study(connection: Connection, study: int) -> None:
    rows = connection.exec_driver_sql(_SERIES_OF_STUDY, (study,)).all()
    about = connection.exec_driver_sql(_ABOUT_STUDY, (study,)).one()
    modalities = sorted({row.modality for row in rows if row.modality})
    found = {text for row in rows for text in (row.description, row.body_part)}
    search = fold(" ".join((*about, *modalities, *sorted(found))))
    count = sum(row.instance_count for row in rows)
    connection.exec_driver_sql(_TELL_STUDY, (count, "\\".join(modalities), search, study))


def _filtered(wanted: StudyFilter) -> Select[Any]:
    query = (
        select(studies, patients.c.name, patients.c.patient_id, patients.c.birth_date, patients.c.sex)
        .join(patients, patients.c.id == studies.c.patient)
        .where(studies.c.instance_count > 0)
    )
    words = fold(wanted.text).split()
    if words:
        # Found in one run over the table, and put in order afterwards: the other way round jumps for every row.
        inner = studies.alias("searched")
        found = select(inner.c.id).where(*(func.instr(inner.c.search, word) > 0 for word in words))
        query = query.where(studies.c.id.in_(found))
    if wanted.modality:
        query = query.where(_has_series(series.c.modality == wanted.modality.upper()))
    if wanted.body_part:
        query = query.where(_has_series(series.c.body_part == wanted.body_part.upper()))
    if wanted.date_from:
        query = query.where(studies.c.date >= wanted.date_from)
    if wanted.date_to:
        query = query.where(studies.c.date <= wanted.date_to, studies.c.date != "")
    return query


def _has_series(condition: Any) -> Any:
    return select(series.c.id).where(series.c.study == studies.c.id, series.c.instance_count > 0, condition).exists()


def _to_study(row: Row[Any]) -> StudyRow:
    return StudyRow(
        id=row.id,
        study_uid=row.study_uid,
        patient=row.patient,
        patient_name=to_display_name(row.name),
        patient_id=row.patient_id,
        birth_date=row.birth_date,
        sex=row.sex,
        date=row.date,
        time=row.time,
        description=row.description,
        accession=row.accession,
        modalities=tuple(filter(None, row.modalities.split("\\"))),
        instance_count=row.instance_count,
    )


def _series_of(connection: Connection, chosen: Sequence[int]) -> tuple[int, ...]:
    return tuple(connection.execute(select(series.c.id).where(series.c.study.in_(tuple(chosen)))).scalars())


def _series_deleted(connection: Connection, deletion: int) -> tuple[int, ...]:
    query = select(instances.c.series).where(instances.c.deletion == deletion).distinct()
    return tuple(connection.execute(query).scalars())
