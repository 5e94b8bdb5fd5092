"""From one version of the archive's database to the next; what was once released is never edited."""

from __future__ import annotations

from sqlalchemy import Connection

_VERSION_1 = (
    """CREATE TABLE patients (id INTEGER PRIMARY KEY, patient_key VARCHAR NOT NULL UNIQUE, patient_id VARCHAR NOT NULL,
       issuer VARCHAR NOT NULL, name VARCHAR NOT NULL, birth_date VARCHAR NOT NULL, sex VARCHAR NOT NULL)""",
    """CREATE TABLE studies (id INTEGER PRIMARY KEY, patient INTEGER NOT NULL REFERENCES patients (id),
       study_uid VARCHAR NOT NULL, date VARCHAR NOT NULL, time VARCHAR NOT NULL, description VARCHAR NOT NULL,
       accession VARCHAR NOT NULL, search VARCHAR NOT NULL, modalities VARCHAR NOT NULL,
       instance_count INTEGER NOT NULL, imported_utc VARCHAR NOT NULL, opened_utc VARCHAR,
       UNIQUE (patient, study_uid))""",
    "CREATE INDEX studies_by_date ON studies (date DESC, id DESC)",
    "CREATE INDEX studies_by_opening ON studies (opened_utc DESC)",
    """CREATE TABLE series (id INTEGER PRIMARY KEY, study INTEGER NOT NULL REFERENCES studies (id),
       series_uid VARCHAR NOT NULL, modality VARCHAR NOT NULL, number INTEGER, description VARCHAR NOT NULL,
       body_part VARCHAR NOT NULL, frame_of_reference_uid VARCHAR NOT NULL, instance_count INTEGER NOT NULL,
       UNIQUE (study, series_uid))""",
    "CREATE INDEX series_by_uid ON series (series_uid)",
    "CREATE TABLE deletions (id INTEGER PRIMARY KEY, deleted_utc VARCHAR NOT NULL)",
    """CREATE TABLE instances (id INTEGER PRIMARY KEY, series INTEGER NOT NULL REFERENCES series (id),
       sop_uid VARCHAR NOT NULL UNIQUE, sop_class_uid VARCHAR NOT NULL, number INTEGER, frames INTEGER NOT NULL,
       path VARCHAR NOT NULL, linked BOOLEAN NOT NULL, size_bytes INTEGER NOT NULL,
       deletion INTEGER REFERENCES deletions (id))""",
    "CREATE INDEX instances_by_series ON instances (series, number)",
    "CREATE INDEX instances_by_deletion ON instances (deletion) WHERE deletion IS NOT NULL",
    """CREATE TABLE imports (id INTEGER PRIMARY KEY, started_utc VARCHAR NOT NULL, finished_utc VARCHAR,
       linked BOOLEAN NOT NULL, sources VARCHAR NOT NULL)""",
    """CREATE TABLE import_files (import INTEGER NOT NULL REFERENCES imports (id), path VARCHAR NOT NULL,
       label VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL, outcome VARCHAR NOT NULL, reason VARCHAR NOT NULL,
       PRIMARY KEY (import, path)) WITHOUT ROWID""",
)
_RESULTS = (
    """CREATE TABLE results (id INTEGER PRIMARY KEY, series INTEGER NOT NULL REFERENCES series (id),
       kind VARCHAR NOT NULL, model_name VARCHAR NOT NULL, model_id VARCHAR NOT NULL, inputs VARCHAR NOT NULL,
       created_utc VARCHAR NOT NULL, summary VARCHAR NOT NULL, payload VARCHAR NOT NULL,
       UNIQUE (series, kind, inputs))""",
)
_MIGRATIONS = (_VERSION_1, _RESULTS)
SCHEMA_VERSION = len(_MIGRATIONS)


def migrate(connection: Connection) -> int:
    """Bring a database to this version, in the caller's transaction; return the version that it has.

    One of a newer version is left as it is.
    """
    version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    for number, statements in enumerate(_MIGRATIONS[version:], start=version + 1):
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql(f"PRAGMA user_version = {number}")
        version = number
    return version
