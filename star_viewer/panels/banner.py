"""Banners: a problem told in plain words in the place it belongs to, with details and one sensible button."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from star_core.types import Severity
from star_viewer.key_button import KeyButton
from star_viewer.theme import GRID

Offer = tuple[str, Callable[[], object]]


class BannerStack(QWidget):
    """Shows banners above the picture; the newest stands on top."""

    def __init__(self, parent: QWidget | None = None, *, narrow: bool = False) -> None:
        super().__init__(parent)
        self._narrow = narrow
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
        buttons: Sequence[Offer] = (),
    ) -> None:
        """Show a banner; ``buttons`` are offered after the first one.

        One that says the same is replaced, and a plain note takes the place of the last.
        """
        self.withdraw(message)
        offers = [*([(button, action)] if button and action is not None else []), *buttons]
        plain = severity is Severity.NOTE and not offers
        for earlier in [banner for banner in self._banners if plain and banner.plain]:
            self.remove(earlier)
        banner = Banner(message, severity, details, offers, self, narrow=self._narrow)
        self._banners.insert(0, banner)
        self._layout.insertWidget(0, banner)
        banner.join_tab_order()

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
        offers: Sequence[Offer],
        parent: BannerStack,
        *,
        narrow: bool,
    ) -> None:
        super().__init__(parent)
        self.message = message
        self.plain = severity is Severity.NOTE and not offers
        self._stack = parent
        self.setProperty("role", "banner")
        self.setProperty("severity", severity.value)
        self.setAccessibleName(message)
        text = QLabel(message)
        text.setTextFormat(Qt.TextFormat.PlainText)
        text.setWordWrap(True)
        close = QToolButton()
        close.setText("✕")
        close.setToolTip("Dismiss")
        close.setAccessibleName("Dismiss")
        close.clicked.connect(self.dismiss)
        layout, row = QVBoxLayout(self), QHBoxLayout()
        layout.setContentsMargins(GRID, GRID // 2, GRID // 2, GRID // 2)
        row.addWidget(text, 1)
        buttons = row
        if narrow:
            buttons = QHBoxLayout()
            buttons.addStretch(1)
        for offer, act in offers:
            self._add_button(buttons, offer, act, dismisses=True)
        if details:
            self._add_button(buttons, "Details", lambda: show_details(self, message, details), dismisses=False)
        row.addWidget(close)
        layout.addLayout(row)
        if narrow and (offers or details):
            layout.addLayout(buttons)

    def _add_button(self, layout: QHBoxLayout, text: str, act: Callable[[], object], *, dismisses: bool) -> None:
        button = KeyButton(text)
        button.clicked.connect(lambda: act())
        if dismisses:
            button.clicked.connect(self.dismiss)
        layout.addWidget(button)

    def join_tab_order(self) -> None:
        """Let the Tab key come to the buttons where they stand; else what comes late comes last."""
        before: QWidget = self._stack
        while before.focusPolicy() is Qt.FocusPolicy.NoFocus and (one := before.previousInFocusChain()) is not None:
            before = one
            if before is self.window():
                return
        for button in sorted(self.findChildren(QAbstractButton), key=lambda one: isinstance(one, QToolButton)):
            QWidget.setTabOrder(before, button)
            before = button

    def dismiss(self) -> None:
        """Take this banner away."""
        self._stack.remove(self)


def show_details(parent: QWidget, message: str, details: str, *, title: str = "Details") -> QMessageBox:
    """Open a message box with details that blocks nothing."""
    box = QMessageBox(QMessageBox.Icon.Information, title, message, QMessageBox.StandardButton.Ok, parent.window())
    box.setDetailedText(details)
    box.open()
    return box
