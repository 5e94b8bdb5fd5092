"""Checks of what is typed into the de-identification dialog: each returns what is wrong, empty where nothing is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from star_core.dicom.deidentify.keys import read_key, read_mapping
from star_core.errors import StarError

LARGEST_TABLE_BYTES = 16_000_000


def to_path(text: str) -> Path:
    """Return the path that was typed; ``~`` is the user's home."""
    path = Path(text.strip())
    try:
        return path.expanduser()
    except RuntimeError:  # there is no such user
        return path


def check_destination(text: str, *, archive: Path, originals: Iterable[Path] = ()) -> str:
    """Check the folder of the copy: new or empty, writable, outside of the archive and of what is copied."""
    path = to_path(text)
    if not text.strip():
        return "Choose a folder for the copy."
    if not path.is_absolute():
        return "Give the whole path, from the root or the drive on."
    if _is_inside(path, archive):
        return "This lies inside the archive. Choose a folder outside of it."
    if any(_is_inside(path, original) for original in originals):
        return "This lies among the originals. Choose a folder outside of what is copied."
    try:
        if path.exists() and not path.is_dir():
            return "This is a file. Choose a folder."
        if path.exists() and any(path.iterdir()):
            return "This folder is not empty. Choose a new or an empty one."
    except OSError as error:
        return f"This folder cannot be looked into ({error.strerror})."
    return _check_writable(path.parent)


def check_table(text: str, destination: Path | None) -> str:
    """Check the table of pseudonyms: a CSV file with the columns patient_id and pseudonym."""
    if not text.strip():
        return "Choose the table, a CSV file."
    path = to_path(text)
    try:
        if path.stat().st_size > LARGEST_TABLE_BYTES:
            return "This file is too large for a table of pseudonyms."
        read_mapping(path)
    except OSError as error:
        return f"This file cannot be read ({error.strerror})."
    except StarError as error:
        return f"{error.message} {error.remedy}".strip()
    return ""


def check_key(text: str, destination: Path | None) -> str:
    """Check the key file: that of an earlier run, or a new one outside of the copy."""
    if not text.strip():
        return "Choose the key file of an earlier copy, or a name for a new one."
    path = to_path(text)
    if problem := _check_secret(path, destination):
        return problem
    if not path.exists():
        return _check_writable(path.parent, must_exist=True)
    try:
        read_key(path)
    except StarError as error:
        return f"{error.message} {error.remedy}".strip()
    return ""


def check_who(text: str, destination: Path | None) -> str:
    """Check where it is written who became whom: a new file outside of the copy."""
    if not text.strip():
        return "Choose where to write it, outside of the copy."
    path = to_path(text)
    if problem := _check_secret(path, destination):
        return problem
    if path.exists():
        return "There is such a file already. Choose a new name."
    return _check_writable(path.parent, must_exist=True)


def _check_secret(path: Path, destination: Path | None) -> str:
    if not path.is_absolute():
        return "Give the whole path, from the root or the drive on."
    if destination is not None and _is_inside(path, destination):
        return "This would lie in the copy and tell who the patients are. Keep it somewhere else."
    return ""


def _check_writable(folder: Path, *, must_exist: bool = False) -> str:
    if must_exist and not folder.is_dir():
        return "There is no such folder."
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return f"You may not write into {folder}. Choose another place."
    return ""


def _is_inside(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except OSError:
        return False
