"""Asking a server over DIMSE: does it answer, what does it have (PS3.4 A and C)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pydicom
from pydicom.dataset import Dataset
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from star_core.dicom.network.association import Client, FailedRequestError, is_pending
from star_core.dicom.network.query import INSTANCE_KEYS, SERIES_KEYS, Answer, decode_dimse
from star_core.dicom.network.servers import Server
from star_core.types import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from pynetdicom.association import Association

MOST_ANSWERS_AFTER_CANCEL = 200
MOST_SERIES, MOST_OBJECTS = 2_000, 50_000
_MODEL = str(StudyRootQueryRetrieveInformationModelFind)
_MESSAGE_ID = 1


def echo(server: Server, *, progress: ProgressCallback = ignore_progress) -> None:
    """Ask whether a server answers (C-ECHO).

    Raises
    ------
    NetworkError
        When it does not: unreachable, title unknown, aborted, silent or not DICOM.
    """
    client = Client(server)

    def ask() -> None:
        with client.associated([build_context(Verification)]) as association:
            status = association.send_c_echo(_MESSAGE_ID)
            if "Status" not in status:
                raise client.broken()
            if status.Status != 0:
                raise client.failed("answer", status)

    client.run(ask, progress=progress)


def find(
    server: Server,
    *,
    level: str,
    keys: tuple[str, ...],
    matching: Mapping[str, str],
    limit: int,
    offset: int = 0,
    progress: ProgressCallback = ignore_progress,
) -> tuple[list[Answer], bool]:
    """Query a server (C-FIND, study root).

    DIMSE knows no paging: answers before ``offset`` are passed over, and the query is cancelled when there is one more
    than wanted.

    Returns
    -------
    answers, has_more
        At most ``limit`` answers, and whether the server had more.

    Raises
    ------
    NetworkError
        When the server refuses, breaks off, is silent, or answers what is no answer.
    """
    client = Client(server)
    identifier = build_identifier(level, keys, matching)
    answers: list[Answer] = []

    def ask() -> bool:
        with client.associated([build_context(_MODEL)]) as association:
            return _collect(client, association, (identifier, _MESSAGE_ID), keys, answers, offset + limit)

    has_more = client.run(ask, progress=progress, count=lambda: (len(answers), offset + limit))
    return answers[offset : offset + limit], has_more


def _collect(
    client: Client,
    association: Association,
    request: tuple[Dataset, int],
    keys: tuple[str, ...],
    answers: list[Answer],
    most: int,
) -> bool:
    """Gather answers; after ``most`` the server is asked to stop, and one that does not is cut off."""
    surplus = 0
    identifier, message_id = request
    with client.cancellable(association, message_id, _MODEL):
        for status, found in association.send_c_find(identifier, _MODEL, message_id):
            if "Status" not in status:
                raise client.broken()
            if is_pending(status):
                if len(answers) < most:
                    answers.append(decode_dimse(Dataset() if found is None else found, keys))
                    continue
                if surplus == 0:
                    association.send_c_cancel(message_id, query_model=_MODEL)
                surplus += 1
                if surplus > MOST_ANSWERS_AFTER_CANCEL:
                    association.abort()
                    return True
            elif status.Status not in (0x0000, 0xFE00):
                raise client.failed("answer the query", status)
    return surplus > 0


def list_objects(
    server: Server, study_uid: str, *, progress: ProgressCallback = ignore_progress
) -> list[tuple[Answer, list[Answer]]]:
    """Return the series of a study, each with its objects, asked on one association.

    A series whose objects the server does not list, because it refuses queries at that level, comes without them.

    Raises
    ------
    NetworkError
        As :func:`find`.
    """
    client = Client(server)
    listed: list[tuple[Answer, list[Answer]]] = []

    def ask() -> None:
        with client.associated([build_context(_MODEL)]) as association:
            series: list[Answer] = []
            within = {"StudyInstanceUID": study_uid}
            request = build_identifier("SERIES", SERIES_KEYS, within), _MESSAGE_ID
            _collect(client, association, request, SERIES_KEYS, series, MOST_SERIES)
            for number, answer in enumerate(series, start=_MESSAGE_ID + 1):
                objects: list[Answer] = []
                identifier = build_identifier(
                    "IMAGE", INSTANCE_KEYS, {**within, "SeriesInstanceUID": answer["SeriesInstanceUID"]}
                )
                with contextlib.suppress(FailedRequestError):
                    _collect(client, association, (identifier, number), INSTANCE_KEYS, objects, MOST_OBJECTS)
                listed.append((answer, objects))

    client.run(ask, progress=progress)
    return listed


def build_identifier(level: str, keys: tuple[str, ...], matching: Mapping[str, str]) -> Dataset:
    """Return the identifier of a query: wanted keys are empty, matched ones are not (PS3.4 C.4.1.1.3)."""
    identifier = Dataset()
    with pydicom.config.disable_value_validation():
        identifier.QueryRetrieveLevel = level
        for keyword in keys:
            setattr(identifier, keyword, "" if keyword != "SeriesNumber" else None)
        for keyword, value in matching.items():
            setattr(identifier, keyword, value)
    if not "".join(matching.values()).isascii():
        identifier.SpecificCharacterSet = "ISO_IR 192"
    return identifier
