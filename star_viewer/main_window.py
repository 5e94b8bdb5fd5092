"""The main window: where everything stands; what it does is connected in ``app.py``."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QCoreApplication, QEvent, Qt, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QLabel,
    QMainWindow,
    QProgressBar,
    QPushButton,
    QSlider,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from star_core.imaging.annotations import AnnotationKind
from star_viewer.actions import HEADER, Actions
from star_viewer.browser.empty_state import EmptyState
from star_viewer.browser.local import LocalBrowser
from star_viewer.browser.pacs import PacsBrowser
from star_viewer.browser.transfer_strip import TransferStrip
from star_viewer.panels.annotations import AnnotationsPanel
from star_viewer.panels.banner import BannerStack
from star_viewer.panels.choice_box import ChoiceBox
from star_viewer.panels.clinical_form import ClinicalForm
from star_viewer.panels.findings import FindingsPanel
from star_viewer.panels.forecast import ForecastPanel
from star_viewer.panels.landmarks import LandmarksPanel
from star_viewer.panels.layers import LayersPanel
from star_viewer.panels.regions import RegionsPanel
from star_viewer.panels.resection import ResectionPanel
from star_viewer.panels.structures import StructuresPanel
from star_viewer.panels.year_bar import YearBar
from star_viewer.session import Session
from star_viewer.theme import GRID

TITLE = "STAR Viewer — RESEARCH USE ONLY"


class MainWindow(QMainWindow):
    """Studies and record at the left, the picture and the years in the middle, the forecast at the right."""

    dropped = Signal(object)  # Path
    closing = Signal()

    def __init__(self, session: Session, views: QWidget, actions: Actions | None = None) -> None:
        super().__init__()
        self.setWindowTitle(TITLE)
        self.setAcceptDrops(True)
        self.resize(1400, 920)
        self.star_actions = actions or Actions(self)
        self.views = views
        self.banners = BannerStack()
        self.empty_state = EmptyState()
        self.local = LocalBrowser()
        self.pacs = PacsBrowser()
        self.transfer_strip = TransferStrip()
        self.studies_banners = BannerStack(narrow=True)
        self.form = ClinicalForm(session)
        self.forecast = ForecastPanel(session)
        self.regions = RegionsPanel(session)
        self.findings = FindingsPanel(session)
        self.annotations = AnnotationsPanel(session)
        self.layers = LayersPanel(session)
        self.structures = StructuresPanel(session, self.star_actions)
        self.landmarks = LandmarksPanel(session)
        self.resection = ResectionPanel(session)
        self.year_bar = YearBar(session)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.empty_state)
        self.stack.addWidget(views)
        self._build_header()
        self._build_body()
        self._build_status()
        self.star_actions.add_to(self.menuBar())

    def _build_header(self) -> None:
        bar = QToolBar("Header")
        bar.setMovable(False)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        for name in HEADER:
            bar.addAction(self.star_actions[name])
        bar.addSeparator()
        for name in ("window_abdomen", "window_liver", "window_bone", "window_lung"):
            bar.addAction(self.star_actions[name])
        bar.addSeparator()
        bar.addAction(self.star_actions["overlay"])
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setMaximumWidth(14 * GRID)
        self.opacity.setToolTip("Opacity of the risk map ([ and ])")
        self.opacity.setAccessibleName("Opacity of the risk map")
        bar.addWidget(self.opacity)
        bar.addAction(self.star_actions["reset"])
        self.draw_button = QToolButton()
        self.draw_button.setText("Draw")
        self.draw_button.setToolTip("Distances, angles, regions, arrows and text")
        self.draw_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.draw_button.addActions([self.star_actions[f"draw_{kind}"] for kind in AnnotationKind])
        bar.addWidget(self.draw_button)
        spacer = QWidget()
        spacer.setSizePolicy(spacer.sizePolicy().horizontalPolicy().Expanding, spacer.sizePolicy().verticalPolicy())
        bar.addWidget(spacer)
        self.model_chooser = ChoiceBox()
        self.model_chooser.setToolTip("The model that assesses")
        self.model_chooser.setAccessibleName("Model")
        self.model_chooser.setSizeAdjustPolicy(ChoiceBox.SizeAdjustPolicy.AdjustToContents)
        bar.addWidget(self.model_chooser)
        self.trust_chip = QToolButton()
        self.trust_chip.setText("trust: no case")
        self.trust_chip.setToolTip("What was found about this case and this model")
        bar.addWidget(self.trust_chip)
        for button in bar.findChildren(QToolButton):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.addToolBar(bar)

    def _build_body(self) -> None:
        left = QSplitter(Qt.Orientation.Vertical)
        self.places = QTabWidget()
        self.places.addTab(self.local, "This computer")
        self.places.addTab(self.pacs, "PACS")
        self.places.setTabToolTip(0, "The studies on this computer (Ctrl+1)")
        self.places.setTabToolTip(1, "Search servers and bring studies over (Ctrl+2)")
        studies = QWidget()
        shelf = QVBoxLayout(studies)
        shelf.setContentsMargins(0, 0, 0, 0)
        shelf.setSpacing(2)
        shelf.addWidget(self.places, 1)
        shelf.addWidget(self.transfer_strip)
        shelf.addWidget(self.studies_banners)
        clinical = _titled("CLINICAL", self.form)
        left.addWidget(_titled("STUDIES", studies))
        left.addWidget(clinical)
        left.setSizes([360, 380])
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.banners)
        column.addWidget(self.stack, 1)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.regions, "WHERE")
        self.tabs.addTab(self.findings, "TRUST")
        self.tabs.addTab(self.annotations, "MARKS")
        self.tabs.addTab(self.layers, "LAYERS")
        self.tabs.addTab(self.structures, "STRUCTURES")
        self.tabs.addTab(self.landmarks, "SEGMENTS")
        self.tabs.addTab(self.resection, "RESECTION")
        right = QSplitter(Qt.Orientation.Vertical)
        right.addWidget(_titled("FORECAST", self.forecast))
        right.addWidget(self.tabs)
        right.setSizes([480, 260])
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        for part in (left, middle, right):
            self.splitter.addWidget(part)
        self.splitter.setSizes([300, 740, 360])
        self.splitter.setStretchFactor(1, 1)
        self._narrow_sizes = self.splitter.sizes()
        self._beside_studies = (clinical, middle, right, self.year_bar)
        for splitter in (left, right, self.splitter):
            splitter.setHandleWidth(4)
            splitter.setChildrenCollapsible(False)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.splitter, 1)
        layout.addWidget(self.year_bar)
        self.setCentralWidget(body)

    def _build_status(self) -> None:
        self.reading = QLabel()
        self.reading.setMinimumWidth(40 * GRID)
        self.job_text = QLabel()
        self.job_bar = QProgressBar()
        self.job_bar.setTextVisible(False)
        self.job_bar.setFixedWidth(20 * GRID)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setFlat(True)
        self.receiving = QLabel()
        self.receiving.setToolTip("Studies that servers send come into the archive (Ctrl+Alt+R ends it)")
        self.kept = QLabel()
        self.kept.setToolTip("What you do is kept as it happens, and comes back with the case")
        notice = QLabel("research use only · offline")
        notice.setProperty("role", "notice")
        bar = self.statusBar()
        bar.setSizeGripEnabled(False)
        bar.addWidget(self.reading)
        for widget in (self.job_text, self.job_bar, self.cancel_button, self.receiving, self.kept, notice):
            bar.addPermanentWidget(widget)
        self.show_job("")
        self.show_receiving("")
        self.show_kept("")

    # ------------------------------------------------------------------ for app.py

    def show_job(self, text: str, done: int = 0, total: int = 0) -> None:
        """Show what runs and how far it is; an empty text hides the bar."""
        for widget in (self.job_text, self.job_bar, self.cancel_button):
            widget.setVisible(bool(text))
        self.job_text.setText(f"{text} {done} of {total}" if total else text)
        self.job_bar.setMaximum(total)
        self.job_bar.setValue(done)

    def show_receiving(self, text: str) -> None:
        """Say that studies are received; an empty text hides it."""
        self.receiving.setVisible(bool(text))
        self.receiving.setText(text)

    def show_kept(self, text: str) -> None:
        """Say that what was done is kept; an empty text hides it."""
        self.kept.setVisible(bool(text))
        self.kept.setText(text)

    def show_views(self, shown: bool) -> None:
        """Show the picture, or the empty state."""
        self.stack.setCurrentIndex(1 if shown else 0)

    def show_all_studies(self, wide: bool) -> None:
        """Give the whole window to the studies, or only their place at the left."""
        if wide:
            self._narrow_sizes = self.splitter.sizes()
        self.local.set_wide(wide)
        self.pacs.set_wide(wide)
        # Details and fields must give their room back before the others take theirs, or the window would grow.
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)
        for part in self._beside_studies:
            part.setVisible(not wide)
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)
        if not wide:
            self.splitter.setSizes(self._narrow_sizes)

    def restore_geometry_text(self, text: str) -> None:
        """Restore size and place from the settings."""
        if text:
            self.restoreGeometry(QByteArray.fromBase64(text.encode("ascii", "ignore")))

    def geometry_text(self) -> str:
        """Return size and place for the settings."""
        return bytes(self.saveGeometry().toBase64().data()).decode("ascii")

    # ------------------------------------------------------------------ Qt

    def event(self, event: QEvent) -> bool:
        # Space presses the button that has the focus; only elsewhere it plays the years.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            on_button = isinstance(self.focusWidget(), QAbstractButton)
            if on_button and event.key() == Qt.Key.Key_Space and not event.modifiers().value:
                event.accept()
                return True
        return super().event(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for url in event.mimeData().urls():
            if url.isLocalFile():
                self.dropped.emit(Path(url.toLocalFile()))
                event.acceptProposedAction()
                return

    def closeEvent(self, event: QCloseEvent) -> None:
        self.closing.emit()
        super().closeEvent(event)


def _titled(title: str, content: QWidget) -> QWidget:
    box = QWidget()
    heading = QLabel(title)
    heading.setProperty("role", "heading")
    heading.setContentsMargins(GRID, GRID, GRID, 0)
    layout = QVBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    layout.addWidget(heading)
    layout.addWidget(content, 1)
    return box
