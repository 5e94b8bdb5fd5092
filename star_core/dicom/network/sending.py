"""Sending files: what they are, and C-STORE of each as it is (PS3.4 B)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID
from pynetdicom.presentation import PresentationContext, build_context

from star_core.dicom.network.association import MOST_CONTEXTS, Client
from star_core.dicom.network.intake import is_uid
from star_core.dicom.network.servers import Server
from star_core.dicom.network.syntaxes import UNCOMPRESSED
from star_core.dicom.scan import (
    MEDIA_SOP_CLASS,
    MEDIA_SOP_INSTANCE,
    WITHOUT_SERIES,
    BrokenDicomError,
    NotDicomError,
    read_raw_header,
)
from star_core.types import ProgressCallback, ignore_progress

MOST_FAILURES = 1000
_Kind = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A file that can be sent."""

    path: Path
    sop_class_uid: str
    sop_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsentFile:
    """A file that was not sent; ``number`` is its place in what was given, from 1."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingReport:
    """What became of files that were sent."""

    sent: int
    failed: tuple[UnsentFile, ...] = ()


def read_outgoing(paths: Sequence[Path]) -> tuple[list[tuple[int, Outgoing]], list[UnsentFile]]:
    """Read what files are; those that cannot be sent come back with the reason."""
    found: list[tuple[int, Outgoing]] = []
    failed: list[UnsentFile] = []
    for number, path in enumerate(paths, start=1):
        try:
            found.append((number, _read_one(path)))
        except NotDicomError:
            failed.append(UnsentFile(number=number, reason="it is not DICOM, or has no file meta information"))
        except BrokenDicomError as error:
            failed.append(UnsentFile(number=number, reason=str(error)))
    return found, failed


def _read_one(path: Path) -> Outgoing:
    header = read_raw_header(path, frozenset())
    sop_class, sop_uid = (
        header.values.get(tag, b"").decode("ascii", "replace").strip(" \0")
        for tag in (MEDIA_SOP_CLASS, MEDIA_SOP_INSTANCE)
    )
    if not all(map(is_uid, (sop_class, sop_uid, header.transfer_syntax_uid))) or sop_class in WITHOUT_SERIES:
        raise NotDicomError
    return Outgoing(path=path, sop_class_uid=sop_class, sop_uid=sop_uid, transfer_syntax_uid=header.transfer_syntax_uid)


def send_files(server: Server, paths: Sequence[Path], *, progress: ProgressCallback = ignore_progress) -> SendingReport:
    """Send files by C-STORE, each in its own transfer syntax.

    A server that takes an uncompressed file in another uncompressed syntax only gets it in that one. Files that it does
    not take are listed and the others go on.

    Raises
    ------
    NetworkError
        When the server cannot be reached, refuses the association, or breaks off.
    CancelledError
        Raised by ``progress``; what was sent is at the server.
    """
    outgoing, failed = read_outgoing(paths)
    sent = 0
    client = Client(server)

    def work() -> None:
        nonlocal sent
        for batch, kinds in split_by_kinds(outgoing):
            contexts = [_build_context(kind) for kind in kinds]
            with client.associated(contexts) as association:
                for number, file in batch:
                    reason = _send_one(client, association.send_c_store, file)
                    if reason:
                        failed.append(UnsentFile(number=number, reason=reason))
                    else:
                        sent += 1

    if outgoing:
        client.run(work, progress=progress, count=lambda: (sent + len(failed), len(paths)))
    ordered = sorted(failed, key=lambda one: one.number)
    return SendingReport(sent=sent, failed=tuple(ordered[:MOST_FAILURES]))


def split_by_kinds(
    outgoing: Sequence[tuple[int, Outgoing]],
) -> Iterator[tuple[list[tuple[int, Outgoing]], tuple[_Kind, ...]]]:
    """Part files so that no part has more pairs of class and syntax than one association has contexts (PS3.8 9.3.2)."""
    kinds = sorted({_kind_of(file) for _, file in outgoing})
    for start in range(0, len(kinds), MOST_CONTEXTS):
        chosen = tuple(kinds[start : start + MOST_CONTEXTS])
        yield [one for one in outgoing if _kind_of(one[1]) in chosen], chosen


def _kind_of(file: Outgoing) -> _Kind:
    return file.sop_class_uid, file.transfer_syntax_uid


def _build_context(kind: _Kind) -> PresentationContext:
    sop_class, syntax = kind
    if syntax not in UNCOMPRESSED:
        return build_context(sop_class, [syntax])
    return build_context(sop_class, [syntax, *(other for other in UNCOMPRESSED[:2] if other != syntax)])


def _send_one(client: Client, store: Callable[..., pydicom.Dataset], file: Outgoing) -> str:
    """Send a file and return why it was not taken, if it was not."""
    try:
        try:
            status = store(file.path)
        except ValueError:
            if file.transfer_syntax_uid not in UNCOMPRESSED:
                raise
            status = store(pydicom.dcmread(file.path))
    except ValueError:
        return f"the server takes no {UID(file.transfer_syntax_uid).name} of this kind of object"
    except (OSError, AttributeError, InvalidDicomError, struct.error, KeyError, TypeError) as error:
        return f"it cannot be read ({type(error).__name__})"
    if "Status" not in status:
        raise client.broken()
    code = int(status.Status)
    if code == 0 or code & 0xF000 == 0xB000:  # a warning: it is stored (PS3.4 B.2.3)
        return ""
    return f"the server refused it (status 0x{code:04X})"
