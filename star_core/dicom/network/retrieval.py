"""Retrieving over DIMSE: what a server has and we have not, by C-GET or by C-MOVE to a receiver of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pynetdicom.presentation import PresentationContext, StoragePresentationContexts, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from star_core.dicom.network.association import MOST_CONTEXTS, Client, is_pending
from star_core.dicom.network.intake import Intake, is_uid
from star_core.dicom.network.query import InstanceMatch
from star_core.dicom.network.receiver import Receiver
from star_core.dicom.network.servers import Server
from star_core.dicom.network.syntaxes import COMPRESSED, UNCOMPRESSED
from star_core.types import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    pass

UIDS_PER_REQUEST = 100
_GET = str(StudyRootQueryRetrieveInformationModelGet)
_MOVE = str(StudyRootQueryRetrieveInformationModelMove)
_COMPLETE, _SOME_FAILED, _CANCELLED = 0x0000, 0xB000, 0xFE00


class Method(StrEnum):
    """How DIMSE retrieves: on the same connection, or by one that the server opens to us."""

    GET = "get"
    MOVE = "move"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRequest:
    """What is to be retrieved of a series: single objects, or the whole where ``sop_uids`` is empty."""

    series_uid: str
    sop_uids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a retrieval will ask for.

    ``announced`` are the objects that the server says it has, ``missing`` those that we have not, ``sop_classes`` what
    they are, as far as the server tells. ``is_listed`` is false where it lists no single objects: then series are
    asked for as wholes.
    """

    study_uid: str
    requests: tuple[SeriesRequest, ...]
    announced: int
    missing: frozenset[str]
    sop_classes: tuple[str, ...]
    is_listed: bool = True


def build_plan(
    study_uid: str,
    listed: Sequence[tuple[str, int | None, Sequence[InstanceMatch]]],
    have: Callable[[str], bool],
) -> Plan:
    """Return what is to be asked for.

    Parameters
    ----------
    listed
        Series UID, number of objects and the objects of each series, as the server tells.
    have
        Whether an object is here already.
    """
    requests: list[SeriesRequest] = []
    missing: set[str] = set()
    classes: set[str] = set()
    announced, is_listed = 0, True
    for series_uid, count, instances in listed:
        announced += max(len(instances), count or 0)
        if not instances:
            is_listed = False
            requests.append(SeriesRequest(series_uid=series_uid))
            continue
        lacking = [one for one in instances if not have(one.sop_uid)]
        missing.update(one.sop_uid for one in lacking)
        classes.update(one.sop_class_uid for one in lacking if is_uid(one.sop_class_uid))
        if lacking:
            whole = len(lacking) == len(instances)
            uids = () if whole else tuple(one.sop_uid for one in lacking)
            requests.append(SeriesRequest(series_uid=series_uid, sop_uids=uids))
    return Plan(
        study_uid=study_uid,
        requests=tuple(requests),
        announced=announced,
        missing=frozenset(missing),
        sop_classes=tuple(sorted(classes)),
        is_listed=is_listed,
    )


def retrieve(
    server: Server, plan: Plan, intake: Intake, *, method: Method, progress: ProgressCallback = ignore_progress
) -> None:
    """Retrieve what a plan asks for into an intake; what came before an error or a cancellation stays there.

    Raises
    ------
    NetworkError
        When the server refuses, breaks off or is silent.
    CancelledError
        Raised by ``progress``.
    """
    already = plan.announced - len(plan.missing) if plan.is_listed else 0

    def count() -> tuple[int, int]:
        return already + intake.received, plan.announced

    if method is Method.GET:
        client = Client(server, intake=intake)
        client.run(lambda: _get(client, plan), progress=progress, count=count)
        return
    client = Client(server)
    titles = server.move_titles or (server.called_title,)
    with Receiver(
        intake, title=server.calling_title, allowed=titles, port=server.move_port, bind=server.move_bind
    ) as receiver:
        client.hear(lambda: receiver.last_heard)
        client.run(lambda: _move(client, server, plan), progress=progress, count=count)


def _get(client: Client, plan: Plan) -> None:
    classes = plan.sop_classes or tuple(str(one.abstract_syntax) for one in StoragePresentationContexts)
    contexts = [build_context(_GET), *islice(_storage_contexts(classes), MOST_CONTEXTS - 1)]
    with client.associated(contexts, received_classes=sorted({str(one.abstract_syntax) for one in contexts[1:]})) as to:
        to.dimse_timeout = None  # the client watches for silence: objects do not pass pynetdicom's queue
        for number, identifier in enumerate(_identifiers(plan), start=1):
            with client.cancellable(to, number, _GET):
                _follow(client, to.send_c_get(identifier, _GET, number))


def _move(client: Client, server: Server, plan: Plan) -> None:
    with client.associated([build_context(_MOVE)]) as to:
        to.dimse_timeout = None
        for number, identifier in enumerate(_identifiers(plan), start=1):
            with client.cancellable(to, number, _MOVE):
                _follow(client, to.send_c_move(identifier, server.calling_title, _MOVE, number))


def _follow(client: Client, responses: Iterator[tuple[Dataset, Dataset | None]]) -> None:
    for status, _ in responses:
        if "Status" not in status:
            raise client.broken()
        if not is_pending(status) and status.Status not in (_COMPLETE, _SOME_FAILED, _CANCELLED):
            raise client.failed("send the study", status)


def _storage_contexts(classes: Sequence[str]) -> Iterator[PresentationContext]:
    """Offer each class uncompressed first; then each compression by itself, so that files can come as they are."""
    yield from (build_context(uid, UNCOMPRESSED) for uid in classes)
    yield from (build_context(uid, [syntax]) for syntax in COMPRESSED for uid in classes)


def _identifiers(plan: Plan) -> Iterator[Dataset]:
    for request in plan.requests:
        for uids in _chunks(request.sop_uids) if request.sop_uids else [()]:
            identifier = Dataset()
            identifier.QueryRetrieveLevel = "IMAGE" if uids else "SERIES"
            identifier.StudyInstanceUID, identifier.SeriesInstanceUID = plan.study_uid, request.series_uid
            if uids:
                identifier.SOPInstanceUID = list(uids)
            yield identifier


def _chunks(uids: Iterable[str]) -> Iterator[tuple[str, ...]]:
    rest = iter(uids)
    while chunk := tuple(islice(rest, UIDS_PER_REQUEST)):
        yield chunk
