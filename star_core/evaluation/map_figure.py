"""The figure of a check of maps, drawn with matplotlib's object interface; no global state, no window."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from star_core.evaluation.maps import MEASURES, TRUE_LAW, TUMOUR_DISTANCE, UNIFORM, MapRow
from star_core.storage import new_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FONT_SIZE = 8
MODEL_COLOUR, PEER_COLOUR = "#0072B2", "#8C8C8C"


def draw_maps(rows: Sequence[MapRow], about: str) -> Figure:
    """Return the figure: mean voxel AUC of each map with its interval, models in colour, peers in grey."""
    from matplotlib.figure import Figure

    shown = [row for row in rows if row.measure == MEASURES[0] and not row.against][::-1]
    figure = Figure(figsize=(7.0, 1.5 + 0.32 * len(shown)), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(shown):
        colour = PEER_COLOUR if row.name in (UNIFORM, TUMOUR_DISTANCE, TRUE_LAW) else MODEL_COLOUR
        axes.plot([row.lower, row.upper], [place, place], color=colour, linewidth=1.6)
        axes.plot(row.value, place, "o", color=colour, markersize=4.5)
        axes.annotate(
            f"{row.value:.3f}",
            (row.value, place),
            textcoords="offset points",
            xytext=(0, 5),
            ha="center",
            fontsize=FONT_SIZE - 1,
        )
    axes.axvline(0.5, color="0.75", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(shown)), [row.name for row in shown])
    axes.set_ylim(-0.6, len(shown) - 0.2)
    axes.set_xlabel("Voxel AUC at recorded sites (mean, 95 % interval over patients)", fontsize=FONT_SIZE)
    axes.tick_params(labelsize=FONT_SIZE, length=2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(textwrap.fill(about, 110), fontsize=FONT_SIZE - 1, loc="left")
    return figure


def write_map_figure(rows: Sequence[MapRow], about: str, path: Path) -> None:
    """Write the figure as PNG; the same rows give the same bytes.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = draw_maps(rows, about)
    FigureCanvasAgg(figure)
    with new_file(path) as partial:
        figure.savefig(partial, format="png", metadata={"Software": None})
