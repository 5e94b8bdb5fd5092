"""Connects the receiver: switched on and off by the user, shown in the status bar, ended with the window."""

from __future__ import annotations

from PySide6.QtCore import QObject

from star_core.types import Severity
from star_viewer.dialogs.preferences import PreferencesDialog
from star_viewer.dialogs.receiver_page import ReceiverPage
from star_viewer.importing import Importing
from star_viewer.jobs.network_requests import ReceiverPlan
from star_viewer.jobs.worker import Failed
from star_viewer.main_window import MainWindow
from star_viewer.pacs import Pacs
from star_viewer.settings import ReceiverSettings, SettingsStore
from star_viewer.shelf import Shelf


class Receiving(QObject):
    """Knows whether studies are received and how many files came."""

    def __init__(
        self, window: MainWindow, pacs: Pacs, shelf: Shelf, importing: Importing, settings: SettingsStore
    ) -> None:
        super().__init__(window)
        self._window, self._pacs, self._shelf = window, pacs, shelf
        self._importing, self._settings = importing, settings
        self._banners, self._action = window.studies_banners, window.star_actions["receive"]
        self._page: ReceiverPage | None = None
        self._plan: ReceiverPlan | None = None
        self._counts = (0, 0)
        self._told = ""
        self._action.triggered.connect(self.switch)
        importing.preferences_opened.connect(self._add_page)
        runner = pacs.runners.receiver
        pacs.receiving.connect(self._show_counts)
        pacs.received.connect(self._end)
        pacs.cannot_receive.connect(self._tell_failed)
        runner.cancelled.connect(lambda _: self._end(*self._counts))

    def start_if_remembered(self) -> None:
        """Begin to receive where the user has asked for that at each start."""
        if self._settings.settings.receiver.at_start:
            self.switch(True)

    def switch(self, on: bool) -> None:
        """Begin or end to receive."""
        if on == (self._plan is not None):
            return
        self._banners.withdraw(self._told)
        if not on:
            self._show("stopping…")
            self._pacs.runners.receiver.cancel()
            return
        settings = self._settings.settings.receiver
        if not settings.allowed:
            self._tell("Nobody may send yet. Name the titles that may before studies are received.", "")
            self._show("")
            return
        self._plan, self._counts = ReceiverPlan(**settings.model_dump(exclude={"at_start"})), (0, 0)
        self._show("starting…")
        self._pacs.receive(self._plan)

    # ------------------------------------------------------------------ what comes

    def _show_counts(self, imported: int, came: int) -> None:
        if self._plan is None:
            return
        changed, self._counts = (imported, came) != self._counts, (imported, came)
        failed = f" · {came - imported:,} not imported" if came > imported else ""
        self._show(f"receiving on {self._plan.address}" + (f" · {imported:,} files{failed}" if came else ""))
        if changed:
            self._shelf.refresh()

    def _end(self, imported: int, came: int) -> None:
        changed = (imported, came) != self._counts
        self._plan = None
        self._show("")
        if changed:
            self._shelf.refresh()

    def _tell_failed(self, failure: Failed) -> None:
        self._plan = None
        self._show("")
        self._tell(f"Receiving: {failure.message} {failure.remedy}".strip(), failure.details)

    def _tell(self, message: str, details: str) -> None:
        self._told = message
        buttons = (("Receiver…", self._open_page),)
        self._banners.tell(message, severity=Severity.WARNING, details=details, buttons=buttons)

    def _show(self, text: str) -> None:
        running = self._plan is not None
        self._action.setChecked(running)
        self._window.show_receiving(text)
        if self._page is not None:
            self._page.show_running(running, text)

    # ------------------------------------------------------------------ preferences

    def _add_page(self, dialog: PreferencesDialog) -> None:
        page = ReceiverPage(self._settings.settings.receiver, running=self._plan is not None)
        page.changed.connect(self._keep)
        page.switched.connect(self.switch)
        dialog.add_page("Receiver", page)
        dialog.finished.connect(lambda _: self._forget_page(page))
        self._page = page
        if self._plan is not None:
            page.show_running(True, self._window.receiving.text())

    def _keep(self, settings: ReceiverSettings) -> None:
        self._settings.change(receiver=settings)

    def _forget_page(self, page: ReceiverPage) -> None:
        if self._page is page:
            self._page = None

    def _open_page(self) -> None:
        dialog = self._importing.open_preferences()
        if self._page is not None:
            dialog.pages.setCurrentWidget(self._page)
