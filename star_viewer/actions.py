"""All actions in one place: text, tooltip, key and menu; what they do is connected in ``app.py``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QComboBox, QLineEdit, QMenuBar, QWidget

from star_core.imaging.annotations import AnnotationKind
from star_viewer.action_spec import ActionSpec
from star_viewer.anatomy_specs import ANATOMY_SPECS
from star_viewer.display import WindowPreset
from star_viewer.edit_specs import EDIT_SPECS
from star_viewer.follow_specs import FOLLOW_SPECS
from star_viewer.session import Session
from star_viewer.view_specs import PRESET_NAMES, VIEW_SPECS

_FOLDER, _PDF = "mdi6.folder-open-outline", "mdi6.file-pdf-box"
_IMPORT, _TABLE = "mdi6.tray-arrow-down", "mdi6.table-account"
_SERVER = "mdi6.server-network"

_DRAWING = tuple(
    ActionSpec(f"draw_{kind}", "Draw", text, f"{text}: {how}", key, icon, checkable=True)
    for kind, text, how, key, icon in (
        (AnnotationKind.DISTANCE, "Distance", "from point to point", "D", "mdi6.ruler"),
        (AnnotationKind.ANGLE, "Angle", "three clicks, the vertex second", "A", "mdi6.angle-acute"),
        (AnnotationKind.ELLIPSE, "Ellipse", "mean and spread of HU inside", "E", "mdi6.ellipse-outline"),
        (AnnotationKind.FREEHAND, "Freehand region", "draw the outline", "H", "mdi6.lasso"),
        (AnnotationKind.ARROW, "Arrow", "from the tip to the tail", "W", "mdi6.arrow-top-left"),
        (AnnotationKind.TEXT, "Text", "click, type, Enter", "T", "mdi6.format-text"),
    )
)

SPECS = (
    ActionSpec("open", "File", "Open CT folder…", "Open a folder with a CT", "Ctrl+O", _FOLDER, short="Open"),
    ActionSpec("open_file", "File", "Open file…", "Open a DICOM or NIfTI file", "Ctrl+Shift+O"),
    ActionSpec("demo", "File", "Demonstration patient", "Open the synthetic patient", "Ctrl+D", "mdi6.account-outline"),
    ActionSpec("continue", "File", "Continue", "Open what was open when the program ended, as it was", "Ctrl+Shift+K"),
    ActionSpec("export", "File", "Export PDF report…", "Write the report as PDF", "Ctrl+E", _PDF, short="Export"),
    ActionSpec("import_folder", "Studies", "Import folder…", "Import studies from a folder", "Ctrl+I", _IMPORT),
    ActionSpec("import_files", "Studies", "Import files…", "Import files, a DICOMDIR or zip archives", "Ctrl+Shift+I"),
    ActionSpec("import_pause", "Studies", "Pause the import", "Let the import wait, or go on", "Ctrl+Shift+P"),
    ActionSpec("import_stop", "Studies", "Stop the import", "Stop the import; what came in stays", "Ctrl+Shift+X"),
    ActionSpec("place_local", "Studies", "This computer", "Show the studies on this computer", "Ctrl+1"),
    ActionSpec("place_pacs", "Studies", "PACS", "Search servers and bring studies over", "Ctrl+2", _SERVER),
    ActionSpec("browse", "Studies", "All studies", "Show all studies with details", "Ctrl+B", _TABLE, True, "Studies"),
    ActionSpec("find", "Studies", "Search studies", "Search as you type", "Ctrl+F"),
    ActionSpec("study_open", "Studies", "Open", "Open the chosen study", "Return", scope="browser"),
    ActionSpec("study_details", "Studies", "Details", "Show everything about it", "Alt+Return", scope="browser"),
    ActionSpec(
        "deidentify", "Studies", "De-identified copy…", "Copy studies without the patient's name", "Ctrl+Shift+D"
    ),
    ActionSpec("study_delete", "Studies", "Delete", "Delete the chosen studies", "Del", scope="browser"),
    ActionSpec("study_undelete", "Studies", "Undo the deletion", "Bring back what was deleted last", "Ctrl+Alt+Z"),
    ActionSpec("send", "Studies", "Send to…", "Send the chosen studies to a server", "Ctrl+Shift+S"),
    ActionSpec("retrieve", "Studies", "Retrieve", "Bring the chosen studies of the server here", "Ctrl+R"),
    ActionSpec("retrieve_move", "Studies", "Retrieve by C-MOVE", "Let the server send them here", "Ctrl+Shift+R"),
    ActionSpec("match_open", "Studies", "Open what is here", "Open the chosen study of the server", "Ctrl+Return"),
    ActionSpec("transfers_stop", "Studies", "Stop the transfers", "Stop; what came is kept", "Ctrl+Alt+X"),
    ActionSpec("receive", "Studies", "Receive studies", "Receive what servers send", "Ctrl+Alt+R", checkable=True),
    ActionSpec("purge", "Studies", "Empty the bin…", "Remove deleted studies for good"),
    ActionSpec("quit", "File", "Quit", "Close the program", "Ctrl+Q"),
    ActionSpec("undo", "Edit", "Undo", "Take back the last change", "Ctrl+Z", "mdi6.undo"),
    ActionSpec("redo", "Edit", "Redo", "Do it again", "Ctrl+Shift+Z", "mdi6.redo"),
    ActionSpec("preferences", "Edit", "Preferences…", "Archive, import, looks", "Ctrl+,"),
    ActionSpec("assess", "Patient", "Assess", "Run the model on the open case", "F5", "mdi6.chart-bell-curve"),
    ActionSpec("next_year", "Patient", "Next year", "Next postoperative year", "Ctrl+Right"),
    ActionSpec("previous_year", "Patient", "Previous year", "Previous postoperative year", "Ctrl+Left"),
    ActionSpec("play", "Patient", "Play the years", "Play or pause the years", "Space"),
    ActionSpec("annual", "Patient", "Cumulative or annual", "Switch cumulative and annual risk", "M"),
    ActionSpec("finetune", "Model", "Fine-tune on our patients…", "Train the heads on a cohort", "Ctrl+T"),
    *VIEW_SPECS,
    *FOLLOW_SPECS,
    ActionSpec("theme", "View", "Dark or light", "Switch dark and light", "Ctrl+L", "mdi6.theme-light-dark"),
    *_DRAWING,
    *EDIT_SPECS,
    *ANATOMY_SPECS,
    ActionSpec("palette", "Help", "Find an action…", "Type to find any action; Return runs it", "Ctrl+K"),
    ActionSpec("keys", "Help", "Keys", "Show all keys, by group", "?"),
    ActionSpec("about", "Help", "About STAR Viewer", "What this program is"),
)
HEADER = ("open", "browse", "assess", "export")
STUDY_MENU = ("study_open", "study_details", "send", "deidentify", "study_delete", "study_undelete")
"""The browser's right-click menu; whatever can be done with a study is added here and in ``SPECS``."""
PACS_MENU = ("retrieve", "retrieve_move", "match_open", "transfers_stop")
"""The right-click menu of a server's studies."""


