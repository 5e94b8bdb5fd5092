"""The archive's folder: another one, or the same archive moved to another disk without losing a byte."""

from __future__ import annotations

import filecmp
import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from star_core.archive.archive import FILES_FOLDER, INCOMING_FOLDER, Archive
from star_core.archive.database import DATABASE_FILE, writing
from star_core.archive.results import RESULTS_FOLDER
from star_core.archive.thumbnails import THUMBNAILS_FOLDER
from star_core.errors import StorageError
from star_core.storage import new_folder, remember_archive_folder, storage_error
from star_core.types import ProgressCallback, ignore_progress

SPARE_BYTES = 64 << 20
_MOVED_FOLDERS = (FILES_FOLDER, RESULTS_FOLDER)
_OWN_FOLDERS = (*_MOVED_FOLDERS, INCOMING_FOLDER, THUMBNAILS_FOLDER)


def use_archive(folder: Path) -> None:
    """Make an archive, or an empty folder, the one that every program of this user opens.

    Raises
    ------
    StorageError
        When the folder holds something else, an archive of a newer version, or cannot be written.
    """
    try:
        taken = folder.exists() and not (folder / DATABASE_FILE).is_file() and any(folder.iterdir())
    except OSError as error:
        raise storage_error(folder, error) from error
    if taken:
        raise StorageError(
            f"Folder {folder.name!r} holds other files and no archive.", remedy="Choose an archive or an empty folder."
        )
    Archive(folder).close()
    remember_archive_folder(folder)


def move_archive(source: Path, target: Path, progress: ProgressCallback = ignore_progress) -> None:
    """Move an archive: copy everything, compare it byte for byte, switch to it, and only then remove the old one.

    Nobody can import or delete meanwhile. Linked files stay where they are; small pictures are drawn again.

    Parameters
    ----------
    source
        The archive's folder.
    target
        A new or empty folder.
    progress
        Called with files copied and their total; raises CancelledError to stop: the old archive stays as it was.

    Raises
    ------
    StorageError
        When the target is not empty, has not enough space or cannot be written, or another program imports.
    """
    source, target = source.absolute(), target.absolute()
    if target.is_relative_to(source) or source.is_relative_to(target):
        raise StorageError("An archive cannot be moved into itself.", remedy="Choose a folder outside of it.")
    with Archive(source) as archive, writing(archive.engine):  # holds the one lock that every writer needs
        files = _list_files(source)
        with new_folder(target) as partial:
            _require_space(partial, files)
            _copy_database(source / DATABASE_FILE, partial / DATABASE_FILE)
            for done, path in enumerate(files):
                progress(done, len(files))
                _copy_and_compare(path, partial / path.relative_to(source))
            progress(len(files), len(files))
        remember_archive_folder(target)
    _remove(source)


def _list_files(source: Path) -> list[Path]:
    return [
        Path(parent, name)
        for folder in _MOVED_FOLDERS
        for parent, _, names in os.walk(source / folder)
        for name in sorted(names)
    ]


def _require_space(target: Path, files: Sequence[Path]) -> None:
    needed = sum(path.stat().st_size for path in files)
    free = shutil.disk_usage(target).free
    if needed + SPARE_BYTES > free:
        raise StorageError(
            f"The new disk has {free / 1e9:.1f} GB free; the archive needs {needed / 1e9:.1f} GB and some more.",
            remedy="Choose another disk, or free space on it.",
        )


def _copy_database(source: Path, target: Path) -> None:
    """Copy through SQLite itself: what is still in the write-ahead log comes along."""
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)
        (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        raise StorageError("The archive's database is damaged and was not moved.", details=str(verdict))


def _copy_and_compare(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    with target.open("rb") as copy:
        os.fsync(copy.fileno())
    if not filecmp.cmp(source, target, shallow=False):
        raise StorageError(
            "A copied file differs from the original; nothing was moved.", remedy="Check the new disk, and try again."
        )


def _remove(source: Path) -> None:
    """Remove what is the archive's own; anything else in its folder stays, and the folder with it."""
    for name in _OWN_FOLDERS:
        shutil.rmtree(source / name, ignore_errors=True)
    with suppress(OSError):  # another program may hold the old database open; nothing reads it any more
        for path in source.glob(f"{DATABASE_FILE}*"):
            path.unlink(missing_ok=True)
        if not any(source.iterdir()):
            source.rmdir()
