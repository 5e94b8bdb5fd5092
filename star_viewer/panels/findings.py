"""May I trust this? What was found about the scan, the record and the model, worst first."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from star_core.types import Finding, Severity
from star_viewer.session import Session
from star_viewer.theme import GRID

_ORDER = (Severity.REFUSAL, Severity.WARNING, Severity.NOTE)
_ROLES = {Severity.REFUSAL: "problem", Severity.WARNING: "notice", Severity.NOTE: "faint"}


class FindingsPanel(QScrollArea):
    """Lists the findings of the open case, or of its assessment once there is one."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._shown: tuple[object, ...] = ()
        self.setWidgetResizable(True)
        self.setAccessibleName("Findings")
        session.assessment_changed.connect(self._show)
        session.volume_changed.connect(self._show)
        session.anatomy.segments_changed.connect(self._show)
        self._show()

    def _show(self, *_: object) -> None:
        findings = findings_of(self._session)
        if (findings, self._session.volume is None) == self._shown:
            return  # segments change while a hand moves
        self._shown = (findings, self._session.volume is None)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        for finding in sorted(findings, key=lambda finding: _ORDER.index(finding.severity)):
            label = QLabel(f"{finding.severity.value}: {finding.message}")
            label.setProperty("role", _ROLES[finding.severity])
            label.setWordWrap(True)
            layout.addWidget(label)
        if not findings:
            layout.addWidget(QLabel("Nothing was found." if self._session.volume else "No case is open."))
        layout.addStretch(1)
        self.setWidget(page)


def findings_of(session: Session) -> tuple[Finding, ...]:
    """Return what is known about the open case at this moment."""
    segments = session.anatomy.segments
    inside = () if segments is None else segments.findings
    if session.assessment is not None:
        told = session.assessment.findings
        return (*told, *(finding for finding in inside if finding not in told))
    volume, masks = session.volume, session.masks
    return (*(volume.findings if volume else ()), *(masks.findings if masks else ()), *inside)
