"""What the worker process does about follow-up CTs; it keeps what it read and aligned while a case stays open."""

from __future__ import annotations

from dataclasses import replace

from star_core import api
from star_core.types import Case, ProgressCallback, Registration, RegistrationKind, Volume
from star_viewer.follow_ups import AlignedScan, FollowUpSource
from star_viewer.jobs.follow_up_requests import OpenFollowUp
from star_viewer.jobs.requests import FollowUpEdit

_STEPS = 100
_READ, _ALIGNED = 20, 90


class FollowUpTasks:
    """Reads and aligns each follow-up once."""

    def __init__(self) -> None:
        self._scans: dict[FollowUpSource, api.LaterScan] = {}
        self._found: dict[tuple[FollowUpSource, RegistrationKind], Registration] = {}

    def clear(self) -> None:
        """Forget all: another case is open."""
        self._scans.clear()
        self._found.clear()

    def open(self, case: Case, request: OpenFollowUp, progress: ProgressCallback) -> AlignedScan:
        """Return a follow-up on the first CT's grid."""
        first = case.baseline_scan
        later = self._read(request.source, first, progress)
        found = self._align(request.source, request.kind, first, progress)
        laid = api.lay_on_first(later.volume, found, first)
        progress(_STEPS, _STEPS)
        return AlignedScan(volume=laid, acquired_on=later.acquired_on, quality=found.quality)

    def add_to(self, case: Case, edits: tuple[FollowUpEdit, ...], progress: ProgressCallback) -> Case:
        """Return a case with the follow-ups that fill a year."""
        first = case.baseline_scan
        added: dict[int, tuple[Volume, Registration]] = {}
        for edit in edits:
            later = self._read(edit.source, first, progress)
            found = self._align(edit.source, edit.kind, first, progress)
            motion = edit.adjustment.to_motion(first)
            added[edit.year] = (later.volume, replace(found, adjustment_lps=motion))
        return api.add_follow_ups(case, added) if added else case

    def _read(self, source: FollowUpSource, first: Volume, progress: ProgressCallback) -> api.LaterScan:
        if source not in self._scans:
            later = _read(source, lambda done, total: progress(_READ * done // max(total, 1), _STEPS))
            api.check_follow_up(later.volume, first, accept_other_patient=source.accept_other_patient)
            self._scans[source] = later
        return self._scans[source]

    def _align(
        self, source: FollowUpSource, kind: RegistrationKind, first: Volume, progress: ProgressCallback
    ) -> Registration:
        if (source, kind) not in self._found:
            self._found[source, kind] = api.align_follow_up(
                self._scans[source].volume,
                first,
                kind,
                progress=lambda done, total: progress(_READ + (_ALIGNED - _READ) * done // max(total, 1), _STEPS),
            )
        return self._found[source, kind]


def _read(source: FollowUpSource, progress: ProgressCallback) -> api.LaterScan:
    if source.study is not None:
        with api.open_archive() as archive:
            series = api.find_scan(archive, source.study)
            return api.open_archived_follow_up(
                archive, series, interpolate_gaps=source.interpolate_gaps, progress=progress
            )
    if source.folder is None:
        raise ValueError("a follow-up comes from a folder or from the archive")
    return api.open_follow_up(
        source.folder, series_uid=source.series_uid, interpolate_gaps=source.interpolate_gaps, progress=progress
    )
