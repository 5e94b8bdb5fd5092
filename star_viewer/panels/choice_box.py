"""A choice that the wheel passes by."""

from __future__ import annotations

from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QComboBox


class ChoiceBox(QComboBox):
    """A choice that the wheel passes by: scrolling past it must change neither a patient's record nor the model."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()
