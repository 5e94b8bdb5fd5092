"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from star_core.errors import StorageError

ARCHIVE_POINTER = "archive.json"
_REMOVALS = 5


def user_folder() -> Path:
    """Return the folder of this user's models, studies and settings; ``STAR_HOME`` overrides it."""
    home = os.environ.get("STAR_HOME")
    if home:
        return Path(home)
    from platformdirs import user_data_path

    return user_data_path("star-viewer", appauthor=False)


def archive_folder() -> Path:
    """Return the folder of this user's archive: where it was moved to, else ``archive`` in the user's folder."""
    home = user_folder()
    try:
        told = json.loads((home / ARCHIVE_POINTER).read_text(encoding="utf-8"))
        return Path(str(told["folder"]))
    except (OSError, ValueError, KeyError, TypeError):
        return home / "archive"


def remember_archive_folder(folder: Path) -> None:
    """Make a folder the one that :func:`archive_folder` returns, for every program of this user.

    Raises
    ------
    StorageError
        When that cannot be written down.
    """
    pointer = user_folder() / ARCHIVE_POINTER
    try:
        pointer.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(pointer, error) from error
    with new_file(pointer) as partial:
        partial.write_text(json.dumps({"folder": os.fspath(folder.absolute())}), encoding="utf-8")


def refuse_filled_folder(target: Path) -> None:
    """Raise a StorageError, before any work, when ``target`` is a file or a folder with something in it."""
    try:
        taken = target.exists() and (not target.is_dir() or any(target.iterdir()))
    except OSError as error:
        raise storage_error(target, error) from error
    if taken:
        raise StorageError(
            f"Folder {target.name!r} already exists and is not empty.", remedy="Choose a new or empty folder."
        )


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a hidden folder to write into and move it to ``target`` at the end; on any error nothing remains.

    Raises
    ------
    StorageError
        When ``target`` exists and is not empty, cannot be written, or the disk is full.
    """
    refuse_filled_folder(target)
    partial = _partial_of(target, os.getpid())
    try:
        partial.mkdir(parents=True)
        yield partial
        if target.exists():
            target.rmdir()
        partial.rename(target)
    except OSError as error:
        raise storage_error(target, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Give a hidden path to write to and move it over ``target`` at the end; on any error ``target`` stays as it was.

    Raises
    ------
    StorageError
        When ``target`` cannot be written or the disk is full.
    """
    partial = _partial_of(target, os.getpid())
    try:
        yield partial
        partial.replace(target)
    except OSError as error:
        raise storage_error(target, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def remove_partial_folder(target: Path, pid: int) -> None:
    """Remove what a process that was killed while it wrote a :func:`new_folder` left beside ``target``."""
    partial = _partial_of(target, pid)
    for _ in range(_REMOVALS):
        # Its own children may add a last file meanwhile.
        shutil.rmtree(partial, ignore_errors=True)
        if not partial.exists():
            return


def _partial_of(target: Path, pid: int) -> Path:
    return target.with_name(f".{target.name}.partial-{pid}")


def storage_error(target: Path, error: OSError) -> StorageError:
    """Return the error for a file or folder that cannot be written, with the system's reason."""
    return StorageError(
        f"{target.name!r} cannot be written: {_reason(error)}.",
        remedy="Choose a folder you may write to, on a disk with free space.",
        details=str(error),
    )


def _reason(error: BaseException) -> str:
    """Return the system's own words, also where a library has wrapped them in longer ones."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error).splitlines()[0] if str(error) else type(error).__name__
