"""Connects the servers' page of the preferences: servers entered, changed, tested and removed."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject

from star_viewer.dialogs.preferences import PreferencesDialog
from star_viewer.dialogs.server_form import ServerForm
from star_viewer.dialogs.servers_page import ServersPage
from star_viewer.importing import Importing, OpenDialog
from star_viewer.jobs.worker import Failed
from star_viewer.pacs import Pacs


class ServerBook(QObject):
    """Shows what is known of servers, and keeps what is entered."""

    def __init__(self, pacs: Pacs, importing: Importing, open_dialog: OpenDialog) -> None:
        super().__init__(importing)
        self._pacs, self._importing, self._open_dialog = pacs, importing, open_dialog
        self._page: ServersPage | None = None
        self._form: ServerForm | None = None
        self._dialog: PreferencesDialog | None = None
        importing.preferences_opened.connect(self._add_page)
        pacs.servers_listed.connect(self._show_servers)
        pacs.saved.connect(self._close_form)
        pacs.cannot_save.connect(self._tell_unsaved)
        pacs.tested.connect(self._tell_tested)
        pacs.cannot_reach.connect(lambda server, failure: self._tell(_in_words(failure), failed=True))

    @property
    def is_open(self) -> bool:
        """Whether the page or a form is shown, which tell what came of a test."""
        return self._page is not None or self._form is not None

    def open_first_or_page(self) -> None:
        """Show the servers; ask for the first one where there is none."""
        dialog = self._dialog or self._importing.open_preferences()
        if self._page is not None:
            dialog.pages.setCurrentWidget(self._page)
            self._page.table.setFocus()
        if self._pacs.was_listed and not self._pacs.servers:
            self._open_form(None)

    # ------------------------------------------------------------------ the page

    def _add_page(self, dialog: PreferencesDialog) -> None:
        page = ServersPage()
        page.add_asked.connect(lambda: self._open_form(None))
        page.edit_asked.connect(self._open_form)
        page.test_asked.connect(self._pacs.test)
        page.remove_asked.connect(lambda server: self._pacs.remove(server.name))
        page.show_servers(self._pacs.servers)
        dialog.add_page("Servers", page)
        dialog.finished.connect(lambda _: self._forget_page(page))
        self._page, self._dialog = page, dialog
        if not self._pacs.was_listed:
            self._pacs.list_servers()

    def _forget_page(self, page: ServersPage) -> None:
        if self._page is page:
            self._page = self._dialog = None

    def _show_servers(self, servers: tuple[Any, ...]) -> None:
        if self._page is not None:
            self._page.show_servers(servers)

    # ------------------------------------------------------------------ the form

    def _open_form(self, server: Any | None) -> None:
        form = ServerForm(server, tuple(one.name for one in self._pacs.servers), self._dialog)
        form.save_asked.connect(self._pacs.save)
        form.test_asked.connect(self._pacs.test)
        form.finished.connect(lambda _: self._forget_form(form))
        self._form = form
        self._open_dialog(form)

    def _forget_form(self, form: ServerForm) -> None:
        if self._form is form:
            self._form = None

    def _close_form(self, name: str) -> None:
        if self._form is not None:
            self._form.close()
        if self._page is not None:
            self._page.show_outcome(f"{name} is saved.")

    # ------------------------------------------------------------------ telling

    def _tell_tested(self, server: Any, seconds: float) -> None:
        self._tell(f"{server.name} answers at {server.address} after {1000 * seconds:.0f} ms.", failed=False)

    def _tell_unsaved(self, failure: Failed) -> None:
        typed = self._form is not None and bool(self._form.password.text())
        without = " Empty the password to save the server without it." if typed else ""
        self._tell(_in_words(failure) + without, failed=True)

    def _tell(self, text: str, *, failed: bool) -> None:
        shown = self._form or self._page
        if shown is not None:
            shown.show_outcome(text, failed=failed)


def _in_words(failure: Failed) -> str:
    return f"{failure.message} {failure.remedy}".strip()
