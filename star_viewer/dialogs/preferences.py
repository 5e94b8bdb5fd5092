"""Preferences, a page each: looks, and where and how studies are kept."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal, SignalInstance
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from star_viewer.settings import Settings, Theme
from star_viewer.theme import GRID


class StudiesPage(QWidget):
    """Where the archive lies, whether files are copied, and what waits in the bin."""

    move_asked = Signal(object)  # Path
    use_asked = Signal(object)  # Path
    purge_asked = Signal()
    link_changed = Signal(bool)

    def __init__(self, folder: Path, *, link: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.folder = QLineEdit(str(folder))
        self.folder.setReadOnly(True)
        self.folder.setAccessibleName("Folder of the archive")
        self.move_button = QPushButton("Move it…")
        self.move_button.setToolTip("Copy everything to a new folder, compare, then remove it here")
        self.use_button = QPushButton("Use another…")
        self.use_button.setToolTip("Open an archive that lies elsewhere, or begin a new one in an empty folder")
        self.copy_choice = QRadioButton("Copy files into the archive")
        self.link_choice = QRadioButton("Leave files where they are, and remember the place")
        (self.link_choice if link else self.copy_choice).setChecked(True)
        self.bin_text = QLabel("Looking…")
        self.purge_button = QPushButton("Empty the bin…")
        self.purge_button.setEnabled(False)
        self._lay_out()
        self.move_button.clicked.connect(lambda: self._ask("Move the archive to an empty folder", self.move_asked))
        self.use_button.clicked.connect(lambda: self._ask("Use the archive in this folder", self.use_asked))
        self.purge_button.clicked.connect(self.purge_asked)
        self.link_choice.toggled.connect(self.link_changed)

    def show_folder(self, folder: Path) -> None:
        """Show where the archive lies now."""
        self.folder.setText(str(folder))

    def show_bin(self, studies: int, size_bytes: int) -> None:
        """Show what waits to be removed for good."""
        empty = "The bin is empty."
        self.bin_text.setText(f"{studies} deleted studies, {size_bytes / 1e6:,.0f} MB" if studies else empty)
        self.purge_button.setEnabled(studies > 0)

    def _lay_out(self) -> None:
        place, waiting, importing = QHBoxLayout(), QHBoxLayout(), QVBoxLayout()
        place.addWidget(self.folder, 1)
        place.addWidget(self.move_button)
        place.addWidget(self.use_button)
        waiting.addWidget(self.bin_text, 1)
        waiting.addWidget(self.purge_button)
        importing.addWidget(self.copy_choice)
        importing.addWidget(self.link_choice)
        form = _form(self)
        form.addRow("Archive", place)
        form.addRow("On import", importing)
        form.addRow("Bin", waiting)

    def _ask(self, title: str, signal: SignalInstance) -> None:
        folder = QFileDialog.getExistingDirectory(self, title, self.folder.text())
        if folder:
            signal.emit(Path(folder))


class LooksPage(QWidget):
    """Dark, light, or as the system says."""

    theme_changed = Signal(object)  # Theme

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = QComboBox()
        self.theme.setAccessibleName("Colours")
        for one in Theme:
            self.theme.addItem({"system": "As the system says"}.get(one, one.capitalize()), one)
        self.theme.setCurrentIndex(self.theme.findData(theme))
        _form(self).addRow("Colours", self.theme)
        self.theme.activated.connect(lambda _: self.theme_changed.emit(Theme(self.theme.currentData())))


class PreferencesDialog(QDialog):
    """Holds the pages; what is chosen holds at once."""

    def __init__(self, settings: Settings, archive: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Preferences")
        self.resize(80 * GRID, 50 * GRID)
        self.pages = QTabWidget()
        self.studies = StudiesPage(archive, link=settings.import_by_link)
        self.looks = LooksPage(settings.theme)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.addWidget(self.pages, 1)
        layout.addWidget(buttons)
        self.add_page("Studies", self.studies)
        self.add_page("Looks", self.looks)

    def add_page(self, title: str, page: QWidget) -> None:
        """Add a page; each connects what it changes by itself."""
        self.pages.addTab(page, title)


def _form(page: QWidget) -> QFormLayout:
    form = QFormLayout(page)
    form.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
    form.setVerticalSpacing(2 * GRID)
    form.setHorizontalSpacing(2 * GRID)
    return form
