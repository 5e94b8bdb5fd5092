"""Where chosen studies are sent."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from star_core.dicom.network.servers import Server
from star_viewer.theme import GRID


class SendDialog(QDialog):
    """Asks for the server; says what goes there, and that it goes as it is."""

    send_asked = Signal(object)  # Server

    def __init__(self, what: str, servers: tuple[Server, ...], chosen: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Send to a server")
        self.setMinimumWidth(56 * GRID)
        self._servers = servers
        self.server = QComboBox()
        self.server.setAccessibleName("Server")
        self.server.addItems([f"{server.name} — {server.address}" for server in servers])
        names = [server.name for server in servers]
        self.server.setCurrentIndex(names.index(chosen) if chosen in names else 0)
        notice = QLabel(
            "The files are sent as they are, with the names in them. De-identify them first if they leave the house."
        )
        notice.setWordWrap(True)
        notice.setProperty("role", "faint")
        form, layout = QFormLayout(), QVBoxLayout(self)
        form.setHorizontalSpacing(2 * GRID)
        form.addRow("What", QLabel(what))
        form.addRow("Server", self.server)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.send_button = buttons.addButton("Send", QDialogButtonBox.ButtonRole.AcceptRole)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.setSpacing(2 * GRID)
        layout.addLayout(form)
        layout.addWidget(notice)
        layout.addWidget(buttons)
        self.send_button.setDefault(True)
        buttons.accepted.connect(self._send)
        buttons.rejected.connect(self.close)
        self.server.setFocus()

    def _send(self) -> None:
        self.send_asked.emit(self._servers[self.server.currentIndex()])
        self.close()
