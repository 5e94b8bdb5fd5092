"""Draws a row of a server's studies in a narrow column: the patient, and fainter lines beneath."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPalette
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from star_viewer.theme import GRID

_SMALLER = 0.9


class MatchPainter(QStyledItemDelegate):
    """Paints the lines of the first column."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        others = str(index.data() or "").split("\n")[1:]
        upper, lower = QFontMetrics(option.font), QFontMetrics(_small(option.font))
        return QSize(20 * GRID, upper.height() + len(others) * lower.height() + GRID)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        self.initStyleOption(option, index)
        rect, palette, font = QRect(option.rect), option.palette, QFont(option.font)
        lines = str(index.data() or "").split("\n")
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        option.text = ""
        widget = option.widget
        style = widget.style() if widget is not None else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, widget)
        ink = palette.color(QPalette.ColorRole.HighlightedText if chosen else QPalette.ColorRole.Text)
        faint = ink if chosen else palette.color(QPalette.ColorRole.PlaceholderText)
        bold = QFont(font)
        bold.setBold(not index.parent().isValid() and len(lines) > 1)
        painter.save()
        painter.setClipRect(rect)
        top = rect.top() + GRID // 2
        for number, line in enumerate(lines):
            face = bold if number == 0 else _small(font)
            metrics = QFontMetrics(face)
            painter.setFont(face)
            painter.setPen(ink if number == 0 else faint)
            shown = metrics.elidedText(line, Qt.TextElideMode.ElideRight, rect.width() - GRID // 2)
            painter.drawText(rect.left(), top + metrics.ascent(), shown)
            top += metrics.height()
        painter.restore()


def _small(font: QFont) -> QFont:
    small = QFont(font)
    small.setPointSizeF(font.pointSizeF() * _SMALLER)
    return small
