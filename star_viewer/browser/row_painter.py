"""Draws a row of the study tree: a small picture or sign, a title, and a fainter line beneath."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPalette
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from star_viewer.browser.nodes import MEASUREMENT, Kind, Node
from star_viewer.browser.pictures import PictureStore
from star_viewer.browser.study_model import SUBTITLE, StudyModel
from star_viewer.theme import GRID

PICTURE, HEIGHT = 4 * GRID, 5 * GRID
_RESULT_SIGNS = {MEASUREMENT: "✎"}
_WITH_PICTURE = (Kind.SERIES, Kind.FILE_SERIES, Kind.RESULT)
_SMALLER = 0.9
_PICTURE_GREY = "#000000"


class RowPainter(QStyledItemDelegate):
    """Paints the first column; the pictures come from a store that is asked only for rows that are drawn."""

    def __init__(self, pictures: PictureStore, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pictures = pictures

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(20 * GRID, HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        node = _node_at(index)
        if node is None:
            return
        self.initStyleOption(option, index)
        rect, palette, font = QRect(option.rect), option.palette, QFont(option.font)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        option.text = ""
        widget = option.widget
        style = widget.style() if widget is not None else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, widget)
        painter.save()
        painter.setClipRect(rect)
        if chosen:
            painter.fillRect(rect, palette.color(QPalette.ColorRole.Highlight))
        if node.kind in _WITH_PICTURE:
            self._paint_sign(painter, QRect(rect.left() + 2, rect.center().y() - PICTURE // 2, PICTURE, PICTURE), node)
            rect.setLeft(rect.left() + PICTURE + GRID + 2)
        font.setBold(font.bold() or node.kind is Kind.PATIENT)
        ink = palette.color(QPalette.ColorRole.HighlightedText if chosen else QPalette.ColorRole.Text)
        faint = ink if chosen else palette.color(QPalette.ColorRole.PlaceholderText)
        _paint_lines(painter, rect, font, (str(index.data() or ""), str(index.data(SUBTITLE) or "")), (ink, faint))
        painter.restore()

    def _paint_sign(self, painter: QPainter, rect: QRect, node: Node) -> None:
        picture = None
        if node.kind is Kind.SERIES and node.data.modality != "SEG":
            picture = self._pictures.picture_of(node.data.id)
        painter.fillRect(rect, QColor(_PICTURE_GREY))
        if picture is not None:
            size = picture.size().scaled(rect.size(), Qt.AspectRatioMode.KeepAspectRatio)
            place = QRect(0, 0, size.width(), size.height())
            place.moveCenter(rect.center())
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawPixmap(place, picture)
            return
        painter.setPen(QColor("#8f9aa8"))
        sign = (
            ("✎" if node.data.kind == MEASUREMENT else "%") if node.kind is Kind.RESULT else node.data.modality or "?"
        )
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, sign)


def _paint_lines(
    painter: QPainter, rect: QRect, font: QFont, texts: tuple[str, str], inks: tuple[QColor, QColor]
) -> None:
    small = QFont(font)
    small.setPointSizeF(font.pointSizeF() * _SMALLER)
    small.setBold(False)
    upper, lower = QFontMetrics(font), QFontMetrics(small)
    height = upper.height() + (lower.height() if texts[1] else 0)
    top = rect.center().y() - height // 2 + upper.ascent()
    for text, ink, face, metrics, base in (
        (texts[0], inks[0], font, upper, top),
        (texts[1], inks[1], small, lower, top + upper.descent() + lower.ascent()),
    ):
        painter.setFont(face)
        painter.setPen(ink)
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width() - GRID // 2)
        painter.drawText(rect.left(), base, shown)


def _node_at(index: QModelIndex | QPersistentModelIndex) -> Node | None:
    model = index.model()
    return model.node_at(index) if isinstance(model, StudyModel) else None
