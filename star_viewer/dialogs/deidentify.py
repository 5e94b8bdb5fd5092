"""A de-identified copy: what is copied, where to, what is kept; how far it is; what came of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

from PySide6.QtCore import QStandardPaths, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from star_core.dicom.deidentify.options import DeidentifyOptions
from star_viewer.dialogs.copy_checks import check_destination, to_path
from star_viewer.dialogs.copy_options import CopyOptions
from star_viewer.dialogs.copy_result import counted, to_cautions, to_html, to_text, to_title, to_verdict
from star_viewer.dialogs.path_field import PathField, ask_folder
from star_viewer.theme import GRID

REPORT_FILE = "deidentification-report.md"
MOST_SERIES = 6
PHASES = ("Reading", "Writing", "Reading back")
PIXELS_NOTE = (
    "Pixels are not cleaned: text in pictures stays, and so does a face that can be computed from slices of the head. "
    "The result names the series to look at."
)


class DeidentifyDialog(QDialog):
    """Asks, shows progress and tells the result; ``app`` and its helpers do what its signals ask for."""

    start_asked = Signal(object, object)  # Path, DeidentifyOptions
    cancel_asked = Signal()
    import_asked = Signal(object)  # Path

    def __init__(
        self,
        archive: Path,
        *,
        original: Path | None = None,
        destination: Path | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._archive, self._originals = archive, () if original is None else (original,)
        self._out, self._report, self._details = Path(), None, ""
        self._running = self._stopping = False
        self.setWindowTitle("De-identified copy")
        self.resize(96 * GRID, min(108 * GRID, self.screen().availableGeometry().height() - 8 * GRID))
        self.what = _label("Counting what will be copied…")
        self.what.setAccessibleName("What will be copied")
        self.destination = PathField("Copy into this folder", "Choose a new or empty folder", ask_folder)
        self.options = CopyOptions()
        self.problem = _label("", "problem")
        self.problem.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.step, self.bar = QLabel(), QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of the copy")
        self.title, self.verdict, self.cautions = _label("", "title"), _label(""), _label("", "notice")
        self.found = QTextBrowser()
        self.found.setAccessibleName("Result")
        self.found.setTabChangesFocus(True)
        self._build_buttons()
        self._lay_out()
        self.destination.changed.connect(self.check)
        self.destination.line.setText(str(destination or suggest_folder()))
        self._show_running(False)
        self.start_button.setFocus()

    @property
    def running(self) -> bool:
        """Whether a copy is being written."""
        return self._running

    # ------------------------------------------------------------------ what comes from outside

    def show_contents(self, series: tuple[Any, ...]) -> None:
        """Show what will be copied (values of ``CopiedSeries``)."""
        studies = len({one.study for one in series})
        files = sum(one.files for one in series)
        head = f"{counted(studies, 'study', 'studies')}, {len(series)} series, {counted(files, 'file', 'files')}"
        lines = [
            " · ".join(
                (one.modality or "no modality", one.title or "no description", counted(one.files, "file", "files"))
            )
            for one in series[:MOST_SERIES]
        ]
        if len(series) > MOST_SERIES:
            lines.append(f"and {len(series) - MOST_SERIES} more series")
        self.what.setText("\n".join((head, *lines)))

    def show_cannot_count(self, message: str) -> None:
        """Say why what will be copied could not be counted."""
        self.what.setText(message)

    def show_progress(self, done: int, total: int) -> None:
        """Show how far it is: each file is read, written, and read back."""
        phase = PHASES[min(len(PHASES) * done // total, len(PHASES) - 1)] if total else PHASES[0]
        if not self._stopping:
            self.step.setText(f"{phase}… {100 * done // total} %" if total else f"{phase}…")
        self.bar.setMaximum(total)
        self.bar.setValue(done)

    def show_stopped(self) -> None:
        """Say that it was stopped."""
        self._show_running(False)
        self._tell("Stopped. Nothing was left in the folder.", problem=False)
        self.start_button.setFocus()

    def show_failure(self, message: str, details: str = "") -> None:
        """Say why it failed."""
        self._show_running(False)
        self._details = details
        self._tell(f"{message} Nothing was left in the folder.")
        self.details_button.setVisible(bool(details))
        self.start_button.setFocus()

    def show_result(self, report: Any) -> None:
        """Tell what came of it (``DeidentificationReport``)."""
        self._report, self._details = report, to_text(report)
        self._show_running(False)
        self.pages.setCurrentIndex(1)
        self.title.setText(to_title(report))
        self.verdict.setText(to_verdict(report))
        self.verdict.setProperty("role", "" if report.is_clean and report.files else "problem")
        self.verdict.style().polish(self.verdict)
        self.cautions.setText(to_cautions(report))
        self.cautions.setVisible(bool(self.cautions.text()))
        self.found.setHtml(to_html(report))
        self.start_button.hide()
        for button in (self.details_button, self.folder_button, self.report_button, self.import_button):
            button.show()
        self.import_button.setEnabled(report.files > 0)
        self.close_button.setText("Close")
        self.close_button.setDefault(True)
        self.folder_button.setFocus()

    # ------------------------------------------------------------------ what the user does

    def start(self) -> None:
        """Ask for the copy; where something that was typed cannot be used, go there instead."""
        if self._running or self._report is not None:
            return
        self.check()
        faulty = self.destination if self.destination.is_faulty else self.options.faulty
        if faulty is not None:
            faulty.line.setFocus()
            faulty.line.selectAll()
            return
        self._out = to_path(self.destination.text)
        self._details, self._stopping = "", False
        self._tell("")
        self._show_running(True)
        self.show_progress(0, 0)
        self.close_button.setFocus()
        self.start_asked.emit(self._out, self.chosen)

    @property
    def chosen(self) -> DeidentifyOptions:
        """The options that are chosen."""
        return self.options.options

    def check(self) -> None:
        """Say beside the folder what is wrong with it."""
        text = self.destination.text
        problem = check_destination(text, archive=self._archive, originals=self._originals)
        note = "" if problem or to_path(text).exists() else "A new folder; it appears when everything in it is whole."
        self.destination.show_note(problem or note, problem=bool(problem))
        self.options.set_destination(to_path(text) if text else None)

    def reject(self) -> None:
        """Stop what runs; else close."""
        if not self._running:
            super().reject()
        elif not self._stopping:
            self._stopping = True
            self.step.setText("Stopping…")
            self.close_button.setEnabled(False)
            self.cancel_asked.emit()

    def show_report(self) -> QDialog:
        """Show the report as it lies in the copy."""
        viewer = QDialog(self)
        viewer.setWindowTitle("De-identification report")
        viewer.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        viewer.resize(96 * GRID, 90 * GRID)
        text = QTextBrowser()
        text.setAccessibleName("De-identification report")
        text.setTabChangesFocus(True)
        try:
            text.setMarkdown((self._out / REPORT_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            text.setPlainText("The report is no longer where it was written.")
        close = QPushButton("Close")
        close.clicked.connect(viewer.close)
        layout = _column(viewer)
        layout.addWidget(text, 1)
        layout.addLayout(_row(close))
        viewer.setModal(False)
        viewer.show()
        return viewer

    def _open_folder(self) -> None:
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._out))):
            self._tell(f"No program opens folders here. The copy lies in {self._out}.")

    def _import(self) -> None:
        self.import_button.setEnabled(False)
        self.close_button.setFocus()
        self._tell("The copy is being imported; how far it is stands below the studies.", problem=False)
        self.import_asked.emit(self._out)

    def _copy_details(self) -> None:
        QGuiApplication.clipboard().setText(self._details)

    # ------------------------------------------------------------------ inside

    def _tell(self, text: str, *, problem: bool = True) -> None:
        self.problem.setText(text)
        self.problem.setVisible(bool(text))
        self.problem.setProperty("role", "problem" if problem else "")
        self.problem.style().polish(self.problem)

    def _show_running(self, running: bool) -> None:
        self._running = running
        self.form.setEnabled(not running)
        for widget in (self.step, self.bar):
            widget.setVisible(running)
        self.close_button.setText("Cancel" if running else "Close")
        self.close_button.setEnabled(True)
        self.details_button.hide()
        self.start_button.setEnabled(not running)

    def _build_buttons(self) -> None:
        self.start_button = _button("Start", "Write the copy (Enter)", self.start)
        self.start_button.setDefault(True)
        self.close_button = _button("Close", "Stop the copy, or close (Esc)", self.reject)
        self.details_button = _button(
            "Copy details", "Put everything that is told here on the clipboard", self._copy_details
        )
        self.folder_button = _button("Open the folder", "Show the copy among your files", self._open_folder)
        self.report_button = _button("Show the report", "Show what was done with every attribute", self.show_report)
        self.import_button = _button(
            "Import the copy into the archive", "Add the copy to the studies, to look at it or to send it", self._import
        )
        for button in (self.details_button, self.folder_button, self.report_button, self.import_button):
            button.hide()

    def _lay_out(self) -> None:
        self.form = QWidget()
        form = _column(self.form, margin=0)
        for widget in (_heading("What will be copied"), self.what, _heading("Into"), self.destination):
            form.addWidget(widget)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(self.options)
        form.addWidget(scroll, 1)
        form.addWidget(_label(PIXELS_NOTE, "notice"))
        told = QWidget()
        result = _column(told, margin=0)
        for label in (self.title, self.verdict, self.cautions):
            result.addWidget(label)
        result.addWidget(self.found, 1)
        result.addLayout(_row(self.folder_button, self.report_button, self.import_button))
        self.pages = QStackedWidget()
        self.pages.addWidget(self.form)
        self.pages.addWidget(told)
        layout = _column(self)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.step)
        layout.addWidget(self.bar)
        layout.addWidget(self.problem)
        layout.addLayout(_row(self.details_button, self.close_button, self.start_button))
        self.problem.hide()


def suggest_folder(today: date | None = None) -> Path:
    """Return a new folder among the user's documents, named by the day."""
    documents = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation) or Path.home())
    name = f"deidentified-{(today or date.today()).isoformat()}"
    names = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(documents / one for one in names if not (documents / one).exists())


def _label(text: str, role: str = "") -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setProperty("role", role)
    return label


def _heading(text: str) -> QLabel:
    return _label(text.upper(), "heading")


def _button(text: str, tooltip: str, do: Callable[[], object]) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    button.clicked.connect(lambda: do())
    return button


def _column(widget: QWidget, margin: int = 2 * GRID) -> QVBoxLayout:
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(margin, margin, margin, margin)
    layout.setSpacing(GRID)
    return layout


def _row(*buttons: QPushButton) -> QHBoxLayout:
    row = QHBoxLayout()
    row.addStretch(1)
    for button in buttons:
        row.addWidget(button)
    return row
