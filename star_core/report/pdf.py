"""The PDF report: a page that tells it, then the evidence; the research notice stands on every page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib import get_data_path
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    Image,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from star_core.report.content import HEADLINE_YEARS, ReportContent, build_report
from star_core.report.figures import draw_forecast, draw_risk_slices, to_png
from star_core.storage import new_file
from star_core.types import Assessment, Case

_MARGIN = 18 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_ACCENT = colors.HexColor("#1F5F8B")
_SOFT = colors.HexColor("#F3F5F7")
_REFUSAL = colors.HexColor("#B3261E")
FIGURE_YEAR = 5


def write_report(case: Case, assessment: Assessment, path: Path) -> None:
    """Write the report on an assessment.

    Raises
    ------
    StorageError
        When it cannot be written; an older report at ``path`` then stays as it was.
    """
    content = build_report(assessment, case)
    figures = (
        to_png(draw_risk_slices(case, assessment, year=FIGURE_YEAR)),
        to_png(draw_forecast(assessment.forecast)),
    )
    with new_file(path) as partial:
        _Report(str(partial), content).build(_build_story(content, figures))


class _Report(BaseDocTemplate):  # type: ignore[misc]
    def __init__(self, path: str, content: ReportContent) -> None:
        _register_fonts()
        super().__init__(
            path,
            pagesize=A4,
            title=content.title,
            author="STAR Viewer (research use only)",
            subject=content.notice,
            creator="STAR Viewer",
            invariant=1,
        )
        self._content = content
        frame = Frame(_MARGIN, 20 * mm, _WIDTH, A4[1] - 42 * mm, leftPadding=0, rightPadding=0, topPadding=0)
        self.addPageTemplates(PageTemplate(frames=[frame], onPage=self._draw_edges))

    def _draw_edges(self, canvas: Canvas, document: Any) -> None:
        top, bottom = A4[1] - 12 * mm, 11 * mm
        canvas.saveState()
        canvas.setFillColor(_REFUSAL)
        canvas.setFont("Body-Bold", 8)
        canvas.drawString(_MARGIN, top, self._content.notice)
        canvas.setFillColor(colors.HexColor("#555555"))
        canvas.setFont("Body", 8)
        canvas.drawRightString(A4[0] - _MARGIN, top, self._content.case_id)
        canvas.setStrokeColor(colors.HexColor("#CCCCCC"))
        canvas.line(_MARGIN, top - 2.5 * mm, A4[0] - _MARGIN, top - 2.5 * mm)
        canvas.drawString(_MARGIN, bottom, self._content.model_line)
        canvas.drawRightString(A4[0] - _MARGIN, bottom, f"{self._content.created_utc} · page {document.page}")
        canvas.restoreState()


def _register_fonts() -> None:
    if "Body" in pdfmetrics.getRegisteredFontNames():
        return
    folder = Path(get_data_path()) / "fonts" / "ttf"
    pdfmetrics.registerFont(TTFont("Body", folder / "DejaVuSans.ttf"))
    pdfmetrics.registerFont(TTFont("Body-Bold", folder / "DejaVuSans-Bold.ttf"))


_TITLE = ParagraphStyle("title", fontName="Body-Bold", fontSize=15, leading=19, textColor=_ACCENT, spaceAfter=4)
_HEADING = ParagraphStyle("heading", fontName="Body-Bold", fontSize=10, leading=13, spaceBefore=9, spaceAfter=3)
_TEXT = ParagraphStyle("text", fontName="Body", fontSize=8.5, leading=12.2)
_LEAD = ParagraphStyle("lead", parent=_TEXT, fontSize=9.5, leading=14)
_SMALL = ParagraphStyle("small", parent=_TEXT, fontSize=7, leading=9.2)
_CELL = ParagraphStyle("cell", parent=_TEXT, fontSize=7.2, leading=9)
_CAPTION = ParagraphStyle("caption", parent=_SMALL, textColor=colors.HexColor("#444444"), spaceAfter=4)


def _build_story(content: ReportContent, figures: tuple[Any, Any]) -> list[Flowable]:
    slices, curves = figures
    return [
        Paragraph(content.title, _TITLE),
        Paragraph(" ".join(content.summary), _LEAD),
        Spacer(1, 3 * mm),
        Image(slices, _WIDTH, _WIDTH * 2.7 / 7.0),
        Paragraph(
            f"Figure 1. Projected cumulative risk of recurrence in the liver by year {FIGURE_YEAR}, through its "
            "highest point. The map adds up to the liver's incidence. Location is unvalidated.",
            _CAPTION,
        ),
        Image(curves, _WIDTH, _WIDTH * 3.6 / 7.0),
        Paragraph(
            "Figure 2. Cumulative incidence of the first event by cause (bands), overall and event-free survival "
            "(lines, 90 % model-uncertainty intervals). Hatched: fewer than 10 training patients at risk.",
            _CAPTION,
        ),
        *_build_findings(content),
        KeepTogether([Paragraph("Year by year", _HEADING), _year_table(content), _note(_YEAR_NOTE)]),
        KeepTogether([Paragraph("Where in the liver", _HEADING), _region_tables(content), _note(_REGION_NOTE)]),
        KeepTogether([Paragraph("What the model was told", _HEADING), _pair_table(content.inputs + content.volumes)]),
        KeepTogether(
            [Paragraph("Limitations", _HEADING), *[Paragraph(f"• {text}", _TEXT) for text in content.limitations]]
        ),
        Paragraph("Provenance", _HEADING),
        _pair_table(content.provenance, columns=1),
    ]


_YEAR_NOTE = (
    "Per cent, with 90 % model-uncertainty interval. Recurrence and death are first events; with event-free survival "
    "they add up to 100. Grey years: fewer than 10 training patients at risk."
)
_REGION_NOTE = (
    "Cumulative risk of recurrence inside the region by the end of year (y), in per cent. The parts by distance add up "
    "to the first row, and so do Couinaud's segments, which are cut by planes through landmarks."
)


def _note(text: str) -> Flowable:
    return Paragraph(text, _CAPTION)


def _build_findings(content: ReportContent) -> list[Flowable]:
    if not content.findings:
        return []
    lines = [Paragraph("Before you trust this", _HEADING)]
    for severity, message in content.findings:
        colour = "#B3261E" if severity == "refusal" else "#8A5A00" if severity == "warning" else "#555555"
        lines.append(Paragraph(f'<font color="{colour}"><b>{severity}</b></font>  {_escape(message)}', _TEXT))
    return list(lines)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _table(rows: list[list[Any]], widths: list[float], extra: list[tuple[Any, ...]]) -> Table:
    style = [
        ("FONT", (0, 0), (-1, -1), "Body", 7.2),
        ("FONT", (0, 0), (-1, 0), "Body-Bold", 7.2),
        ("LINEBELOW", (0, 0), (-1, 0), 0.6, colors.black),
        ("LINEBELOW", (0, -1), (-1, -1), 0.6, colors.black),
        ("LINEABOVE", (0, 0), (-1, 0), 0.6, colors.black),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("TOPPADDING", (0, 0), (-1, -1), 1.6),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.2),
        *extra,
    ]
    return Table(rows, colWidths=widths, style=TableStyle(style), repeatRows=1)


def _year_table(content: ReportContent) -> Table:
    head = ["Year", "Any", "Liver", "Elsewhere", "Death first", "Overall survival", "Event-free", "At risk"]
    rows: list[list[Any]] = [head]
    grey = []
    for index, row in enumerate(content.years, start=1):
        rows.append(
            [
                row.year,
                row.any_recurrence,
                row.liver,
                row.elsewhere,
                row.death,
                row.overall_survival,
                row.event_free,
                row.at_risk,
            ]
        )
        if not row.supported:
            grey.append(("TEXTCOLOR", (0, index), (-1, index), colors.HexColor("#999999")))
    widths = [_WIDTH * share for share in (0.06, 0.14, 0.14, 0.14, 0.13, 0.16, 0.15, 0.08)]
    return _table(rows, widths, grey)


def _region_tables(content: ReportContent) -> Table:
    """Parts by distance at the left, segments at the right."""
    years = [f"y {year} (%)" for year in HEADLINE_YEARS]
    bold = [("FONT", (0, 1), (-1, 1), "Body-Bold", 7.2)]
    left = [0.25 * _WIDTH, *[0.075 * _WIDTH] * 4]
    right = [0.12 * _WIDTH, *[0.075 * _WIDTH] * 4]
    regions = _table([["Region", "ml", *years], *[list(row) for row in content.regions]], left, bold)
    segments = _table([["Segment", "ml", *years], *[list(row) for row in content.segments]], right, [])
    edges = [(f"{side}PADDING", (0, 0), (-1, -1), 0) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")]
    return Table(
        [[regions, segments]],
        colWidths=[0.575 * _WIDTH, 0.425 * _WIDTH],
        style=[("VALIGN", (0, 0), (-1, -1), "TOP"), *edges],
    )


def _pair_table(pairs: tuple[tuple[str, str], ...], columns: int = 2) -> Table:
    cells = [[Paragraph(_escape(name), _CELL), Paragraph(_escape(value), _CELL)] for name, value in pairs]
    half = -(-len(cells) // columns)
    padded: list[list[Any]] = [*cells, *[["", ""]] * (half * columns - len(cells))]
    rows = [[cell for column in range(columns) for cell in padded[i + column * half]] for i in range(half)]
    shares = (0.30, 0.20) * 2 if columns == 2 else (0.25, 0.75)
    return Table(
        rows,
        colWidths=[_WIDTH * share for share in shares],
        style=TableStyle(
            [
                ("ROWBACKGROUNDS", (0, 0), (-1, -1), [_SOFT, colors.white]),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 1.2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1.8),
            ]
        ),
    )
