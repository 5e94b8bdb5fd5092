"""The secret key, pseudonyms given by a person, and the table of who became whom: the three files that tell names."""

from __future__ import annotations

import csv
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from star_core.errors import StorageError
from star_core.storage import new_file, storage_error

KEY_BYTES = 32
LONGEST_PSEUDONYM = 64
_COLUMNS = ("patient_id", "pseudonym")
_OWNER_ONLY = 0o600


def load_key(path: Path | None) -> bytes:
    """Return the secret key of a file, which is made where there is none; without a file a key for this run.

    Raises
    ------
    StorageError
        When the file cannot be read or written, or holds no key.
    """
    if path is None:
        return secrets.token_bytes(KEY_BYTES)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError:
        return read_key(path)
    except OSError as error:
        raise storage_error(path, error) from error
    key = secrets.token_bytes(KEY_BYTES)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")
    return key


def read_key(path: Path) -> bytes:
    """Return the secret key of a file that is there.

    Raises
    ------
    StorageError
        When the file cannot be read or holds no key.
    """
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise StorageError(
            f"The key file {path.name!r} cannot be read or holds no key.",
            remedy="Choose the key file of an earlier run, or a new name.",
        ) from error
    if len(key) != KEY_BYTES:
        raise StorageError(
            f"The key in {path.name!r} has {len(key)} bytes instead of {KEY_BYTES}.",
            remedy="Choose the key file of an earlier run, or a new name.",
        )
    return key


def read_mapping(path: Path) -> dict[str, str]:
    """Return pseudonyms by patient identifier, from a CSV file in UTF-8 with the columns patient_id and pseudonym.

    Raises
    ------
    StorageError
        When the file cannot be read, lacks a column, names a patient twice, or a pseudonym is none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns, rows = reader.fieldnames or (), list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise StorageError(
            f"The table {path.name!r} cannot be read.", remedy="Save it as CSV in UTF-8 with a header line."
        ) from error
    if not set(_COLUMNS) <= set(columns):
        raise StorageError(
            f"The table {path.name!r} lacks the columns patient_id and pseudonym.",
            remedy="Name the columns so in its first line, separated by commas.",
        )
    found: dict[str, str] = {}
    for line, row in enumerate(rows, start=2):
        patient = " ".join((row["patient_id"] or "").split())
        pseudonym = (row["pseudonym"] or "").strip()
        if not patient or patient in found:
            raise StorageError(
                f"Line {line} of {path.name!r} names no patient, or one that was named before.",
                remedy="Give each patient one line.",
            )
        if not pseudonym or len(pseudonym) > LONGEST_PSEUDONYM or not pseudonym.isprintable() or "\\" in pseudonym:
            raise StorageError(
                f"Line {line} of {path.name!r}: the pseudonym is empty, longer than {LONGEST_PSEUDONYM} characters or "
                "holds a backslash.",
                remedy="Choose another pseudonym.",
            )
        found[patient] = pseudonym
    return found


def write_mapping(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write who became whom (patient_id, patient_name, pseudonym), readable by its owner only.

    Raises
    ------
    StorageError
        When the file cannot be written.
    """
    with new_file(path) as partial:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ("patient_id", "patient_name", "pseudonym"))
            writer.writeheader()
            writer.writerows(rows)
