"""Wires everything, by hand: session, jobs, window, actions, settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox, QWidget

from star_core.types import Severity
from star_viewer.actions import YearKeys
from star_viewer.browsing import Browsing
from star_viewer.copying import Copying, build_copies_runner
from star_viewer.dialogs.about import AboutDialog
from star_viewer.editing import Editing
from star_viewer.filing import Filing
from star_viewer.following import Following
from star_viewer.importing import Importing
from star_viewer.jobs.requests import CaseSource, Request
from star_viewer.jobs.runner import JobRunner
from star_viewer.jobs.worker import Failed
from star_viewer.keeper import Keeper
from star_viewer.keeping import Keeping
from star_viewer.main_window import TITLE, MainWindow
from star_viewer.networking import Networking
from star_viewer.pacs import NetworkRunners, Pacs
from star_viewer.panels.findings import findings_of
from star_viewer.picturing import Picturing, build_film_runner
from star_viewer.receiving import Receiving
from star_viewer.resecting import Resecting
from star_viewer.segmenting import Segmenting
from star_viewer.serverbook import ServerBook
from star_viewer.session import IncidenceMode, Session
from star_viewer.settings import SettingsStore, Theme
from star_viewer.shelf import ArchiveRunners, Shelf
from star_viewer.theme import apply_theme, is_dark
from star_viewer.viewing import Viewing
from star_viewer.workflow import Workflow

MAX_RECENT = 6
TOLD_IN_BANNERS = ("no-map", "unvalidated-model")
OPACITY_STEP = 0.1
ViewsFactory = Callable[[Session], QWidget]


def build_four_views(session: Session) -> QWidget:
    """Return the four linked views; VTK itself loads once the window stands."""
    from star_viewer.scene.four_views import FourViews

    return FourViews(session)


class StarApp(QObject):
    """The program: owns all parts and connects them."""

    def __init__(
        self,
        qt_app: QApplication,
        *,
        settings: SettingsStore | None = None,
        runner: JobRunner | None = None,
        copies_runner: JobRunner | None = None,
        archive_runners: ArchiveRunners | None = None,
        network_runners: NetworkRunners | None = None,
        film_runner: JobRunner | None = None,
        build_views: ViewsFactory = build_four_views,
    ) -> None:
        super().__init__()
        self._qt_app = qt_app
        self.settings = settings or SettingsStore()
        apply_theme(qt_app, self.settings.settings.theme)
        self.session = Session(self)
        self.runner = runner or JobRunner(self)
        self.workflow = Workflow(self.session, self.runner, self)
        self.shelf = Shelf(archive_runners or ArchiveRunners.build(self), self)
        self.window = MainWindow(self.session, build_views(self.session))
        self._dialogs: list[QWidget] = []
        self._models: tuple[Any, ...] = ()
        self._told: set[str] = set()
        self._year_keys = YearKeys(self.session, self.window)
        self.browsing = Browsing(self.window, self.shelf, self.workflow)
        self.importing = Importing(self.window, self.shelf, self.settings, self._open)
        self.pacs = Pacs(network_runners or NetworkRunners.build(self), self)
        book = ServerBook(self.pacs, self.importing, self._open)
        self.networking = Networking(self.window, self.pacs, self.browsing, book, self.settings, self._open)
        self.networking.transfers.changed.connect(self.shelf.refresh)
        self.receiving = Receiving(self.window, self.pacs, self.shelf, self.importing, self.settings)
        self.importing.theme_chosen.connect(self._set_theme)
        copies_runner = copies_runner or build_copies_runner(self)
        self.copying = Copying(self.window, self.workflow, copies_runner, self._open, self.importing.import_sources)
        self.viewing = Viewing(self.window, self.session, self.settings, self._open)
        self.importing.preferences_opened.connect(self.viewing.add_page)
        film_runner = film_runner or build_film_runner(self)
        self.picturing = Picturing(self.window, self.session, self.viewing, film_runner, self._open)
        self.keeping = Keeping(self.window, self.session, self.workflow, Keeper(self))
        self.editing = Editing(self.window, self.session, self.workflow, self.keeping)
        self.segmenting = Segmenting(
            self.window, self.session, self.workflow, self.runner, self.editing.structures, self.keeping
        )
        self.resecting = Resecting(self.window, self.session, self.workflow, self.editing.structures)
        self.filing = Filing(self.session, self.workflow, self.shelf, self.keeping, self.window)
        self.following = Following(self.window, self.session, self.workflow, self.runner, self.keeping)
        self._connect_actions()
        self._connect_workflow()
        self._connect_views()
        self._apply_settings()

    def show(self) -> None:
        """Show the window; the worker loads beside it, and the views make their context once it stands."""
        self.runner.start()
        # Loading libraries holds Python's lock for tenths of a second: before the window shows it blocks nobody.
        self.window.star_actions.load_icons()
        load = getattr(self.window.views, "load", None)
        if load is not None:
            load()
        self.window.show()
        QTimer.singleShot(0, self._start_rest)

    def close(self) -> None:
        """End everything that runs beside the window."""
        self.settings.change(window_geometry=self.window.geometry_text(), overlay_opacity=self.session.overlay.opacity)
        self.editing.close()
        self.segmenting.close()
        self.resecting.close()
        self.following.close()
        self.keeping.close()
        self.copying.close()
        self.picturing.close()
        self.runner.close()
        self.shelf.runners.close()
        self.pacs.runners.close()
        finalise = getattr(self.window.views, "finalise", None)
        if finalise is not None:
            finalise()

    def _start_rest(self) -> None:
        self.workflow.list_models()
        self.keeping.keeper.look_for_killed()
        self.shelf.refresh()
        self.receiving.start_if_remembered()
        warm_up = getattr(self.window.views, "warm_up", None)
        if warm_up is not None:
            warm_up()

    # ------------------------------------------------------------------ wiring

    def _connect_actions(self) -> None:
        actions, window, workflow = self.window.star_actions, self.window, self.workflow
        actions.connect_views(self.session)
        for name, slot in (
            ("open", self._ask_folder),
            ("open_file", self._ask_file),
            ("demo", workflow.open_demo),
            ("export", self._ask_report),
            ("quit", window.close),
            ("undo", self._undo),
            ("redo", self.session.history.redo),
            ("assess", workflow.assess),
            ("play", window.year_bar.toggle_play),
            ("annual", window.year_bar.mode_button.toggle),
            ("finetune", self._open_finetune),
            ("overlay", self._toggle_overlay),
            ("overlay_less", lambda: self._change_opacity(-OPACITY_STEP)),
            ("overlay_more", lambda: self._change_opacity(OPACITY_STEP)),
            ("theme", self._switch_theme),
            ("about", lambda: self._open(AboutDialog(window))),
        ):
            actions[name].triggered.connect(lambda _=False, do=slot: do())
        window.empty_state.open_asked.connect(self._ask_folder)
        window.empty_state.demo_asked.connect(workflow.open_demo)
        window.empty_state.recent_asked.connect(lambda text: workflow.open_folder(Path(text)))
        window.dropped.connect(workflow.open_folder)
        window.cancel_button.clicked.connect(self.runner.cancel)
        window.closing.connect(self.close)
        window.trust_chip.clicked.connect(lambda: window.tabs.setCurrentWidget(window.findings))
        window.form.settled.connect(workflow.assess)
        window.opacity.valueChanged.connect(lambda percent: self._set_opacity(percent / 100))
        chooser = window.model_chooser
        chooser.activated.connect(lambda index: workflow.choose_model(chooser.itemData(index)))

    def _connect_workflow(self) -> None:
        window, runner, workflow = self.window, self.runner, self.workflow
        runner.started.connect(lambda request: window.show_job(request.text))
        runner.progressed.connect(lambda request, done, total: window.show_job(request.text, done, total))
        runner.idle.connect(lambda: window.show_job(""))
        runner.cancelled.connect(lambda _: self._show_models(self._models))
        workflow.case_opened.connect(self._show_case)
        workflow.models_listed.connect(self._show_models)
        workflow.report_written.connect(self._tell_report)
        workflow.refused.connect(self._refuse)
        workflow.troubled.connect(self._tell_trouble)
        self.session.assessment_changed.connect(self._show_trust)
        self.session.volume_changed.connect(self._show_trust)
        self.session.overlay_changed.connect(self._show_overlay)
        self.session.history.changed.connect(self._name_steps)
        self.shelf.looked_around.connect(lambda around: self.keeping.name_studies(around.recent))

    def _connect_views(self) -> None:
        views = self.window.views
        for name, slot in (("hovered", self._show_reading), ("failed", self._tell_view_problem)):
            signal = getattr(views, name, None)
            if signal is not None:
                signal.connect(slot)
        reset = getattr(views, "reset_views", None)
        if reset is not None:
            self.window.star_actions["reset"].triggered.connect(lambda: reset())

    def _apply_settings(self) -> None:
        settings = self.settings.settings
        self.session.set_overlay(replace(self.session.overlay, opacity=settings.overlay_opacity))
        self._show_overlay(self.session.overlay)
        self.window.restore_geometry_text(settings.window_geometry)
        self.window.empty_state.show_recent(settings.recent_folders)
        self._enable_case_actions(False)
        if self.settings.problem:
            self.window.banners.tell(self.settings.problem)

    # ------------------------------------------------------------------ opening and exporting

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self.window, "Open a CT folder")
        if folder:
            self.workflow.open_folder(Path(folder))

    def _ask_file(self) -> None:
        file, _ = QFileDialog.getOpenFileName(self.window, "Open a DICOM or NIfTI file")
        if file:
            self.workflow.open_folder(Path(file))

    def _ask_report(self) -> None:
        if self.session.assessment is None:
            self.window.banners.tell("There is nothing to report yet: open a case and assess it first.")
            return
        suggested = f"{self.session.assessment.case_id}.pdf"
        file, _ = QFileDialog.getSaveFileName(self.window, "Export PDF report", suggested, "PDF (*.pdf)")
        if file:
            self.workflow.write_report(Path(file))

    def _show_case(self, source: CaseSource) -> None:
        self.window.show_views(True)
        self.window.banners.clear()
        pane = getattr(self.window.views, "leading_pane", None)
        if pane is not None:
            pane.setFocus()  # keys are about the picture, not about where one looked for it
        self._told = set()
        self._enable_case_actions(True)
        if source.is_demo:
            self.window.banners.tell("This is the demonstration patient: synthetic, drawn by the program.")
        if source.folder is None:
            return
        recent = [str(source.folder), *(f for f in self.settings.settings.recent_folders if f != str(source.folder))]
        self.settings.change(recent_folders=tuple(recent[:MAX_RECENT]))

    def _enable_case_actions(self, enabled: bool) -> None:
        for name in ("assess", "export"):
            self.window.star_actions[name].setEnabled(enabled)

    def _tell_report(self, path: str) -> None:
        self.window.banners.tell(f"The report was written to {Path(path).name}.", severity=Severity.NOTE)

    # ------------------------------------------------------------------ models

    def _show_models(self, models: tuple[Any, ...]) -> None:
        self._models = models
        chooser = self.window.model_chooser
        chooser.clear()
        for model in models:
            label = f"{model.name} (synthetic patients)" if model.is_demonstration else model.name
            chooser.addItem(label, model.name)
            chooser.setItemData(chooser.count() - 1, f"{model.title}; trained on {model.cohort}", 3)
            if model.is_active:
                chooser.setCurrentIndex(chooser.count() - 1)

    def _open_finetune(self) -> None:
        from star_core.storage import user_folder
        from star_viewer.dialogs.finetune import FineTuneDialog

        active_first = sorted(self._models, key=lambda model: not model.is_active)
        dialog = FineTuneDialog(tuple(model.name for model in active_first), user_folder() / "trained", self.window)
        dialog.bundle_ready.connect(lambda folder: self.workflow.install_model(Path(folder)))
        self._open(dialog)

    # ------------------------------------------------------------------ telling

    def _refuse(self, failure: Failed) -> None:
        self._show_models(self._models)  # a model that was chosen and cannot be used must not stand in the chooser
        box = QMessageBox(QMessageBox.Icon.Warning, TITLE, failure.message, QMessageBox.StandardButton.Ok, self.window)
        box.setInformativeText(failure.remedy)
        if failure.details:
            box.setDetailedText(failure.details)
        if failure.kind == "SliceGapError":
            accept = box.addButton("Interpolate and open", QMessageBox.ButtonRole.AcceptRole)
            accept.clicked.connect(lambda: self.workflow.open_with_filled_gaps())
        self._open(box)

    def _tell_trouble(self, request: Request, failure: Failed) -> None:
        self.window.banners.tell(
            f"{request.text}: {failure.message} {failure.remedy}".strip(),
            severity=Severity.REFUSAL,
            details=failure.details,
        )

    def _tell_view_problem(self, message: str) -> None:
        self.window.banners.tell(f"The picture cannot be drawn: {message}", severity=Severity.REFUSAL)

    def _show_trust(self, *_: object) -> None:
        findings = findings_of(self.session)
        warnings = sum(finding.severity is not Severity.NOTE for finding in findings)
        text = "no case" if self.session.volume is None else f"{warnings} warnings" if warnings != 1 else "1 warning"
        self.window.trust_chip.setText(f"trust: {text}")
        self._tell_of_model({finding.message for finding in findings if finding.code in TOLD_IN_BANNERS})

    def _tell_of_model(self, messages: set[str]) -> None:
        """Show what the model cannot say above the picture, once for each model and case."""
        for message in self._told - messages:
            self.window.banners.withdraw(message)
        for message in sorted(messages - self._told):
            self.window.banners.tell(message)
        self._told = messages

    def _show_reading(self, reading: Any) -> None:
        if reading is None:
            self.window.reading.clear()
            return
        unit = " in this year" if self.session.incidence_mode is IncidenceMode.ANNUAL else ""
        parts = [] if reading.hu is None else [f"HU {reading.hu}"]
        if reading.later_hu is not None:
            parts.append(f"later HU {reading.later_hu}")
        if reading.risk_percent_per_10ml is not None:
            parts.append(f"risk {reading.risk_percent_per_10ml:.2f} % per 10 ml{unit}")
        if reading.structure:
            parts.append(reading.structure)
        if reading.segment:
            parts.append(f"segment {reading.segment}")
        self.window.reading.setText(" · ".join(parts))

    # ------------------------------------------------------------------ looks

    def _toggle_overlay(self) -> None:
        self.session.set_overlay(replace(self.session.overlay, visible=not self.session.overlay.visible))

    def _change_opacity(self, step: float) -> None:
        self._set_opacity(min(max(self.session.overlay.opacity + step, 0.0), 1.0))

    def _set_opacity(self, opacity: float) -> None:
        if abs(opacity - self.session.overlay.opacity) > 1e-3:
            self.session.set_overlay(replace(self.session.overlay, opacity=opacity))

    def _show_overlay(self, style: Any) -> None:
        self.window.star_actions["overlay"].setChecked(style.visible)
        self.window.opacity.setValue(round(100 * style.opacity))

    def _undo(self) -> None:
        if not self.browsing.undo_deletion_if_here():
            self.session.history.undo()

    def _name_steps(self) -> None:
        history = self.session.history
        for name, verb, text in (("undo", "Undo", history.undo_text), ("redo", "Redo", history.redo_text)):
            self.window.star_actions[name].setText(f"{verb}: {text}" if text else verb)

    def _switch_theme(self) -> None:
        theme = Theme.LIGHT if is_dark(self.settings.settings.theme) else Theme.DARK
        self._set_theme(theme)

    def _set_theme(self, theme: Theme) -> None:
        self.settings.change(theme=theme)
        apply_theme(self._qt_app, theme)

    def _open(self, dialog: Any) -> None:
        self._dialogs = [kept for kept in self._dialogs if kept.isVisible()]
        self._dialogs.append(dialog)
        dialog.setModal(False)
        dialog.show()
