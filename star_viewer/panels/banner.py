"""Banners: a problem told in plain words in the place it belongs to, with details and one sensible button."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMessageBox, QPushButton, QToolButton, QVBoxLayout, QWidget

from star_core.types import Severity
from star_viewer.theme import GRID


class BannerStack(QWidget):
    """Shows banners above the picture; the newest stands on top."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)
        self._banners: list[Banner] = []

    @property
    def messages(self) -> tuple[str, ...]:
        """What stands there now, newest first."""
        return tuple(banner.message for banner in self._banners)

    def tell(
        self,
        message: str,
        *,
        severity: Severity = Severity.WARNING,
        details: str = "",
        button: str = "",
        action: Callable[[], None] | None = None,
    ) -> None:
        """Show a banner; one that says the same is replaced."""
        self.withdraw(message)
        banner = Banner(message, severity, details, button, action, self)
        self._banners.insert(0, banner)
        self._layout.insertWidget(0, banner)

    def withdraw(self, message: str) -> None:
        """Take away what no longer holds."""
        for banner in [banner for banner in self._banners if banner.message == message]:
            self.remove(banner)

    def remove(self, banner: Banner) -> None:
        """Take one banner away."""
        if banner in self._banners:
            self._banners.remove(banner)
            self._layout.removeWidget(banner)
            banner.hide()
            banner.deleteLater()

    def clear(self) -> None:
        """Take all banners away."""
        for banner in tuple(self._banners):
            self.remove(banner)


class Banner(QFrame):
    """One banner."""

    def __init__(
        self,
        message: str,
        severity: Severity,
        details: str,
        button: str,
        action: Callable[[], None] | None,
        parent: BannerStack,
    ) -> None:
        super().__init__(parent)
        self.message = message
        self._stack = parent
        self.setProperty("role", "banner")
        self.setProperty("severity", severity.value)
        self.setAccessibleName(message)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(GRID, GRID // 2, GRID // 2, GRID // 2)
        text = QLabel(message)
        text.setWordWrap(True)
        layout.addWidget(text, 1)
        if button and action is not None:
            push = QPushButton(button)
            push.clicked.connect(action)
            push.clicked.connect(self.dismiss)
            layout.addWidget(push)
        if details:
            more = QPushButton("Details")
            more.clicked.connect(lambda: show_details(self, message, details))
            layout.addWidget(more)
        close = QToolButton()
        close.setText("✕")
        close.setToolTip("Dismiss")
        close.setAccessibleName("Dismiss")
        close.clicked.connect(self.dismiss)
        layout.addWidget(close)

    def dismiss(self) -> None:
        """Take this banner away."""
        self._stack.remove(self)


def show_details(parent: QWidget, message: str, details: str, *, title: str = "Details") -> QMessageBox:
    """Open a message box with details that blocks nothing."""
    box = QMessageBox(QMessageBox.Icon.Information, title, message, QMessageBox.StandardButton.Ok, parent.window())
    box.setDetailedText(details)
    box.open()
    return box