class Actions:
    """The actions by name, added to a window so that their keys work everywhere in it."""

    def __init__(self, window: QWidget) -> None:
        self._by_name: dict[str, QAction] = {}
        for spec in SPECS:
            action = QAction(spec.text, window)
            action.setToolTip(f"{spec.tooltip} ({spec.key})" if spec.key else spec.tooltip)
            action.setIconText(spec.short or spec.text.rstrip("…"))
            action.setCheckable(spec.checkable)
            if spec.key:
                action.setShortcut(QKeySequence(spec.key))
                context = Qt.ShortcutContext.WidgetShortcut if spec.scope else Qt.ShortcutContext.WindowShortcut
                action.setShortcutContext(context)
            if not spec.scope:
                window.addAction(action)
            self._by_name[spec.name] = action

    def __getitem__(self, name: str) -> QAction:
        return self._by_name[name]

    def attach(self, scope: str, widget: QWidget) -> None:
        """Let the keys of a scope work in a widget."""
        widget.addActions([self._by_name[spec.name] for spec in SPECS if spec.scope == scope])

    def all(self) -> tuple[QAction, ...]:
        """Return every action in the order of the menus."""
        return tuple(self._by_name.values())

    def listed(self) -> tuple[tuple[str, QAction], ...]:
        """Return every action with the menu that it stands in."""
        return tuple((spec.menu, self._by_name[spec.name]) for spec in SPECS)

    def add_to(self, bar: QMenuBar) -> None:
        """Fill a menu bar."""
        menus = {}
        for spec in SPECS:
            if spec.menu not in menus:
                menus[spec.menu] = bar.addMenu(spec.menu)
            menus[spec.menu].addAction(self._by_name[spec.name])

    def load_icons(self) -> None:
        """Give icons to the actions that have one; the icon font loads late, after the window stands."""
        import qtawesome

        for spec in SPECS:
            if spec.icon:
                self._by_name[spec.name].setIcon(qtawesome.icon(spec.icon, color="#8f9aa8"))

    def connect_views(self, session: Session) -> None:
        """Connect the actions that only change how the case is looked at."""
        self["next_year"].triggered.connect(lambda: session.set_year(session.year + 1))
        self["previous_year"].triggered.connect(lambda: session.set_year(session.year - 1))
        display = session.display
        for place, name in enumerate(PRESET_NAMES):
            self[name].triggered.connect(
                lambda _=False, place=place: session.set_window_level(display.presets[place].window_level)
            )
        display.presets_changed.connect(self.name_presets)
        for kind in AnnotationKind:
            self[f"draw_{kind}"].triggered.connect(lambda on, k=kind: session.set_pen(k if on else None))
        session.pen_changed.connect(self._show_pen)
        session.volume_changed.connect(self._enable_drawing)
        self._enable_drawing(session.volume)

    def _show_pen(self, pen: StrEnum | None) -> None:
        for kind in AnnotationKind:
            self[f"draw_{kind}"].setChecked(kind is pen)

    def _enable_drawing(self, volume: object) -> None:
        for kind in AnnotationKind:
            self[f"draw_{kind}"].setEnabled(volume is not None)

    def name_presets(self, presets: Sequence[WindowPreset]) -> None:
        """Give the actions of the number keys the names of their grey windows."""
        for name, preset in zip(PRESET_NAMES, presets, strict=True):
            centre_hu, width_hu = preset.window_level.centre_hu, preset.window_level.width_hu
            self[name].setText(f"{preset.name} window")
            self[name].setIconText(preset.name)
            key = self[name].shortcut().toString()
            self[name].setToolTip(f"{preset.name}: centre {centre_hu:g} HU, width {width_hu:g} HU ({key})")


class YearKeys(QObject):
    """Gives Ctrl+Left and Ctrl+Right to the years even while a text field has the focus.

    A letter typed into a choice stays there: M means male in the field of sex, not annual risk.
    """

    def __init__(self, session: Session, window: QWidget) -> None:
        super().__init__(window)
        self._session = session
        for field in window.findChildren(QLineEdit):
            field.installEventFilter(self)
        for choice in window.findChildren(QComboBox):
            choice.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            step = {Qt.Key.Key_Right: 1, Qt.Key.Key_Left: -1}.get(Qt.Key(event.key()))
            if step is not None and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                self._session.set_year(self._session.year + step)
                return True
        in_choice = event.type() == QEvent.Type.ShortcutOverride and isinstance(watched, QComboBox)
        if in_choice and isinstance(event, QKeyEvent) and event.text().isalpha():
            event.accept()
            return True
        return False
