"""The studies of servers: whom to ask, for what, what they have, and what of it is here."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from star_viewer.browser.match_tree import MatchTree
from star_viewer.browser.query_form import QueryForm
from star_viewer.key_button import KeyButton
from star_viewer.theme import GRID

NOT_ASKED = "Fill in what you know and press Enter.\nEmpty fields ask for everything."
NOTHING_FOUND = "The server has nothing that fits.\nPart of a name finds more than a whole one."
FAILED = "No answer."


class PacsBrowser(QWidget):
    """Narrow at the left of the window, or wide with all columns; without a server it says how to add one."""

    servers_asked = Signal()
    retrieve_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form, self.tree = QueryForm(), MatchTree()
        self.tree.empty_text = NOT_ASKED
        self.summary = QLabel()
        self.summary.setProperty("role", "faint")
        self.summary.setWordWrap(True)
        self.retrieve_button, self.servers_button = KeyButton("Retrieve"), KeyButton("Servers…")
        self.retrieve_button.setToolTip("Bring the chosen studies to this computer (Enter, Ctrl+R)")
        self.retrieve_button.setEnabled(False)
        self.servers_button.setToolTip("Add, change, test and remove servers")
        self.add_button = KeyButton("Add a server…")
        self.add_button.setDefault(True)
        self.stack = QStackedWidget()
        self.stack.addWidget(self._build_empty())
        self.stack.addWidget(self._build_search())
        self.stack.setCurrentIndex(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID // 2)
        layout.addWidget(self.stack)
        self.add_button.clicked.connect(self.servers_asked)
        self.servers_button.clicked.connect(self.servers_asked)
        self.retrieve_button.clicked.connect(self.retrieve_asked)
        self.form.entered.connect(self.tree.choose_first)
        self.tree.itemSelectionChanged.connect(self.show_choice)
        self.tree.left.connect(self.form.take_focus)

    def _build_empty(self) -> QWidget:
        page, text = (
            QWidget(),
            QLabel("No server yet.\nAdd your PACS to search it from here and to bring studies over."),
        )
        text.setWordWrap(True)
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(page)
        layout.addStretch(1)
        layout.addWidget(text)
        layout.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignCenter)
        layout.addStretch(1)
        return page

    def _build_search(self) -> QWidget:
        page, buttons = QWidget(), QHBoxLayout()
        buttons.addWidget(self.summary, 1)
        buttons.addWidget(self.retrieve_button)
        buttons.addWidget(self.servers_button)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID // 2)
        layout.addWidget(self.form)
        layout.addWidget(self.tree, 1)
        layout.addLayout(buttons)
        return page

    # ------------------------------------------------------------------ what is shown

    @property
    def offers_first(self) -> bool:
        """Whether nothing can be asked, and a first server is offered to be added."""
        return self.stack.currentIndex() == 0

    def show_servers(self, names: tuple[str, ...], chosen: str = "") -> None:
        """Offer servers, or say how to add one."""
        self.form.show_servers(names, chosen)
        self.stack.setCurrentIndex(1 if names else 0)

    def show_matches(self, studies: tuple[Any, ...], *, offset: int, has_more: bool) -> None:
        """Show a page of what the server has."""
        self.tree.empty_text = NOTHING_FOUND
        self.tree.show_matches(studies, offset=offset, has_more=has_more)
        count = self.tree.count
        self.summary.setText(
            ("1 study" if count == 1 else f"{count:,} studies") + (", and more at the server" if has_more else "")
        )
        self.tree.viewport().update()
        self.show_choice()
        if count and offset == 0:
            self.tree.choose_first()

    def forget_matches(self) -> None:
        """Take away what another server had."""
        self.tree.show_matches((), offset=0, has_more=False)
        self.tree.empty_text = ""
        self.summary.setText("")
        self.show_choice()

    def show_failed(self) -> None:
        """Show that there was no answer, where the answers stand."""
        if self.tree.count == 0:
            self.tree.empty_text = FAILED
            self.summary.setText("")
        self.tree.forget_waiting()
        self.tree.viewport().update()

    def show_choice(self) -> None:
        """Let the button say what it would do."""
        count = len(self.tree.chosen())
        self.retrieve_button.setEnabled(count > 0)
        self.retrieve_button.setText(f"Retrieve {count}" if count > 1 else "Retrieve")

    def set_wide(self, wide: bool) -> None:
        """Show all columns and the fields in a row, or a narrow column."""
        self.form.set_wide(wide)
        self.tree.set_wide(wide)

    def take_focus(self) -> None:
        """Let the keys begin at the patient's name, or at the way to a first server."""
        if self.offers_first:
            self.add_button.setFocus()
        else:
            self.form.take_focus()
