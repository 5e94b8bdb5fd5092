"""What can be asked of a server, over whichever protocol it speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from star_core.dicom.network.intake import Intake, is_uid
from star_core.dicom.network.query import (
    INSTANCE_KEYS,
    SERIES_KEYS,
    STUDY_KEYS,
    Answer,
    SeriesMatch,
    StudyMatch,
    StudyQuery,
    fits_pattern,
    to_instance_match,
    to_matching,
    to_plain_pattern,
    to_series_match,
    to_study_match,
)
from star_core.dicom.network.retrieval import Method, Plan, build_plan
from star_core.dicom.network.sending import SendingReport
from star_core.dicom.network.servers import Protocol, Server
from star_core.errors import NetworkError
from star_core.types import ProgressCallback, ignore_progress

MOST_COMPARED = 2_000
WITH_WILDCARDS = ("PatientName", "StudyDescription")


def echo(server: Server, *, progress: ProgressCallback = ignore_progress) -> None:
    """Ask whether a server answers: C-ECHO, or the smallest query on the web.

    Raises
    ------
    NetworkError
        When it does not; the message says why.
    """
    if server.protocol is Protocol.WEB:
        find_studies(server, StudyQuery(), limit=1, progress=progress)
        return
    from star_core.dicom.network import dimse

    dimse.echo(server, progress=progress)


def find_studies(
    server: Server,
    query: StudyQuery,
    *,
    limit: int = 100,
    offset: int = 0,
    progress: ProgressCallback = ignore_progress,
) -> tuple[tuple[StudyMatch, ...], bool]:
    """Return the studies of a server that fit, and whether it has more behind them.

    Raises
    ------
    NetworkError
        When it cannot be asked, or a date is none.
    CancelledError
        Raised by ``progress``, which is called ten times a second while the server is waited for.
    """
    matching = to_matching(query)
    if server.protocol is Protocol.WEB:
        found, has_more = _find_on_web(server, matching, limit, offset, progress)
    else:
        from star_core.dicom.network import dimse

        found, has_more = dimse.find(
            server, level="STUDY", keys=STUDY_KEYS, matching=matching, limit=limit, offset=offset, progress=progress
        )
    studies = (to_study_match(answer) for answer in found)
    return tuple(study for study in studies if is_uid(study.study_uid)), has_more


def _find_on_web(
    server: Server, matching: dict[str, str], limit: int, offset: int, progress: ProgressCallback
) -> tuple[list[Answer], bool]:
    from star_core.dicom.network.web import WebClient

    client = WebClient(server)
    patterns: dict[str, str] = {
        keyword: matching[keyword] for keyword in ("PatientName", "StudyDescription") if keyword in matching
    }
    wider = {keyword: to_plain_pattern(pattern) for keyword, pattern in patterns.items()}

    def ask() -> tuple[list[Answer], bool]:
        found, has_more = client.search_studies(STUDY_KEYS, matching, limit=limit, offset=offset)
        if found or wider == patterns:
            return found, has_more
        # Some servers, Orthanc 1.10 among them, do not decode a URL: they are asked for more, and texts compared here.
        found, has_more = client.search_studies(STUDY_KEYS, {**matching, **wider}, limit=MOST_COMPARED, offset=0)
        fitting = [one for one in found if all(fits_pattern(text, one[key]) for key, text in patterns.items())]
        return fitting[offset : offset + limit], has_more or len(fitting) > offset + limit

    return client.run(ask, progress=progress)


def find_series(
    server: Server, study_uid: str, *, progress: ProgressCallback = ignore_progress
) -> tuple[SeriesMatch, ...]:
    """Return the series of a study that a server has, by their numbers.

    Raises
    ------
    NetworkError
        When it cannot be asked.
    """
    _require_uid(study_uid)
    if server.protocol is Protocol.WEB:
        from star_core.dicom.network.web import WebClient

        client = WebClient(server)
        found = client.run(lambda: client.search_series(study_uid, SERIES_KEYS), progress=progress)
    else:
        from star_core.dicom.network import dimse

        found, _ = dimse.find(
            server,
            level="SERIES",
            keys=SERIES_KEYS,
            matching={"StudyInstanceUID": study_uid},
            limit=dimse.MOST_SERIES,
            progress=progress,
        )
    series = sorted(map(to_series_match, found), key=lambda one: (one.number is None, one.number or 0, one.series_uid))
    return tuple(one for one in series if is_uid(one.series_uid))


def plan_retrieval(
    server: Server,
    study_uid: str,
    *,
    have: Callable[[str], bool],
    progress: ProgressCallback = ignore_progress,
) -> Plan:
    """Return what a server has of a study that is not here.

    Parameters
    ----------
    have
        Whether an object, by its SOP Instance UID, is here already.

    Raises
    ------
    NetworkError
        When the server cannot be asked, or has no such study.
    """
    _require_uid(study_uid)
    if server.protocol is Protocol.WEB:
        listed = _list_web(server, study_uid, progress)
    else:
        from star_core.dicom.network import dimse

        listed = dimse.list_objects(server, study_uid, progress=progress)
    known = []
    for series, objects in listed:
        match = to_series_match(series)
        instances = [one for one in map(to_instance_match, objects) if is_uid(one.sop_uid)]
        if is_uid(match.series_uid):
            known.append((match.series_uid, match.instance_count, instances))
    if not known:
        raise NetworkError(
            f"{server.name!r} has no study of this identifier, or none that it shows to this program.",
            remedy="Query it again.",
        )
    return build_plan(study_uid, known, have)


def _list_web(server: Server, study_uid: str, progress: ProgressCallback) -> list[tuple[Answer, list[Answer]]]:
    from star_core.dicom.network.web import WebClient

    client = WebClient(server)

    def ask() -> list[tuple[Answer, list[Answer]]]:
        series = client.search_series(study_uid, SERIES_KEYS)
        uids = [answer["SeriesInstanceUID"] for answer in series]
        return [
            (answer, client.search_instances(study_uid, uid, INSTANCE_KEYS) if is_uid(uid) else [])
            for answer, uid in zip(series, uids, strict=True)
        ]

    return client.run(ask, progress=progress)


def retrieve(
    server: Server,
    plan: Plan,
    intake: Intake,
    *,
    method: Method = Method.GET,
    progress: ProgressCallback = ignore_progress,
) -> None:
    """Retrieve what a plan asks for into an intake; what came before an error or a cancellation stays there.

    Raises
    ------
    NetworkError
        When the server refuses, breaks off or is silent.
    CancelledError
        Raised by ``progress``.
    """
    if server.protocol is Protocol.WEB:
        from star_core.dicom.network.web import WebClient

        WebClient(server).retrieve(plan, intake, progress=progress)
    else:
        from star_core.dicom.network import retrieval

        retrieval.retrieve(server, plan, intake, method=method, progress=progress)


def send_files(server: Server, paths: Sequence[Path], *, progress: ProgressCallback = ignore_progress) -> SendingReport:
    """Send files as they are, by C-STORE or STOW; those that the server does not take are listed.

    Raises
    ------
    NetworkError
        When the server cannot be reached, refuses, or breaks off.
    CancelledError
        Raised by ``progress``; what was sent is at the server.
    """
    if server.protocol is Protocol.WEB:
        from star_core.dicom.network.web import WebClient

        return WebClient(server).send_files(paths, progress=progress)
    from star_core.dicom.network import sending

    return sending.send_files(server, paths, progress=progress)


def _require_uid(study_uid: str) -> None:
    if not is_uid(study_uid):
        raise NetworkError("This is no identifier of a study.", remedy="Take it from the answer of a query.")
