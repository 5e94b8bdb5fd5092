"""One server, entered or changed: how it is reached, who we are, whom we trust; told while it is typed."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from star_core.dicom.network.servers import PASSWORD_VARIABLE, Protocol, Server
from star_viewer.dialogs.file_field import FileField
from star_viewer.theme import GRID

KEPT = "kept in the keyring"
_PLAIN = {
    "name": "Name: letters, digits, spaces, dots and hyphens; a letter or digit first.",
    "host": "Host: at most 253 characters.",
    "called_title": "Title of the server: 1 to 16 plain characters, no backslash.",
    "calling_title": "Our title: 1 to 16 plain characters, no backslash.",
    "url": "URL: at most 2000 characters.",
    "user": "User: at most 200 characters.",
    "move_titles": "Moved by: titles of 1 to 16 plain characters, separated by commas.",
    "timeout_s": "Longest silence: more than 0 and at most 3600 s.",
}
_ONLY_DIMSE = ("host", "port", "called_title", "calling_title", "tls", "move_port", "move_bind", "move_titles")
_ONLY_WEB = ("url",)


class ServerForm(QDialog):
    """Asks for a server; ``save_asked`` and ``test_asked`` carry it with the password that was typed, if any."""

    save_asked = Signal(object, object)  # Server, str | None
    test_asked = Signal(object, object)  # Server, str | None

    def __init__(
        self, server: Server | None = None, taken: tuple[str, ...] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Add a server" if server is None else f"Server {server.name}")
        self.resize(72 * GRID, 40 * GRID)
        self._taken = () if server is not None else taken
        self._build_fields()
        self.problem = _told("problem")
        self.outcome = _told("faint")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
        self.save_button = buttons.button(QDialogButtonBox.StandardButton.Save)
        self.test_button = buttons.addButton("&Test connection", QDialogButtonBox.ButtonRole.ActionRole)
        self.test_button.setToolTip("Ask whether the server answers, before it is saved")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.addLayout(self._rows)
        layout.addStretch(1)
        for widget in (self.problem, self.outcome, buttons):
            layout.addWidget(widget)
        buttons.accepted.connect(self._save)
        buttons.rejected.connect(self.close)
        self.test_button.clicked.connect(self._test)
        self._show(server)
        self._connect()
        self.check()

    # ------------------------------------------------------------------ fields

    def _build_fields(self) -> None:
        self.name, self.host, self.url, self.user = (QLineEdit() for _ in range(4))
        self.kind = QComboBox()
        self.kind.addItem("DIMSE (C-FIND, C-GET, C-MOVE, C-STORE)", Protocol.DIMSE)
        self.kind.addItem("DICOMweb (QIDO, WADO, STOW)", Protocol.WEB)
        self.called_title, self.calling_title, self.password = QLineEdit(), QLineEdit(), QLineEdit()
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.port, self.move_port, self.timeout_s = QSpinBox(), QSpinBox(), QDoubleSpinBox()
        self.port.setRange(1, 65535)
        self.move_port.setRange(1, 65535)
        self.timeout_s.setRange(0.1, 3600.0)
        self.timeout_s.setDecimals(1)
        self.timeout_s.setSuffix(" s")
        self.tls, self.verify = QCheckBox("Encrypt (TLS)"), QCheckBox("Check the server's certificate")
        self.ca_file, self.certificate_file, self.key_file = (FileField(f"PEM file of {of}") for of in _PEM_FILES)
        self.move_bind, self.move_titles = QLineEdit(), QLineEdit()
        self.url.setPlaceholderText("https://pacs.example/dicom-web")
        self.move_titles.setPlaceholderText("only the server's own title")
        self._rows = QFormLayout()
        self._rows.setHorizontalSpacing(2 * GRID)
        self._rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name, label, tooltip in _ROWS:
            field = getattr(self, name)
            field.setAccessibleName(label.replace("&", ""))
            field.setToolTip(tooltip)
            self._rows.addRow(label, field)

    def _show(self, server: Server | None) -> None:
        shown = server or Server(name="new", host="new", url="", called_title="PACS")
        self.name.setText("" if server is None else shown.name)
        self.name.setReadOnly(server is not None)
        self.kind.setCurrentIndex(self.kind.findData(shown.protocol))
        self.host.setText("" if server is None else shown.host)
        for name in ("url", "user", "called_title", "calling_title", "move_bind"):
            getattr(self, name).setText(getattr(shown, name))
        for name in ("port", "move_port", "timeout_s"):
            getattr(self, name).setValue(getattr(shown, name))
        for name in ("tls", "verify"):
            getattr(self, name).setChecked(getattr(shown, name))
        for name in ("ca_file", "certificate_file", "key_file"):
            path = getattr(shown, name)
            getattr(self, name).set_text("" if path is None else str(path))
        self.move_titles.setText(", ".join(shown.move_titles))
        self.password.setPlaceholderText(KEPT if server is not None and shown.user else "")
        (self.host if server is not None else self.name).setFocus()

    def _connect(self) -> None:
        for name in ("name", "host", "url", "user", "called_title", "calling_title", "move_bind", "move_titles"):
            getattr(self, name).textChanged.connect(lambda _: self.check())
        for name in ("ca_file", "certificate_file", "key_file"):
            getattr(self, name).changed.connect(self.check)
        self.kind.currentIndexChanged.connect(lambda _: self.check())
        for box in (self.tls, self.verify):
            box.toggled.connect(lambda _: self.check())

    # ------------------------------------------------------------------ checks

    def check(self) -> Server | None:
        """Say what is wrong with what stands there, and return the server when nothing is."""
        self._show_rows()
        server, problem = self._read()
        self.problem.setText(problem)
        self.outcome.setText(self._warning() if server is not None else "")
        for button in (self.save_button, self.test_button):
            button.setEnabled(server is not None)
        return server

    def _read(self) -> tuple[Server | None, str]:
        values: dict[str, Any] = {
            "name": self.name.text().strip(),
            "protocol": self.kind.currentData(),
            "user": self.user.text().strip(),
            "verify": self.verify.isChecked(),
            "timeout_s": self.timeout_s.value(),
        }
        if self._is_web:
            values["url"] = self.url.text().strip().rstrip("/")
        else:
            for name in ("host", "called_title", "calling_title", "move_bind"):
                values[name] = getattr(self, name).text().strip()
            values |= {"port": self.port.value(), "move_port": self.move_port.value(), "tls": self.tls.isChecked()}
            values["move_titles"] = tuple(filter(None, map(str.strip, self.move_titles.text().split(","))))
        for name in ("ca_file", "certificate_file", "key_file"):
            values[name] = getattr(self, name).path if self._is_encrypted else None
        if problem := self._find_problem(values):
            return None, problem
        try:
            return Server.model_validate(values), ""
        except ValidationError as error:
            first = error.errors()[0]
            plain = str(first["msg"]).removeprefix("Value error, ")
            known = _PLAIN.get(str(first["loc"][0])) if first["loc"] else None
            return None, known or f"{plain[:1].upper()}{plain[1:]}."

    def _find_problem(self, values: dict[str, Any]) -> str:
        if not values["name"]:
            return "Give the server a name."
        if values["name"] in self._taken:
            return "There is a server of this name already."
        for name, what in zip(("ca_file", "certificate_file", "key_file"), _PEM_FILES, strict=True):
            path = values[name]
            if path is not None and not path.is_file():
                return f"There is no file of {what} at this place."
        if (values["certificate_file"] is None) != (values["key_file"] is None):
            return "A certificate and its key belong together."
        return ""

    def _warning(self) -> str:
        warnings = []
        if self._is_encrypted and not self.verify.isChecked():
            warnings.append("The certificate is not checked: use this on a trusted network only.")
        if self.user.text().strip() and not self._is_encrypted:
            warnings.append("User and password travel unencrypted.")
        return " ".join(warnings)

    @property
    def _is_web(self) -> bool:
        return bool(self.kind.currentData() == Protocol.WEB)

    @property
    def _is_encrypted(self) -> bool:
        return self.url.text().strip().lower().startswith("https:") if self._is_web else self.tls.isChecked()

    def _show_rows(self) -> None:
        for name in _ONLY_DIMSE:
            self._rows.setRowVisible(getattr(self, name), not self._is_web)
        for name in _ONLY_WEB:
            self._rows.setRowVisible(getattr(self, name), self._is_web)
        for name in ("ca_file", "certificate_file", "key_file", "verify"):
            self._rows.setRowVisible(getattr(self, name), self._is_encrypted)

    # ------------------------------------------------------------------ what is asked, and what came of it

    @property
    def _typed_password(self) -> str | None:
        return self.password.text() or None if self.user.text().strip() else None

    def _save(self) -> None:
        server = self.check()
        if server is not None:
            self.outcome.setText("Saving…")
            self.save_asked.emit(server, self._typed_password)

    def _test(self) -> None:
        server = self.check()
        if server is not None:
            self.test_button.setEnabled(False)
            self.outcome.setText(f"Asking {server.address}…")
            self.test_asked.emit(server, self._typed_password)

    def show_outcome(self, text: str, *, failed: bool = False) -> None:
        """Say what came of saving or testing."""
        self.test_button.setEnabled(True)
        self.problem.setText(text if failed else "")
        self.outcome.setText("" if failed else text)


_PEM_FILES = ("the authority to trust", "our certificate", "its key")
_ROWS = (
    ("name", "Name", "What you call this server; passwords are kept under it"),
    ("kind", "Speaks", "DIMSE is what most PACS speak; DICOMweb goes over HTTP"),
    ("host", "Host", "Name or address of the server"),
    ("port", "Port", "Often 104 or 11112"),
    ("called_title", "Its title", "Application entity title of the server (AE title)"),
    ("calling_title", "Our title", "What we call ourselves; the server must know it"),
    ("url", "URL", "Root of the DICOMweb services"),
    ("user", "User", "Empty where the server asks for none"),
    (
        "password",
        "Password",
        f"Kept in the system's keyring only; {PASSWORD_VARIABLE} in the environment goes before it",
    ),
    ("timeout_s", "Longest silence", "How long the server may be silent before it is given up"),
    ("tls", "", "Encrypt what is said to the server"),
    ("verify", "", "Off only on a network that is trusted"),
    ("ca_file", "Trusted authority", "Certificates to trust instead of the system's (PEM)"),
    ("certificate_file", "Our certificate", "Shown to servers that ask for one (PEM)"),
    ("key_file", "Its key", "Key of our certificate (PEM)"),
    ("move_port", "Port for C-MOVE", "Where we listen while the server sends studies to us"),
    ("move_bind", "Address for C-MOVE", "127.0.0.1 is reached from this computer only; a PACS elsewhere needs ours"),
    ("move_titles", "Moved by", "Titles that send moved studies, if not the server's own; separated by commas"),
)


def _told(role: str) -> QLabel:
    label = QLabel()
    label.setProperty("role", role)
    label.setWordWrap(True)
    return label
