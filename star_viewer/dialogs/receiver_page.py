"""Studies that servers send here: off unless switched on, from named titles only, on loopback unless told otherwise."""

from __future__ import annotations

import ipaddress

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)

from star_core.dicom.network.servers import LOOPBACK
from star_viewer.settings import ReceiverSettings
from star_viewer.theme import GRID

_LONGEST_TITLE = 16


class ReceiverPage(QWidget):
    """Asks how studies are received, and switches it on and off."""

    changed = Signal(object)  # ReceiverSettings
    switched = Signal(bool)

    def __init__(self, settings: ReceiverSettings, *, running: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state, self.switch = QLabel(), QPushButton()
        self.at_start = QCheckBox("Also when the program starts")
        self.title, self.bind, self.allowed = QLineEdit(), QLineEdit(), QLineEdit()
        self.allowed.setPlaceholderText("nobody: name at least one, separated by commas")
        self.port, self.objects = QSpinBox(), QSpinBox()
        self.port.setRange(1, 65535)
        self.objects.setRange(1, 1_000_000)
        self.total_gb, self.object_gb = QDoubleSpinBox(), QDoubleSpinBox()
        for box, most in ((self.total_gb, 10_000.0), (self.object_gb, 100.0)):
            box.setRange(0.1, most)
            box.setDecimals(1)
            box.setSuffix(" GB")
        self.problem, self.warning = QLabel(), QLabel()
        for label, role in ((self.problem, "problem"), (self.warning, "notice")):
            label.setProperty("role", role)
            label.setWordWrap(True)
        self._running = running
        self._lay_out()
        self._show(settings)
        self._connect()
        self.show_running(running)

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        form.setVerticalSpacing(GRID)
        form.setHorizontalSpacing(2 * GRID)
        for label, field, tooltip in (
            ("Receiving", self.state, ""),
            ("", self.switch, "Receive studies that servers send (Ctrl+Alt+R)"),
            ("", self.at_start, "Begin to receive each time the program starts"),
            ("Our title", self.title, "The title that senders must call (AE title)"),
            ("Port", self.port, "Where we listen"),
            ("Address", self.bind, f"{LOOPBACK} is reached from this computer only"),
            ("Who may send", self.allowed, "Titles of the senders, separated by commas"),
            ("Objects at most", self.objects, "Objects of one connection"),
            ("Together at most", self.total_gb, "Size of one connection"),
            ("One object at most", self.object_gb, "Size of one object"),
        ):
            field.setToolTip(tooltip)
            field.setAccessibleName(label or field.toolTip())
            form.addRow(label, field)
        form.addRow(self.warning)
        form.addRow(self.problem)

    def _show(self, settings: ReceiverSettings) -> None:
        self.at_start.setChecked(settings.at_start)
        self.title.setText(settings.title)
        self.port.setValue(settings.port)
        self.bind.setText(settings.bind)
        self.allowed.setText(", ".join(settings.allowed))
        self.objects.setValue(settings.objects)
        self.total_gb.setValue(settings.total_gb)
        self.object_gb.setValue(settings.object_gb)

    def _connect(self) -> None:
        for edit in (self.title, self.bind, self.allowed):
            edit.textChanged.connect(lambda _: self._tell())
        for box in (self.port, self.objects, self.total_gb, self.object_gb):
            box.valueChanged.connect(lambda _: self._tell())
        self.at_start.toggled.connect(lambda _: self._tell())
        self.switch.clicked.connect(lambda: self.switched.emit(not self._running))

    def show_running(self, running: bool, text: str = "") -> None:
        """Show whether studies are received; while they are, how cannot be changed."""
        self._running = running
        self.state.setText(text or ("on" if running else "off"))
        self.switch.setText("Stop receiving" if running else "Start receiving")
        for field in (self.title, self.port, self.bind, self.allowed, self.objects, self.total_gb, self.object_gb):
            field.setEnabled(not running)
        self._check()

    def _tell(self) -> None:
        if self._check():
            self.changed.emit(self._read())

    def _read(self) -> ReceiverSettings:
        return ReceiverSettings(
            at_start=self.at_start.isChecked(),
            title=self.title.text().strip(),
            port=self.port.value(),
            bind=self.bind.text().strip(),
            allowed=self._titles(),
            objects=self.objects.value(),
            total_gb=self.total_gb.value(),
            object_gb=self.object_gb.value(),
        )

    def _titles(self) -> tuple[str, ...]:
        return tuple(filter(None, map(str.strip, self.allowed.text().split(","))))

    def _check(self) -> bool:
        """Say what is wrong and what is risky; return whether nothing is wrong."""
        problem = self._find_problem()
        self.problem.setText(problem)
        outside = not _is_loopback(self.bind.text().strip())
        self.warning.setText(
            "Other computers can reach this address: everybody there who knows an allowed title can send studies to "
            "this computer, unencrypted."
            if outside and not problem
            else ""
        )
        self.switch.setEnabled(self._running or (not problem and bool(self._titles())))
        return not problem

    def _find_problem(self) -> str:
        if not _is_title(self.title.text().strip()):
            return f"Our title: 1 to {_LONGEST_TITLE} plain characters, no backslash."
        if any(not _is_title(title) for title in self._titles()):
            return f"Who may send: titles of 1 to {_LONGEST_TITLE} plain characters, separated by commas."
        if not _is_address(self.bind.text().strip()):
            return (
                f"Address: {LOOPBACK} for this computer only, 0.0.0.0 for all networks, or an address of this computer."
            )
        return ""


def _is_title(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_TITLE and text.isascii() and text.isprintable() and "\\" not in text


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return text == "localhost"
    return True


def _is_loopback(text: str) -> bool:
    return text == "localhost" or (_is_address(text) and ipaddress.ip_address(text).is_loopback)
