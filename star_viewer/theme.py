"""Dark and light: one palette each, one accent, an 8-pixel grid, three sizes of type."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from star_viewer.settings import Theme

GRID = 8
TEXT_POINTS, FIGURE_POINTS, TITLE_POINTS = 10, 12, 15


@dataclass(frozen=True, slots=True)
class Colours:
    """Colours of one theme; risk colours are not among them, and red is for refusals alone."""

    base: str
    panel: str
    raised: str
    line: str
    text: str
    faint: str
    accent: str
    accent_text: str
    warning: str
    refusal: str


DARK = Colours(
    base="#0f1216",
    panel="#171b21",
    raised="#212730",
    line="#2c333e",
    text="#d9dfe6",
    faint="#8f9aa8",
    accent="#4ea1d8",
    accent_text="#08141d",
    warning="#d8a948",
    refusal="#ef6a5e",
)
LIGHT = Colours(
    base="#e9ecf0",
    panel="#f7f8fa",
    raised="#ffffff",
    line="#cfd5dd",
    text="#1c232b",
    faint="#5c6773",
    accent="#1f6fa8",
    accent_text="#ffffff",
    warning="#8a5a00",
    refusal="#b3261e",
)


def is_dark(theme: Theme) -> bool:
    """Tell whether a theme is dark at this moment."""
    if theme is Theme.SYSTEM:
        return QGuiApplication.styleHints().colorScheme() is not Qt.ColorScheme.Light
    return theme is Theme.DARK


def colours_of(theme: Theme) -> Colours:
    """Return the colours of a theme."""
    return DARK if is_dark(theme) else LIGHT


def apply_theme(app: QApplication, theme: Theme) -> Colours:
    """Give the program its colours and type; returns the colours for widgets that paint themselves."""
    scheme = {Theme.DARK: Qt.ColorScheme.Dark, Theme.LIGHT: Qt.ColorScheme.Light, Theme.SYSTEM: Qt.ColorScheme.Unknown}
    app.styleHints().setColorScheme(scheme[theme])
    app.setStyle("Fusion")
    colours = colours_of(theme)
    font = QFont(app.font())
    font.setPointSize(TEXT_POINTS)
    app.setFont(font)
    app.setPalette(_palette(colours))
    app.setStyleSheet(_style_sheet(colours))
    return colours


def _palette(colours: Colours) -> QPalette:
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: colours.panel,
        QPalette.ColorRole.Base: colours.raised,
        QPalette.ColorRole.AlternateBase: colours.panel,
        QPalette.ColorRole.Button: colours.raised,
        QPalette.ColorRole.WindowText: colours.text,
        QPalette.ColorRole.Text: colours.text,
        QPalette.ColorRole.ButtonText: colours.text,
        QPalette.ColorRole.ToolTipBase: colours.raised,
        QPalette.ColorRole.ToolTipText: colours.text,
        QPalette.ColorRole.PlaceholderText: colours.faint,
        QPalette.ColorRole.Highlight: colours.accent,
        QPalette.ColorRole.HighlightedText: colours.accent_text,
        QPalette.ColorRole.Mid: colours.line,
        QPalette.ColorRole.Link: colours.accent,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(colours.faint))
    return palette


def _style_sheet(colours: Colours) -> str:
    return f"""
    QMainWindow, QSplitter {{ background: {colours.base}; }}
    QSplitter::handle {{ background: {colours.base}; }}
    QToolBar {{ background: {colours.panel}; border: 0; border-bottom: 1px solid {colours.line};
                spacing: 4px; padding: 4px 8px; }}
    QToolButton {{ padding: 4px 8px; border: 1px solid transparent; border-radius: 4px; }}
    QToolButton:hover {{ background: {colours.raised}; }}
    QToolButton:checked {{ background: {colours.raised}; border-color: {colours.accent}; }}
    QToolButton[role="tool"] {{ padding: 4px 2px; border-color: {colours.line}; }}
    QToolButton[role="tool"]:checked {{ border-color: {colours.accent}; }}
    QToolButton:focus, QPushButton:focus, QLineEdit:focus, QComboBox:focus, QTreeView:focus, QTableView:focus
        {{ border: 1px solid {colours.accent}; }}
    QPushButton {{ padding: 6px 16px; border: 1px solid {colours.line}; border-radius: 4px;
                   background: {colours.raised}; }}
    QPushButton:default {{ background: {colours.accent}; color: {colours.accent_text};
                           border-color: {colours.accent}; }}
    QPushButton:disabled {{ color: {colours.faint}; background: {colours.panel}; }}
    QLineEdit, QComboBox {{ padding: 3px 6px; border: 1px solid {colours.line}; border-radius: 4px;
                            background: {colours.raised}; }}
    QCheckBox, QRadioButton {{ padding: 1px 3px; border: 1px solid transparent; border-radius: 4px; }}
    QCheckBox:focus, QRadioButton:focus {{ border-color: {colours.accent}; }}
    QTreeView, QTableView, QListView {{ border: 0; background: {colours.panel}; }}
    QHeaderView::section {{ background: {colours.panel}; color: {colours.faint}; border: 0; padding: 4px; }}
    QTabBar::tab {{ padding: 6px 8px; border: 0; color: {colours.faint}; }}
    QTabBar::tab:selected {{ color: {colours.text}; border-bottom: 2px solid {colours.accent}; }}
    QTabWidget::pane {{ border: 0; }}
    QCheckBox::indicator {{ width: 10px; height: 10px; border: 1px solid {colours.faint}; border-radius: 2px; }}
    QCheckBox::indicator:checked {{ background: {colours.accent}; border-color: {colours.accent}; }}
    QRadioButton::indicator {{ width: 10px; height: 10px; border: 1px solid {colours.faint}; border-radius: 6px; }}
    QRadioButton::indicator:checked {{ background: {colours.accent}; border-color: {colours.accent}; }}
    QScrollArea {{ border: 0; }}
    QStatusBar {{ background: {colours.panel}; border-top: 1px solid {colours.line}; }}
    QStatusBar::item {{ border: 0; }}
    QProgressBar {{ border: 0; background: {colours.line}; max-height: 4px; min-height: 4px; }}
    QProgressBar::chunk {{ background: {colours.accent}; }}
    QLabel[role="heading"] {{ color: {colours.faint}; font-weight: 600; letter-spacing: 1px; }}
    QLabel[role="faint"] {{ color: {colours.faint}; }}
    QLabel[role="problem"] {{ color: {colours.refusal}; }}
    QLabel[role="title"] {{ font-size: {TITLE_POINTS}pt; }}
    QLabel[role="notice"] {{ color: {colours.warning}; }}
    QFrame[role="banner"] {{ background: {colours.raised}; border: 0; border-left: 4px solid {colours.accent}; }}
    QFrame[role="banner"][severity="refusal"] {{ border-left-color: {colours.refusal}; }}
    QFrame[role="banner"][severity="warning"] {{ border-left-color: {colours.warning}; }}
    QFrame[role="drop"] {{ border: 2px dashed {colours.line}; border-radius: 16px; background: {colours.panel}; }}
    """
