"""Connects the study browser, by hand: what is looked for, chosen, opened, deleted and brought back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QPoint, Qt, QTimer
from PySide6.QtWidgets import QMenu, QMessageBox

from star_core.types import Severity
from star_viewer.actions import STUDY_MENU
from star_viewer.browser.nodes import MEASUREMENT, Kind, Node
from star_viewer.browser.study_tree import studies_of
from star_viewer.jobs.archive_requests import ListContents, Surroundings, Wanted
from star_viewer.jobs.requests import ArchivedScan, CaseSource, Request
from star_viewer.jobs.worker import Failed
from star_viewer.main_window import TITLE, MainWindow
from star_viewer.shelf import Shelf
from star_viewer.workflow import Workflow

if TYPE_CHECKING:
    from star_core.archive.rows import Purge

CHOOSING_PAUSE_MS = 150
MOST_UNFOLDED = 20
ONLY_CT = "Only a CT can be opened here, or a segmentation that was drawn on one."


class Browsing(QObject):
    """Knows what is chosen in the browser and what was deleted last; asks the shelf and the workflow."""

    def __init__(self, window: MainWindow, shelf: Shelf, workflow: Workflow) -> None:
        super().__init__(window)
        self._window, self._shelf, self._workflow = window, shelf, workflow
        self._local, self._banners = window.local, window.studies_banners
        self._deletion: int | None = None
        self._models: tuple[str, ...] = ()
        self._pause = QTimer(self, interval=CHOOSING_PAUSE_MS, singleShot=True)
        self._pause.timeout.connect(self._ask_about_chosen)
        self._connect_actions()
        self._connect_browser()
        self._connect_shelf()
        workflow.case_opened.connect(self._show_open_case)
        workflow.series_listed.connect(self._show_folder)
        workflow.assessed.connect(self._show_kept_result)
        workflow.models_listed.connect(self._take_models)

    # ------------------------------------------------------------------ wiring

    def _connect_actions(self) -> None:
        actions = self._window.star_actions
        for name, slot in (
            ("find", self._find),
            ("study_open", self._open_current),
            ("study_details", lambda: actions["browse"].setChecked(True)),
            ("study_delete", self._delete_chosen),
            ("study_undelete", lambda: self._shelf.undo(self._deletion)),
            ("purge", self.ask_purge),
        ):
            actions[name].triggered.connect(lambda _=False, do=slot: do())
        actions["browse"].toggled.connect(self._show_wide)
        actions.attach("browser", self._local.tree)

    def _connect_browser(self) -> None:
        local, shelf = self._local, self._shelf
        local.filters.changed.connect(self._search)
        local.tree.activated.connect(lambda _: self._open_current())
        local.tree.left.connect(lambda: self._window.star_actions["browse"].setChecked(False))
        local.tree.menu_asked.connect(self._open_menu)
        local.tree.current_changed.connect(self._choose)
        local.timeline.chosen.connect(self._choose_study)
        local.timeline.opened.connect(self.open_study)
        local.model.contents_wanted.connect(shelf.list_contents)
        local.model.more_wanted.connect(shelf.find_more)
        local.pictures.asked.connect(shelf.draw_picture)
        self._window.empty_state.study_asked.connect(self.open_study)

    def _connect_shelf(self) -> None:
        local, shelf = self._local, self._shelf
        shelf.studies_found.connect(self._show_studies)
        shelf.contents_listed.connect(self._show_contents)
        shelf.patient_listed.connect(self._show_timeline)
        shelf.looked_around.connect(self._look_around)
        shelf.picture_drawn.connect(local.pictures.take)
        shelf.described.connect(local.details.show_details)
        shelf.cannot_describe.connect(
            lambda series, failure: local.details.show_problem(series, f"{failure.message} {failure.remedy}".strip())
        )
        shelf.deleted.connect(self._tell_deleted)
        shelf.undone.connect(self._tell_undone)
        shelf.purged.connect(self._tell_purged)
        shelf.moved.connect(lambda _: local.pictures.clear())
        shelf.troubled.connect(self._tell_trouble)

    # ------------------------------------------------------------------ looking

    def _search(self, text: str, modality: str, body_part: str, date_from: str, date_to: str) -> None:
        self._shelf.find(
            Wanted(text=text, modality=modality, body_part=body_part, date_from=date_from, date_to=date_to)
        )

    def _show_studies(self, rows: tuple[Any, ...], offset: int, has_more: bool) -> None:
        local = self._local
        local.model.show_studies(rows, offset=offset, has_more=has_more)
        local.show_empty_text()
        if len({row.patient for row in local.model.rows}) <= MOST_UNFOLDED and (local.filters.is_set or len(rows) == 1):
            local.tree.expandToDepth(0)

    def _show_contents(self, contents: Any) -> None:
        model, tree = self._local.model, self._local.tree
        model.show_contents(contents)
        study = model.find(Kind.STUDY, str(contents.study))
        for node in () if study is None else study.children:
            tree.expand(model.index_of(node))

    def _look_around(self, around: Surroundings) -> None:
        self._local.filters.show_values(around.facets.modalities, around.facets.body_parts)
        self._window.empty_state.show_recent_studies(around.recent)

    def _choose(self, node: Node | None) -> None:
        if node is None or node.above(Kind.PATIENT) is None:
            self._local.timeline.show_studies((), -1)
        self._pause.start()

    def _ask_about_chosen(self) -> None:
        """Ask for what belongs to the chosen row, once the keys rest."""
        node, local = self._local.tree.current, self._local
        patient = None if node is None else node.above(Kind.PATIENT)
        if patient is not None:
            self._shelf.list_patient(patient.data.patient)
        if not local.details.isVisible():
            return
        if node is not None and node.kind is Kind.SERIES:
            local.details.show_node(node, local.pictures.picture_of(node.data.id))
            self._shelf.describe(node.data.id)
        else:
            local.details.show_node(node)

    def _show_timeline(self, studies: tuple[Any, ...]) -> None:
        node = self._local.tree.current
        chosen = studies_of([node]) if node is not None else ()
        self._local.timeline.show_studies(studies, chosen[0] if chosen else -1)

    def _choose_study(self, study: int) -> None:
        node = self._local.model.find(Kind.STUDY, str(study))
        if node is not None:
            self._local.tree.choose(node)

    def _find(self) -> None:
        search = self._local.filters.search
        search.setFocus()
        search.selectAll()

    def _show_wide(self, wide: bool) -> None:
        self._window.show_all_studies(wide)
        if wide:
            self._local.tree.choose_first()
            self._pause.start()

    def _open_menu(self, place: QPoint) -> None:
        menu = QMenu(self._local)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name in STUDY_MENU:
            menu.addAction(self._window.star_actions[name])
        menu.popup(place)

    # ------------------------------------------------------------------ opening

    def open_study(self, study: int) -> None:
        """Open the largest CT of a study, with the segmentation that belongs to it."""
        self._workflow.open_archived(ArchivedScan(study=study))

    def _open_current(self) -> None:
        node = self._local.tree.current
        if node is None:
            return
        match node.kind:
            case Kind.PATIENT | Kind.FOLDER:
                self._local.tree.toggle(node)
            case Kind.STUDY:
                self.open_study(node.data.id)
            case Kind.FILE_SERIES if node.data.modality == "CT":
                self._workflow.open_series(node.data.series_uid)
            case Kind.SERIES | Kind.RESULT if (scan := _scan_of(node)) is not None:
                if scan.result is not None:
                    self._use_model_of(node.data)
                self._workflow.open_archived(scan)
            case _:
                self._tell(ONLY_CT)

    def _use_model_of(self, result: Any) -> None:
        if result.model_name in self._models:
            self._workflow.choose_model(result.model_name)
        else:
            self._tell(f"Model {result.model_name} is not installed here: the case is assessed with the model in use.")

    def _show_open_case(self, source: CaseSource) -> None:
        model, volume = self._local.model, self._workflow.volume
        self._window.star_actions["browse"].setChecked(False)
        if self._local.tree.hasFocus():  # letters are keys of the picture now, not of the search
            getattr(self._window.views, "axial", self._window.views).setFocus()
        if source.is_demo:
            model.show_folder("Demonstration patient (synthetic)")
        elif source.folder is not None and not source.folder.is_dir():
            model.show_folder(source.folder.name)
        elif source.archived is not None:
            model.show_folder("")
            self._expand_study(source.archived.study)
            self._shelf.look_around()
        model.mark_open("" if volume is None else volume.series_uid)

    def _expand_study(self, study: int) -> None:
        model, tree = self._local.model, self._local.tree
        node = model.find(Kind.STUDY, str(study))
        for one in () if node is None or node.parent is None else (node.parent, node):
            tree.expand(model.index_of(one))

    def _show_folder(self, series: tuple[Any, ...]) -> None:
        """Show a folder that is open without being imported, at the top."""
        model, tree = self._local.model, self._local.tree
        model.show_folder(series[0].folder.name if series else "", series)
        node = model.find(Kind.FOLDER, "folder")
        if node is not None:
            tree.expand(model.index_of(node))
            tree.scrollToTop()

    def _show_kept_result(self) -> None:
        source = self._workflow.source
        if source is not None and source.archived is not None:
            self._shelf.list_contents(source.archived.study)

    def _take_models(self, models: tuple[Any, ...]) -> None:
        self._models = tuple(model.name for model in models)

    # ------------------------------------------------------------------ deleting

    def undo_deletion_if_here(self) -> bool:
        """Undo the last deletion if the keys are with the browser; tell whether there was one to undo."""
        if self._deletion is None or not self._local.tree.hasFocus():
            return False
        self._shelf.undo(self._deletion)
        return True

    def _delete_chosen(self) -> None:
        chosen = self._local.tree.chosen()
        if not chosen or any(node.kind not in (Kind.PATIENT, Kind.STUDY) for node in chosen):
            self._tell("Whole studies are deleted: choose a study or a patient.")
            return
        self._shelf.delete(studies_of(chosen))

    def _tell_deleted(self, deletion: int, count: int) -> None:
        self._withdraw_deletion()
        self._deletion = deletion
        self._told_deletion = "1 study deleted." if count == 1 else f"{count} studies deleted."
        self._tell(self._told_deletion, buttons=(("Undo", lambda: self._shelf.undo(deletion)),))

    def _tell_undone(self, files: int) -> None:
        self._withdraw_deletion()
        self._tell(f"Back again: {files:,} files.")

    def ask_purge(self) -> None:
        """Ask whether what was deleted may go for good."""
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle(TITLE)
        box.setText("Remove the files of deleted studies for good?")
        box.setInformativeText("They cannot be brought back. Files that were only linked stay where they are.")
        accept = box.addButton("Empty the bin", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        accept.clicked.connect(self._shelf.purge)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setModal(False)
        box.show()

    def _tell_purged(self, purge: Purge) -> None:
        self._withdraw_deletion()
        self._tell(f"{purge.files:,} files were removed for good.")

    def _withdraw_deletion(self) -> None:
        if self._deletion is not None:
            self._banners.withdraw(self._told_deletion)
            self._deletion = None

    # ------------------------------------------------------------------ telling

    def _tell(self, message: str, **more: Any) -> None:
        self._banners.tell(message, severity=more.pop("severity", Severity.NOTE), **more)

    def _tell_trouble(self, request: Request, failure: Failed) -> None:
        if isinstance(request, ListContents):
            self._local.model.forget_asking(request.study)
        message = f"{request.text}: {failure.message} {failure.remedy}".strip()
        self._tell(message, severity=Severity.REFUSAL, details=failure.details)


def _scan_of(node: Node) -> ArchivedScan | None:
    """Return what a series or result opens: its CT, with the segmentation or the result that was chosen."""
    study, above = node.above(Kind.STUDY), node.parent
    if study is None:
        return None
    number = study.data.id
    if node.kind is Kind.SERIES and node.data.modality == "CT":
        return ArchivedScan(study=number, series=node.data.id)
    if above is None or above.kind is not Kind.SERIES:
        return None
    if node.kind is Kind.RESULT and node.data.kind == MEASUREMENT:
        return ArchivedScan(study=number, series=above.data.id)
    if node.kind is Kind.RESULT:
        return ArchivedScan(study=number, series=above.data.id, result=node.data.id)
    return ArchivedScan(study=number, series=above.data.id, segmentation=node.data.id)
