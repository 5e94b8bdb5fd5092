"""Servers on the web: QIDO, WADO and STOW through dicomweb-client, with bounds on what comes back (PS3.18)."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from xml.etree.ElementTree import ParseError

from dicomweb_client import DICOMwebClient
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, ConnectTimeout, HTTPError, RequestException, SSLError
from requests.exceptions import ConnectionError as RequestConnectionError
from requests.exceptions import Timeout as RequestTimeout

from star_core.dicom.network.intake import Intake, RefusedError, Tally
from star_core.dicom.network.query import Answer, decode_web
from star_core.dicom.network.retrieval import Plan
from star_core.dicom.network.sending import MOST_FAILURES, Outgoing, SendingReport, UnsentFile, read_outgoing
from star_core.dicom.network.servers import Server, build_client_tls, read_password
from star_core.dicom.network.watch import watch
from star_core.errors import CancelledError, NetworkError
from star_core.types import ProgressCallback, ignore_progress

_T = TypeVar("_T")
MOST_ANSWER_BYTES = 64 << 20
MOST_OBJECT_BYTES = 1 << 30
MOST_ROWS = 100_000
ROWS_PER_PAGE = 1_000
CONNECT_TIMEOUT_S = 10.0
_TAIL_BYTES = 256
# URLs of queries hold names of patients, and these libraries log URLs.
for _name in ("urllib3", "requests", "dicomweb_client", "retrying"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)
_ANY_SYNTAX = 'multipart/related; type="application/dicom"; transfer-syntax=*'


class WebClient:
    """Asks one DICOMweb server; everything blocking runs under :meth:`run`.

    Raises
    ------
    NetworkError
        When there is no password for the server's user, or its URL or certificates cannot be used.
    """

    def __init__(self, server: Server) -> None:
        self._server, self._guard = server, _Guard()
        self._session = session = Session()
        session.trust_env = False  # neither .netrc nor a proxy of the environment gets to see a hospital's queries
        session.verify = server.verify
        session.headers["Accept"] = "application/dicom+json"
        if server.user:
            session.auth = (server.user, read_password(server))
        adapter = _Adapter(server, self._guard)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        if not server.verify:
            import urllib3

            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        timeouts = (min(CONNECT_TIMEOUT_S, server.timeout_s), server.timeout_s)
        try:
            self._client = DICOMwebClient(server.url.rstrip("/"), session=session, timeout=timeouts)
        except ValueError as error:
            raise NetworkError(
                f"{server.url!r} is no address of a DICOMweb server.", remedy="Write it as https://host/dicom-web."
            ) from error
        self._client.set_http_retry_params(retry=False)

    def run(
        self,
        work: Callable[[], _T],
        *,
        progress: ProgressCallback,
        count: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ) -> _T:
        """Do blocking work; whatever ``progress`` raises ends it within a second, also where the server hangs."""

        def guarded() -> _T:
            try:
                return work()
            except (RequestException, ValueError, KeyError, TypeError, AttributeError, IndexError, ParseError) as error:
                raise self._explain(error) from None  # its text may hold the query, and that the patient's name
            finally:
                self._session.close()

        return watch(guarded, progress=progress, count=count, stop=self._guard.stop)

    # ----------------------------------------------------------------------- asking

    def search_studies(
        self, keys: tuple[str, ...], matching: Mapping[str, str], *, limit: int, offset: int
    ) -> tuple[list[Answer], bool]:
        """Return at most ``limit`` answers, and whether there are more (QIDO)."""
        self._guard.allow(MOST_ANSWER_BYTES)
        found = self._client.search_for_studies(
            limit=limit + 1, offset=offset, fields=list(keys), search_filters=dict(matching)
        )
        return [decode_web(entry, keys) for entry in found[:limit]], len(found) > limit

    def search_series(self, study_uid: str, keys: tuple[str, ...]) -> list[Answer]:
        """Return the series of a study."""
        return self._all_pages(
            lambda offset: self._client.search_for_series(
                study_uid, fields=list(keys), limit=ROWS_PER_PAGE, offset=offset
            ),
            keys,
        )

    def search_instances(self, study_uid: str, series_uid: str, keys: tuple[str, ...]) -> list[Answer]:
        """Return the objects of a series."""
        return self._all_pages(
            lambda offset: self._client.search_for_instances(
                study_uid, series_uid, fields=list(keys), limit=ROWS_PER_PAGE, offset=offset
            ),
            keys,
        )

    def _all_pages(self, ask: Callable[[int], Any], keys: tuple[str, ...]) -> list[Answer]:
        """Return every answer once, from servers that page as they like, or not at all."""
        found: dict[str, Answer] = {}
        offset = 0
        while len(found) < MOST_ROWS:
            self._guard.allow(MOST_ANSWER_BYTES)
            page = [decode_web(entry, keys) for entry in ask(offset)]
            known = len(found)
            found.update((answer[keys[0]], answer) for answer in page)
            offset += len(page)
            if len(found) == known:
                break
        return list(found.values())

    # ----------------------------------------------------------------------- retrieving

    def retrieve(self, plan: Plan, intake: Intake, *, progress: ProgressCallback = ignore_progress) -> None:
        """Retrieve what a plan asks for (WADO); what came before an error or a cancellation stays in the intake."""
        already = plan.announced - len(plan.missing) if plan.is_listed else 0

        def work() -> None:
            tally = Tally()
            for path in _resources(plan):
                self._take(f"{self._client.base_url}/{path}", intake, tally)

        self.run(work, progress=progress, count=lambda: (already + intake.received, plan.announced))

    def _take(self, url: str, intake: Intake, tally: Tally) -> None:
        """Take the parts of one answer; the last one only if the answer came to its end.

        dicomweb-client's public functions decode each object and encode it anew; these give its bytes as they came.
        """
        most = min(MOST_OBJECT_BYTES, intake.limits.object_bytes)
        self._guard.allow(most)
        response = self._client._http_get(url, headers={"Accept": _ANY_SYNTAX}, stream=True)
        held: bytes | None = None
        with response:
            for part in self._client._decode_multipart_message(response, stream=True):
                self._guard.allow(most)
                if held is not None:
                    _file(intake, held, tally)
                held = bytes(part)
        if held is not None:
            self._require_end(response)
            _file(intake, held, tally)

    def _require_end(self, response: Response) -> None:
        content_type = response.headers.get("content-type", "")
        _, _, boundary = content_type.partition("boundary=")
        mark = boundary.split(";")[0].strip('" ').encode()
        if mark and b"--" + mark + b"--" not in self._guard.tail:
            raise NetworkError(
                f"{self._server.name!r} closed the connection in the middle.",
                remedy="Try again; what has come is kept.",
            )

    # ----------------------------------------------------------------------- sending

    def send_files(self, paths: Sequence[Any], *, progress: ProgressCallback = ignore_progress) -> SendingReport:
        """Send files as they are, one request each (STOW); those that the server does not take are listed."""
        outgoing, failed = read_outgoing(paths)
        sent = 0

        def work() -> None:
            nonlocal sent
            for number, file in outgoing:
                reason = self._send_one(file)
                if reason:
                    failed.append(UnsentFile(number=number, reason=reason))
                else:
                    sent += 1

        self.run(work, progress=progress, count=lambda: (sent + len(failed), len(paths)))
        ordered = sorted(failed, key=lambda one: one.number)
        return SendingReport(sent=sent, failed=tuple(ordered[:MOST_FAILURES]))

    def _send_one(self, file: Outgoing) -> str:
        self._guard.allow(MOST_ANSWER_BYTES)
        try:
            data = file.path.read_bytes()
        except OSError as error:
            return f"it cannot be read ({error.strerror})"
        try:
            answer = self._client._http_post_multipart_application_dicom(f"{self._client.base_url}/studies", [data])
        except HTTPError as error:
            code = 0 if error.response is None else error.response.status_code
            if code in (400, 409, 413, 415):  # about this object; others may pass (PS3.18 10.5.3)
                return f"the server refused it (HTTP {code})"
            raise
        failures = answer.get("FailedSOPSequence") or []
        if len(failures):
            return f"the server refused it (reason 0x{int(failures[0].get('FailureReason', 0)):04X})"
        return ""

    # ----------------------------------------------------------------------- telling

    def _explain(self, error: Exception) -> NetworkError:
        name, server = self._server.name, self._server
        match error:
            case SSLError():
                return NetworkError(
                    f"No encrypted connection to {name!r}.",
                    remedy="Check that the server speaks TLS on this port, and the certificates in its settings.",
                )
            case ConnectTimeout():
                return self._unreachable("it does not answer")
            case RequestTimeout():
                return NetworkError(
                    f"{name!r} has not answered for {server.timeout_s:g} s.",
                    remedy="Try again later; for a slow archive raise the server's time limit.",
                )
            case HTTPError() if error.response is not None:
                return self._explain_status(error.response.status_code)
            case ChunkedEncodingError():
                return NetworkError(f"{name!r} closed the connection in the middle.", remedy="Try again.")
            case RequestConnectionError():
                return self._unreachable("no connection, or it was closed in the middle")
        return NetworkError(
            f"{name!r} answers what is not DICOMweb.",
            remedy="Check the URL: it ends where /studies would follow.",
            details=type(error).__name__,
        )

    def _explain_status(self, code: int) -> NetworkError:
        name = self._server.name
        if code in (401, 403):
            return NetworkError(f"{name!r} does not let this user in (HTTP {code}).", remedy="Check user and password.")
        if code == 404:
            return NetworkError(
                f"{name!r} has nothing there (HTTP 404).", remedy="Check the URL: it ends where /studies would follow."
            )
        return NetworkError(f"{name!r} answers with an error (HTTP {code}).", remedy="Ask its administrator.")

    def _unreachable(self, reason: str) -> NetworkError:
        return NetworkError(
            f"{self._server.name!r} cannot be reached at {self._server.url}: {reason}.",
            remedy="Check the URL, network and firewall.",
        )


def _resources(plan: Plan) -> Iterator[str]:
    for request in plan.requests:
        series = f"studies/{plan.study_uid}/series/{request.series_uid}"
        if not request.sop_uids:
            yield series
        yield from (f"{series}/instances/{uid}" for uid in request.sop_uids)


def _file(intake: Intake, data: bytes, tally: Tally) -> None:
    try:
        intake.take_file(data, tally)
    except RefusedError as error:
        intake.note_refusal(str(error))


# --------------------------------------------------------------------------- bounds


class _Guard:
    """Bounds what the bodies of answers bring, keeps the end of the last one, and cuts it off when told to stop."""

    def __init__(self) -> None:
        self._left = MOST_ANSWER_BYTES
        self._stopped = False
        self._raw: Any = None
        self._last: deque[bytes] = deque(maxlen=2)

    @property
    def tail(self) -> bytes:
        """The last bytes of the last body."""
        return b"".join(self._last)

    def allow(self, size: int) -> None:
        """Let so many bytes come from now on."""
        self._left = size

    def watch(self, raw: Any) -> None:
        """Guard the body of an answer."""
        self._raw = raw
        self._last.clear()
        if self._stopped:
            raise CancelledError("Cancelled.")

    def pass_on(self, chunk: bytes) -> bytes:
        """Return a chunk that is within the bounds."""
        if self._stopped:
            raise CancelledError("Cancelled.")
        self._left -= len(chunk)
        if self._left < 0:
            raise ValueError("the answer does not end")
        self._last.append(chunk[-_TAIL_BYTES:])
        return chunk

    def stop(self) -> None:
        """End what is being read, from any thread."""
        self._stopped = True
        raw, self._raw = self._raw, None
        if raw is not None:
            try:
                raw.shutdown()
            except (ValueError, RuntimeError, OSError, AttributeError):
                return  # its connection is closed or given back already


class _GuardedBody:
    """urllib3's body of an answer, read through a guard."""

    def __init__(self, raw: Any, guard: _Guard) -> None:
        self._raw, self._guard = raw, guard

    def stream(self, amt: int, decode_content: bool | None = None) -> Iterator[bytes]:
        """Give the body in chunks."""
        try:
            for chunk in self._raw.stream(amt, decode_content=decode_content):
                yield self._guard.pass_on(chunk)
        except BaseException:
            self._raw.close()
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


class _Adapter(HTTPAdapter):
    """Connections with the server's own TLS settings, whose answers are guarded."""

    def __init__(self, server: Server, guard: _Guard) -> None:
        self._tls = build_client_tls(server) if server.url.lower().startswith("https:") else None
        self._guard = guard
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Use the server's TLS settings."""
        super().init_poolmanager(*arguments, **options, ssl_context=self._tls)

    def cert_verify(self, *arguments: Any) -> None:
        """Leave certificates to the TLS settings: no other authorities are trusted beside them."""

    def send(self, request: PreparedRequest, *arguments: Any, **options: Any) -> Response:
        """Send a request and guard its answer."""
        request.url = (request.url or "").replace("%2A", "*")  # a wildcard that some servers do not decode
        response = super().send(request, *arguments, **options)
        self._guard.watch(response.raw)
        response.raw = _GuardedBody(response.raw, self._guard)
        return response
