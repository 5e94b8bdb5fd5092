"""Figures of the report, drawn with matplotlib's object interface; no global state, no window."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from star_core.imaging.geometry import resample_to, to_canonical
from star_core.report.palette import (
    CAUSE_COLOURS,
    CAUSE_LABELS,
    EVENT_FREE_COLOUR,
    OVERALL_SURVIVAL_COLOUR,
    RISK_RGB,
)
from star_core.types import CAUSES, Assessment, Case, FloatArray, Forecast, Geometry

FONT_SIZE = 8
SHOWN_HU = (-110.0, 190.0)
RISK_UNIT = "% per 10 ml"
_PERCENT_PER_10_ML = 1000.0
_MARGIN_MM = 40.0


def risk_colour_map() -> LinearSegmentedColormap:
    """Return the colour map of risk."""
    return LinearSegmentedColormap.from_list("risk", np.array(RISK_RGB) / 255.0)


def draw_forecast(forecast: Forecast, *, year: int | None = None) -> Figure:
    """Return the figure of the forecast: incidence by cause as bands, survival as lines, numbers at risk beneath."""
    figure = Figure(figsize=(7.0, 3.6), dpi=200)
    axes = figure.add_axes((0.075, 0.27, 0.66, 0.69))
    time = np.concatenate([[0], forecast.years])
    _draw_bands(axes, time, forecast)
    _draw_lines(axes, time, forecast)
    if not forecast.supported.all():
        first = int(np.argmin(forecast.supported)) + 0.5
        axes.axvspan(first, time[-1] + 0.4, facecolor="none", edgecolor="0.75", hatch="////", linewidth=0)
    if year is not None:
        axes.axvline(year, color="0.2", linewidth=0.8)
    axes.set(xlim=(0, time[-1] + 0.4), ylim=(0, 100), xticks=time, yticks=range(0, 101, 20))
    axes.set_xlabel("Years after resection", fontsize=FONT_SIZE)
    axes.set_ylabel("Probability (%)", fontsize=FONT_SIZE)
    axes.tick_params(labelsize=FONT_SIZE, length=2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=FONT_SIZE - 0.5, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.02))
    axes.text(-0.55, -27, "At risk", fontsize=FONT_SIZE - 1, ha="right", va="center", clip_on=False)
    for place, count in zip(forecast.years - 1, forecast.at_risk, strict=True):
        axes.text(place, -27, str(count), fontsize=FONT_SIZE - 1, ha="center", va="center", clip_on=False)
    return figure


def _draw_bands(axes: Axes, time: np.ndarray, forecast: Forecast) -> None:
    base = np.zeros(len(time))
    for cause in CAUSES:
        top = base + 100.0 * np.concatenate([[0.0], forecast.cumulative_incidence[cause]])
        colour = CAUSE_COLOURS[cause]
        axes.fill_between(time, base, top, color=colour, alpha=0.55, linewidth=0, label=CAUSE_LABELS[cause])
        base = top


def _draw_lines(axes: Axes, time: np.ndarray, forecast: Forecast) -> None:
    for name, values, colour, label in (
        ("overall_survival", forecast.overall_survival, OVERALL_SURVIVAL_COLOUR, "Overall survival"),
        ("event_free_survival", forecast.event_free_survival, EVENT_FREE_COLOUR, "Event-free survival"),
    ):
        axes.plot(time, 100.0 * np.concatenate([[1.0], values]), color=colour, linewidth=1.6, label=label)
        interval = forecast.intervals.get(name)
        if interval is not None:
            lower, upper = (100.0 * np.concatenate([[1.0], b]) for b in (interval.lower, interval.upper))
            axes.fill_between(time, lower, upper, color=colour, alpha=0.18, linewidth=0)


def draw_risk_slices(case: Case, assessment: Assessment, *, year: int = 5) -> Figure:
    """Return axial, coronal and sagittal CT through the point of highest risk, with the risk of ``year`` on it."""
    risk = _PERCENT_PER_10_ML * assessment.risk_map.density_per_ml[year - 1]
    voxels, geometry = _crop_to_risk(case, risk, assessment.risk_map.geometry)
    on_ct = resample_to(risk, assessment.risk_map.geometry, geometry)
    z, y, x = (int(i) for i in np.unravel_index(int(on_ct.argmax()), on_ct.shape))
    top = max(float(np.percentile(risk[risk > 0], 99.5)) if (risk > 0).any() else 0.0, 1e-6)
    figure = Figure(figsize=(7.0, 2.7), dpi=200, facecolor="black")
    slice_mm, row_mm, column_mm = geometry.spacing_mm
    planes = (
        ("Axial", voxels[z], on_ct[z], row_mm / column_mm, "R", "L", "A", "P", column_mm),
        ("Coronal", voxels[::-1, y], on_ct[::-1, y], slice_mm / column_mm, "R", "L", "S", "I", column_mm),
        ("Sagittal", voxels[::-1, :, x], on_ct[::-1, :, x], slice_mm / row_mm, "A", "P", "S", "I", row_mm),
    )
    shown = None
    for place, (name, grey, overlay, aspect, left, right, up, down, pixel_mm) in enumerate(planes):
        axes = figure.add_axes((0.005 + 0.305 * place, 0.02, 0.30, 0.90))
        shown = _draw_plane(axes, grey, overlay, aspect, top)
        axes.set_title(name, color="white", fontsize=FONT_SIZE, pad=3)
        _letter(axes, left, right, up, down)
        _scale_bar(axes, grey.shape, pixel_mm)
    if shown is not None:
        bar = figure.colorbar(shown, cax=figure.add_axes((0.93, 0.15, 0.014, 0.65)))
        bar.set_label(f"Risk by year {year} ({RISK_UNIT})", color="white", fontsize=FONT_SIZE - 1)
        bar.ax.tick_params(colors="white", labelsize=FONT_SIZE - 1, length=2)
    return figure


def _crop_to_risk(case: Case, risk: FloatArray, grid: Geometry) -> tuple[NDArray[np.int16], Geometry]:
    """Return the part of the CT that lies within 4 cm of the tissue at risk, in axial orientation."""
    voxels, geometry = to_canonical(case.baseline_scan.voxels_hu, case.baseline_scan.geometry)
    inside = np.argwhere(risk > 0)
    if len(inside) == 0:
        return voxels, geometry
    ends = geometry.lps_to_index(grid.index_to_lps(np.stack([inside.min(axis=0), inside.max(axis=0)])))
    margin = _MARGIN_MM / np.array(geometry.spacing_mm)
    low = np.clip(np.floor(ends.min(axis=0) - margin), 0, None).astype(int)
    high = np.minimum(np.ceil(ends.max(axis=0) + margin).astype(int) + 1, geometry.shape)
    affine = geometry.affine_lps.copy()
    affine[:3, 3] = geometry.index_to_lps(low.astype(np.float64))
    cropped = voxels[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    depth, height, width = cropped.shape
    return cropped, Geometry(shape=(depth, height, width), affine_lps=affine)


def _draw_plane(axes: Axes, grey: np.ndarray, overlay: FloatArray, aspect: float, top: float) -> AxesImage:
    axes.set_axis_off()
    axes.imshow(grey, cmap="gray", vmin=SHOWN_HU[0], vmax=SHOWN_HU[1], aspect=aspect, interpolation="bilinear")
    visible = np.clip((overlay / top - 0.1) / 0.2, 0.0, 1.0) * 0.62
    return axes.imshow(
        overlay,
        cmap=risk_colour_map(),
        vmin=0.0,
        vmax=top,
        alpha=visible,
        aspect=aspect,
        interpolation="bilinear",
    )


def _letter(axes: Axes, left: str, right: str, up: str, down: str) -> None:
    for x, y, text in ((0.03, 0.5, left), (0.97, 0.5, right), (0.5, 0.96, up), (0.5, 0.04, down)):
        axes.text(x, y, text, transform=axes.transAxes, color="white", fontsize=FONT_SIZE, ha="center", va="center")


def _scale_bar(axes: Axes, shape: tuple[int, ...], pixel_mm: float) -> None:
    length = 50.0 / pixel_mm
    row = shape[0] * 0.95
    start = shape[1] * 0.05
    axes.plot([start, start + length], [row, row], color="white", linewidth=1.2)
    axes.text(start + length + 3, row, "5 cm", color="white", fontsize=FONT_SIZE - 2, va="center")


def to_png(figure: Figure) -> BytesIO:
    """Return a figure as PNG; the same figure gives the same bytes."""
    FigureCanvasAgg(figure)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", facecolor=figure.get_facecolor(), metadata={"Software": None})
    buffer.seek(0)
    return buffer
