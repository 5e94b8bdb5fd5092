"""The servers that are known: added, changed, tested and removed."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from star_core.dicom.network.servers import Protocol, Server
from star_viewer.theme import GRID

_KINDS = {Protocol.DIMSE: "DIMSE", Protocol.WEB: "DICOMweb"}
_WIDTHS = (20, 12, 40)


class ServersPage(QWidget):
    """Lists servers with how each is reached; what is done to them is asked by signals."""

    add_asked = Signal()
    edit_asked = Signal(object)  # Server
    remove_asked = Signal(object)  # Server
    test_asked = Signal(object)  # Server

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = QTreeWidget()
        self.table.setAccessibleName("Servers")
        self.table.setHeaderLabels(["Name", "Speaks", "Address"])
        self.table.setRootIsDecorated(False)
        self.table.setTabKeyNavigation(False)
        for column, width in enumerate(_WIDTHS):
            self.table.setColumnWidth(column, width * GRID)
        self.add_button, self.edit_button = QPushButton("&Add…"), QPushButton("&Change…")
        self.test_button, self.remove_button = QPushButton("&Test connection"), QPushButton("&Remove")
        self.test_button.setToolTip("Ask whether the server answers")
        self.remove_button.setToolTip("Forget the server and its password; studies that are here stay")
        self.outcome = QLabel("No server yet: Add… enters one.")
        self.outcome.setWordWrap(True)
        self._lay_out()
        self._connect()
        self.show_servers(())

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        for button in (self.add_button, self.edit_button, self.test_button, self.remove_button):
            button.setAutoDefault(True)
            buttons.addWidget(button)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.outcome)
        layout.addLayout(buttons)

    def _connect(self) -> None:
        self.add_button.clicked.connect(self.add_asked)
        for button, signal in (
            (self.edit_button, self.edit_asked),
            (self.test_button, self.test_asked),
            (self.remove_button, self.remove_asked),
        ):
            button.clicked.connect(lambda _=False, tell=signal: self._tell(tell))
        self.table.itemActivated.connect(lambda *_: self._tell(self.edit_asked))
        self.table.currentItemChanged.connect(lambda *_: self._enable())
        self.test_asked.connect(lambda server: self.show_outcome(f"Asking {server.address}…"))

    @property
    def current(self) -> Server | None:
        """The server that the buttons act on."""
        item = self.table.currentItem()
        return None if item is None else item.data(0, Qt.ItemDataRole.UserRole)

    def show_servers(self, servers: tuple[Server, ...]) -> None:
        """List servers; the current one stays current."""
        kept = "" if self.current is None else self.current.name
        self.table.clear()
        for server in servers:
            item = QTreeWidgetItem([server.name, _KINDS[server.protocol], server.address])
            item.setData(0, Qt.ItemDataRole.UserRole, server)
            item.setToolTip(2, server.address)
            self.table.addTopLevelItem(item)
            if server.name == kept or self.table.currentItem() is None:
                self.table.setCurrentItem(item)
        if not servers:
            self.show_outcome("No server yet: Add… enters one.")
        elif self.outcome.text().startswith("No server"):
            self.show_outcome("")
        self._enable()

    def show_outcome(self, text: str, *, failed: bool = False) -> None:
        """Say what came of a test or a removal."""
        self.outcome.setProperty("role", "problem" if failed else "faint")
        self.outcome.style().polish(self.outcome)
        self.outcome.setText(text)

    def _tell(self, signal: object) -> None:
        if self.current is not None:
            signal.emit(self.current)  # type: ignore[attr-defined]

    def _enable(self) -> None:
        for button in (self.edit_button, self.test_button, self.remove_button):
            button.setEnabled(self.current is not None)
