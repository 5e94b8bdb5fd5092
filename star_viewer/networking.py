"""Connects the PACS, by hand: what is asked of servers, what is brought over, opened, and sent."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtWidgets import QMenu

from star_core.types import Severity
from star_viewer.actions import PACS_MENU
from star_viewer.browser.match_tree import WHOLE
from star_viewer.browser.study_tree import studies_of
from star_viewer.browsing import Browsing
from star_viewer.dialogs.send import SendDialog
from star_viewer.importing import OpenDialog
from star_viewer.jobs.network_requests import Matches, RemoteWanted, RetrieveStudy, SendStudies
from star_viewer.jobs.requests import Request
from star_viewer.jobs.worker import Failed
from star_viewer.main_window import MainWindow
from star_viewer.pacs import Pacs
from star_viewer.serverbook import ServerBook
from star_viewer.settings import SettingsStore
from star_viewer.transfers import Transfers


class Networking(QObject):
    """Knows which server is chosen and what is to be sent; asks the servers through ``Pacs``."""

    def __init__(
        self,
        window: MainWindow,
        pacs: Pacs,
        browsing: Browsing,
        book: ServerBook,
        settings: SettingsStore,
        open_dialog: OpenDialog,
    ) -> None:
        super().__init__(window)
        self._window, self._pacs, self._browsing, self._book = window, pacs, browsing, book
        self._settings, self._open_dialog = settings, open_dialog
        self._panel, self._banners = window.pacs, window.studies_banners
        self._told_query = ""
        self._to_send: tuple[int, ...] = ()
        self._ask_when_listed = False
        self.transfers = Transfers(window, pacs)
        self.transfers.open_asked.connect(browsing.open_study)
        self._connect_actions()
        self._connect_panel()
        self._connect_pacs()

    # ------------------------------------------------------------------ wiring

    def _connect_actions(self) -> None:
        actions = self._window.star_actions
        for name, slot in (
            ("place_local", self._show_local),
            ("place_pacs", self.show_pacs),
            ("retrieve", self._retrieve_chosen),
            ("retrieve_move", lambda: self._retrieve_chosen(by_move=True)),
            ("match_open", self._open_chosen),
            ("send", self._ask_where_to_send),
            ("transfers_stop", self.transfers.stop),
            ("find", self._find),
        ):
            actions[name].triggered.connect(lambda _=False, do=slot: do())
        actions["browse"].toggled.connect(self._show_wide)

    def _connect_panel(self) -> None:
        panel, pacs = self._panel, self._pacs
        self._window.places.currentChanged.connect(lambda _: self._list_once())
        panel.servers_asked.connect(self._book.open_first_or_page)
        panel.retrieve_asked.connect(self._retrieve_chosen)
        panel.form.asked.connect(self._ask)
        panel.form.stopped.connect(pacs.runners.queries.cancel)
        panel.form.left.connect(self._leave)
        panel.form.test_button.clicked.connect(self._test)
        panel.form.server.activated.connect(lambda _: self._remember_server())
        panel.tree.study_activated.connect(self._activate)
        panel.tree.more_wanted.connect(self._ask_for_more)
        panel.tree.series_wanted.connect(self._list_series)
        panel.tree.menu_asked.connect(self._open_menu)

    def _connect_pacs(self) -> None:
        pacs, queries = self._pacs, self._pacs.runners.queries
        pacs.servers_listed.connect(self._show_servers)
        pacs.found.connect(self._show_matches)
        pacs.cannot_find.connect(self._tell_no_answer)
        pacs.series_listed.connect(self._panel.tree.show_series)
        pacs.cannot_list_series.connect(self._tell_no_series)
        pacs.tested.connect(self._tell_tested)
        pacs.cannot_reach.connect(self._tell_unreached)
        pacs.sent.connect(self._tell_sent)
        pacs.cannot_send.connect(self._tell_unsent)
        pacs.troubled.connect(self._tell_trouble)
        queries.started.connect(lambda _: self._panel.form.show_asking(True))
        queries.idle.connect(lambda: self._panel.form.show_asking(False))
        queries.cancelled.connect(lambda _: self._panel.show_failed())

    # ------------------------------------------------------------------ places

    def show_pacs(self) -> None:
        """Show the servers' studies, with the keys at the patient's name."""
        self._window.places.setCurrentWidget(self._panel)
        self._panel.take_focus()

    def _show_local(self) -> None:
        self._window.places.setCurrentWidget(self._window.local)
        self._window.local.tree.choose_first()

    @property
    def _is_shown(self) -> bool:
        return self._window.places.currentWidget() is self._panel

    def _show_wide(self, wide: bool) -> None:
        if self._is_shown and wide:
            self._panel.tree.choose_first() if self._panel.tree.count else self._panel.take_focus()

    def _find(self) -> None:
        if self._is_shown:
            self._panel.take_focus()

    def _leave(self) -> None:
        self._window.star_actions["browse"].setChecked(False)

    def _list_once(self) -> None:
        if self._is_shown and not self._pacs.was_listed:
            self._pacs.list_servers()

    # ------------------------------------------------------------------ asking

    @property
    def _server(self) -> Any | None:
        name = self._panel.form.server.currentText()
        return next((server for server in self._pacs.servers if server.name == name), None)

    def _show_servers(self, servers: tuple[Any, ...]) -> None:
        was_offering = self._panel.offers_first
        self._panel.show_servers(tuple(server.name for server in servers), self._settings.settings.server)
        if self._is_shown and self._panel.offers_first is not was_offering:
            self._panel.take_focus()
        if self._ask_when_listed:
            self._ask()
        if self._to_send:
            self._open_send_dialog()

    def _remember_server(self) -> None:
        self._settings.change(server=self._panel.form.server.currentText())

    def _ask(self) -> None:
        server, form = self._server, self._panel.form
        self._ask_when_listed = server is None and not self._pacs.was_listed
        if server is None:
            return
        first, last = form.dates()
        self._withdraw_query()
        if self._pacs.asked_server not in (None, server):
            self._panel.forget_matches()
        self._pacs.find(
            server,
            RemoteWanted(
                patient_name=form.name.text(),
                patient_id=form.patient_id.text(),
                accession=form.accession.text(),
                modality=form.modality_text,
                date_from=first,
                date_to=last,
            ),
        )

    def _ask_again(self) -> None:
        self._panel.take_focus()  # the button that has the focus goes with its banner
        self._ask()

    def _ask_for_more(self) -> None:
        self._withdraw_query()
        self._pacs.find_more()

    def _list_series(self, study_uid: str) -> None:
        if self._pacs.asked_server is not None:
            self._pacs.list_series(self._pacs.asked_server, study_uid)

    def _show_matches(self, matches: Matches, offset: int) -> None:
        panel = self._panel
        panel.show_matches(matches.studies, offset=offset, has_more=matches.has_more)
        counts = {study.study_uid: study.instance_count for study in matches.studies}
        panel.tree.show_here(
            {row.study_uid: _here_text(row.instance_count, counts.get(row.study_uid)) for row in matches.here}
        )
        self.transfers.note_rows(matches.here)
        panel.tree.show_here(self.transfers.texts)

    def _tell_no_answer(self, failure: Failed) -> None:
        self._panel.show_failed()
        again = ("Ask again", self._ask_again)
        self._told_query = f"{failure.message} {failure.remedy}".strip()
        self._banners.tell(self._told_query, severity=Severity.REFUSAL, details=failure.details, buttons=(again,))

    def _withdraw_query(self) -> None:
        self._banners.withdraw(self._told_query)

    def _tell_no_series(self, study_uid: str, failure: Failed) -> None:
        self._panel.tree.forget_series(study_uid)
        message = f"{failure.message} {failure.remedy}".strip()
        self._banners.tell(message, severity=Severity.REFUSAL, details=failure.details)

    def _test(self) -> None:
        if self._server is not None:
            self._panel.summary.setText(f"Asking {self._server.name}…")
            self._pacs.test(self._server)

    def _tell_tested(self, server: Any, seconds: float) -> None:
        self._panel.summary.setText(f"{server.name} answers after {1000 * seconds:.0f} ms.")

    def _tell_unreached(self, server: Any, failure: Failed) -> None:
        self._panel.summary.setText(f"{server.name} does not answer.")
        if not self._book.is_open:
            message = f"{failure.message} {failure.remedy}".strip()
            self._banners.tell(message, severity=Severity.REFUSAL, details=failure.details)

    # ------------------------------------------------------------------ retrieving and opening

    def _retrieve_chosen(self, *, by_move: bool = False) -> None:
        if self._is_shown:
            self._retrieve(self._panel.tree.chosen(), by_move=by_move)

    def _retrieve(self, studies: tuple[Any, ...], *, by_move: bool = False) -> None:
        server = self._pacs.asked_server
        if server is None:
            return
        for study in studies:
            label = " · ".join(filter(None, (study.patient_name or "No name", study.date)))
            self.transfers.retrieve(
                RetrieveStudy(server=server, study_uid=study.study_uid, label=label, by_move=by_move)
            )

    def _activate(self, study: Any) -> None:
        """Open what is here; bring over what is not."""
        number = self.transfers.number_of(study.study_uid)
        if number is not None and self._panel.tree.here_text(study.study_uid) == WHOLE:
            self._open(number)
        else:
            self._retrieve((study,))

    def _open_chosen(self) -> None:
        chosen = self._panel.tree.chosen()
        number = self.transfers.number_of(chosen[0].study_uid) if self._is_shown and chosen else None
        if number is not None:
            self._open(number)

    def _open(self, number: int) -> None:
        self.transfers.withdraw_offer()
        self._browsing.open_study(number)

    def _open_menu(self, place: QPoint) -> None:
        menu = QMenu(self._panel)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name in PACS_MENU:
            menu.addAction(self._window.star_actions[name])
        menu.popup(place)

    # ------------------------------------------------------------------ sending

    def _ask_where_to_send(self) -> None:
        studies = studies_of(self._window.local.tree.chosen())
        if not studies:
            self._banners.tell("Choose the studies to send first.", severity=Severity.NOTE)
            return
        self.send_studies(studies)

    def send_studies(self, studies: tuple[int, ...]) -> None:
        """Ask for a server, and send studies of the archive to it."""
        self._to_send = studies
        if self._pacs.was_listed:
            self._open_send_dialog()
        else:
            self._pacs.list_servers()

    def _open_send_dialog(self) -> None:
        studies, self._to_send = self._to_send, ()
        if not self._pacs.servers:
            add = ("Add a server…", self._book.open_first_or_page)
            self._banners.tell("There is no server to send to.", severity=Severity.NOTE, buttons=(add,))
            return
        what = "1 study" if len(studies) == 1 else f"{len(studies)} studies"
        dialog = SendDialog(what, self._pacs.servers, self._settings.settings.server, self._window)
        dialog.send_asked.connect(lambda server: self._pacs.send(server, studies))
        self._open_dialog(dialog)

    def _tell_sent(self, request: SendStudies, report: Any) -> None:
        total = report.sent + len(report.failed)
        if not report.failed:
            self._banners.tell(f"{report.sent:,} objects were sent to {request.server.name}.", severity=Severity.NOTE)
            return
        self._banners.tell(
            f"{request.server.name} did not take {len(report.failed):,} of {total:,} objects.",
            severity=Severity.WARNING,
            details="\n".join(f"File {one.number}: {one.reason}" for one in report.failed),
            buttons=(self._send_again(request),),
        )

    def _tell_unsent(self, request: SendStudies, failure: Failed) -> None:
        message = f"{request.text}: {failure.message} {failure.remedy}".strip()
        again = (self._send_again(request),)
        self._banners.tell(message, severity=Severity.REFUSAL, details=failure.details, buttons=again)

    def _send_again(self, request: SendStudies) -> tuple[str, Any]:
        def again() -> None:
            self._window.local.tree.setFocus()
            self._pacs.send(request.server, request.studies)

        return "Send again", again

    def _tell_trouble(self, request: Request, failure: Failed) -> None:
        message = f"{request.text}: {failure.message} {failure.remedy}".strip()
        self._banners.tell(message, severity=Severity.REFUSAL, details=failure.details)


def _here_text(here: int, announced: int | None) -> str:
    return WHOLE if announced is None or here >= announced else f"{here:,} of {announced:,} here"
