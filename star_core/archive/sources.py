"""Where files to import come from: folders, files, a DICOMDIR's folder, zip archives within limits."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from star_core.errors import StorageError

MOST_ZIP_ENTRIES = 200_000
LARGEST_ENTRY_BYTES = 4 << 30
LARGEST_RATIO = 500
_RATIO_FLOOR_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A file that may be DICOM. ``label`` is how reports call it, ``fingerprint`` tells when it has changed.

    ``path`` is absolute, and ``place`` the same without symbolic links. ``zip_entry`` is its place in the zip archive
    ``path``, if it lies in one.
    """

    path: Path
    label: str
    size_bytes: int
    fingerprint: str
    place: str = ""
    zip_entry: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """Something that cannot even be tried, and why."""

    label: str
    reason: str


def list_candidates(sources: Sequence[Path]) -> tuple[list[Candidate], list[Unusable]]:
    """Return every file below the sources, in a fixed order.

    A DICOMDIR stands for its folder: which files there are is asked of the folder, never of names in a header.
    Links to folders are not followed.

    Raises
    ------
    StorageError
        When a source does not exist or may not be read.
    """
    candidates: list[Candidate] = []
    unusable: list[Unusable] = []
    for source in sources:
        if not source.exists():
            raise StorageError(
                f"There is no file or folder {source.name!r}.",
                remedy="Choose a folder, a DICOM file, a DICOMDIR or a zip archive.",
            )
        is_index = source.is_file() and source.name.upper() == "DICOMDIR"
        root = (source.parent if is_index else source).absolute()
        cut, real_root = len(os.fspath(root)) - len(root.name), os.path.realpath(root)
        for path, status, is_link in _walk(root):
            place = os.path.realpath(path) if is_link else real_root + path[len(os.fspath(root)) :]
            try:
                if isinstance(status, OSError):
                    raise status
                _add(path, place, path[cut:], status, candidates, unusable)
            except OSError as error:
                unusable.append(Unusable(label=path[cut:], reason=f"it cannot be read ({error.strerror})"))
    return candidates, unusable


def _walk(root: Path) -> Iterator[tuple[str, os.stat_result | OSError, bool]]:
    """Yield every file below a folder, or the file itself, in order, with what the system says of it."""
    if not root.is_dir():
        yield os.fspath(root), _status(root), root.is_symlink()
        return
    folders = [os.fspath(root)]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if folder == os.fspath(root):
                raise StorageError(
                    f"Folder {root.name!r} cannot be read ({error.strerror}).", remedy="Check that you may open it."
                ) from error
            continue
        below = []
        for entry in entries:
            if entry.is_dir():
                below += [] if entry.is_symlink() else [entry.path]
            elif not entry.name.startswith("._"):
                yield entry.path, _status(entry), entry.is_symlink()
        folders += reversed(below)


def _status(entry: Path | os.DirEntry[str]) -> os.stat_result | OSError:
    try:
        return entry.stat()
    except OSError as error:
        return error


def _add(
    path: str, place: str, label: str, status: os.stat_result, candidates: list[Candidate], unusable: list[Unusable]
) -> None:
    if not stat.S_ISREG(status.st_mode):
        return  # sockets, pipes and devices could be waited for without end
    mark = f"{status.st_size}-{status.st_mtime_ns}"
    if path.lower().endswith(".zip"):
        _add_zip(Path(path), label, mark, candidates, unusable)
    else:
        candidates.append(
            Candidate(path=Path(path), label=label, size_bytes=status.st_size, fingerprint=mark, place=place)
        )


def _add_zip(path: Path, label: str, mark: str, candidates: list[Candidate], unusable: list[Unusable]) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, zlib.error) as error:
        unusable.append(Unusable(label=label, reason=f"the zip archive is damaged ({type(error).__name__})"))
        return
    if len(entries) > MOST_ZIP_ENTRIES:
        unusable.append(Unusable(label=label, reason=f"it holds more than {MOST_ZIP_ENTRIES} entries"))
        return
    for number, entry in enumerate(entries):
        if entry.is_dir():
            continue
        inside = f"{label}, entry {number + 1}"
        if reason := _refuse(entry):
            unusable.append(Unusable(label=inside, reason=reason))
        else:
            candidates.append(
                Candidate(path=path, label=inside, size_bytes=entry.file_size, fingerprint=mark, zip_entry=number)
            )


def _refuse(entry: zipfile.ZipInfo) -> str:
    if entry.flag_bits & 1:
        return "it is encrypted: unpack it first"
    if entry.file_size > LARGEST_ENTRY_BYTES:
        return f"it says that it is larger than {LARGEST_ENTRY_BYTES >> 30} GB"
    if entry.file_size > max(_RATIO_FLOOR_BYTES, LARGEST_RATIO * entry.compress_size):
        return f"it unpacks to more than {LARGEST_RATIO} times its size"
    return ""


def unpack_entry(candidate: Candidate, target: Path) -> None:
    """Unpack one entry of a zip archive to ``target``; the names in the archive are never used.

    Raises
    ------
    StorageError
        When the entry is damaged, or larger than it says.
    """
    assert candidate.zip_entry is not None
    try:
        with zipfile.ZipFile(candidate.path) as archive:
            entry = archive.infolist()[candidate.zip_entry]
            with archive.open(entry) as packed, target.open("wb") as file:
                left = entry.file_size
                while chunk := packed.read(min(_CHUNK_BYTES, left + 1)):
                    left -= len(chunk)
                    if left < 0:
                        raise StorageError("it is larger than the archive says")
                    file.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, IndexError, ValueError) as error:
        raise StorageError(f"it is damaged in the zip archive ({type(error).__name__})") from error
