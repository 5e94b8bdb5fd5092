"""Tables of the archive, and the engine that several programs may open at once (SQLite, write-ahead log)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
)
from sqlalchemy.exc import DatabaseError, OperationalError

from star_core.archive.migrations import SCHEMA_VERSION, migrate
from star_core.errors import StorageError

DATABASE_FILE = "archive.sqlite"
BUSY_TIMEOUT_S = 30.0

metadata = MetaData()
patients = Table(
    "patients",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("patient_key", String, nullable=False, unique=True),
    Column("patient_id", String, nullable=False),
    Column("issuer", String, nullable=False),
    Column("name", String, nullable=False),
    Column("birth_date", String, nullable=False),
    Column("sex", String, nullable=False),
)
studies = Table(
    "studies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("patient", ForeignKey("patients.id"), nullable=False),
    Column("study_uid", String, nullable=False),
    Column("date", String, nullable=False),
    Column("time", String, nullable=False),
    Column("description", String, nullable=False),
    Column("accession", String, nullable=False),
    Column("search", String, nullable=False),
    Column("modalities", String, nullable=False),
    Column("instance_count", Integer, nullable=False),
    Column("imported_utc", String, nullable=False),
    Column("opened_utc", String),
    UniqueConstraint("patient", "study_uid"),
)
series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study", ForeignKey("studies.id"), nullable=False),
    Column("series_uid", String, nullable=False),
    Column("modality", String, nullable=False),
    Column("number", Integer),
    Column("description", String, nullable=False),
    Column("body_part", String, nullable=False),
    Column("frame_of_reference_uid", String, nullable=False),
    Column("instance_count", Integer, nullable=False),
    UniqueConstraint("study", "series_uid"),
)
instances = Table(
    "instances",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("series", ForeignKey("series.id"), nullable=False),
    Column("sop_uid", String, nullable=False, unique=True),
    Column("sop_class_uid", String, nullable=False),
    Column("number", Integer),
    Column("frames", Integer, nullable=False),
    Column("path", String, nullable=False),
    Column("linked", Boolean, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("deletion", ForeignKey("deletions.id")),
)
deletions = Table(
    "deletions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("deleted_utc", String, nullable=False),
)
imports = Table(
    "imports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("started_utc", String, nullable=False),
    Column("finished_utc", String),
    Column("linked", Boolean, nullable=False),
    Column("sources", String, nullable=False),
)
import_files = Table(
    "import_files",
    metadata,
    Column("import", ForeignKey("imports.id"), primary_key=True),
    Column("path", String, primary_key=True),
    Column("label", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("reason", String, nullable=False),
)
results = Table(
    "results",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("series", ForeignKey("series.id"), nullable=False),
    Column("kind", String, nullable=False),
    Column("model_name", String, nullable=False),
    Column("model_id", String, nullable=False),
    Column("inputs", String, nullable=False),
    Column("created_utc", String, nullable=False),
    Column("summary", String, nullable=False),
    Column("payload", String, nullable=False),
    UniqueConstraint("series", "kind", "inputs"),
)


def open_database(folder: Path) -> Engine:
    """Open the database of an archive, new or of an earlier version, and bring it to this version.

    Raises
    ------
    StorageError
        When it is of a newer version, damaged, or cannot be written.
    """
    path = folder / DATABASE_FILE
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin_writing)
    try:
        with engine.begin() as connection:
            version = migrate(connection)
    except DatabaseError as error:
        engine.dispose()
        raise database_error(error) from error
    if version > SCHEMA_VERSION:
        engine.dispose()
        raise StorageError(
            f"The archive in {folder.name!r} was written by a newer version of this program (format {version}, "
            f"expected at most {SCHEMA_VERSION}).",
            remedy="Update the program, or choose another folder for the archive.",
        )
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees one moment of the archive and blocks nobody."""
    with engine.connect().execution_options(reads_only=True) as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection whose changes are seen together or not at all.

    Raises
    ------
    StorageError
        When another program holds the archive for too long, or the disk is full.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except DatabaseError as error:
        raise database_error(error) from error


# Plain SQL here and in `refresh_counts`: each runs for every series or file of an import, and building these statements
# anew would cost more than running them.


def insert_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Add many rows, or put them in the place of those with the same key."""
    places = ", ".join("?" * len(columns))
    statement = f"INSERT OR REPLACE INTO {table.name} ({_names(columns)}) VALUES ({places})"
    connection.exec_driver_sql(statement, list(rows))


def insert_row(connection: Connection, table: Table, **values: Any) -> int:
    """Insert one row and return its number."""
    names, places = _names(values), ", ".join("?" * len(values))
    statement = f"INSERT INTO {table.name} ({names}) VALUES ({places}) RETURNING id"
    return int(connection.exec_driver_sql(statement, tuple(values.values())).scalar_one())


def find_row(connection: Connection, table: Table, **values: Any) -> int | None:
    """Return the number of the row with these values, if there is one."""
    condition = " AND ".join(f'"{name}" = ?' for name in values)
    statement = f"SELECT id FROM {table.name} WHERE {condition}"
    found: int | None = connection.exec_driver_sql(statement, tuple(values.values())).scalar_one_or_none()
    return found


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def database_error(error: DatabaseError) -> StorageError:
    """Return what the database's own error means to a user."""
    text = str(error.orig)
    if isinstance(error, OperationalError) and "locked" in text:
        return StorageError(
            "Another program holds the archive.", remedy="Wait until its import has ended, and try again.", details=text
        )
    if "full" in text or "I/O" in text:
        return StorageError("The archive's disk is full.", remedy="Free space on it, and try again.", details=text)
    return StorageError(
        "The archive cannot be used: its database is damaged or cannot be written.",
        remedy="Check the folder's rights and disk, or choose another folder for the archive.",
        details=text,
    )


def _set_up(connection: Any, record: object) -> None:
    connection.isolation_level = None  # transactions begin where this module says so, not where sqlite3 guesses
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_writing(connection: Connection) -> None:
    reads_only = connection.get_execution_options().get("reads_only", False)
    # A writer takes its lock at once: a lock taken later, after reading, cannot wait for another writer.
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
