"""Figures of an evaluation and of a comparison, by matplotlib; each names model, cohort and what is synthetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import star_core
from star_core.evaluation.curves import fit_censoring
from star_core.evaluation.error import compute_cause_brier
from star_core.evaluation.evaluate import THRESHOLDS, calibrate, follow_incidence, weigh_decisions
from star_core.evaluation.summary import (
    AUC_YEARS,
    BRIER_GAIN,
    C_HARRELL,
    YEARS,
    SummaryRow,
    Target,
    supported_years,
)

FONT_SIZE = 8
TARGET_LABELS = {
    "os": "Death from any cause",
    "efs": "Recurrence or death",
    "cif_any": "Recurrence",
    "cif_liver": "Recurrence in the liver",
}
MODEL_COLOUR, OBSERVED_COLOUR = "#0072b2", "#555555"
YEAR_COLOURS = dict(zip(AUC_YEARS, ("#56b4e9", "#0072b2", "#003d66"), strict=True))


def draw_calibration(targets: Sequence[Target], title: str) -> Figure:
    """Return observed against forecast incidence by fifths of risk, at one, three and five years."""
    figure, panels = _begin(targets, title, "Forecast by fifths of risk (%)", "Observed (%)")
    for target, axes in zip(targets, panels, strict=True):
        axes.plot([0, 100], [0, 100], color="0.8", linewidth=0.8)
        for year in AUC_YEARS:
            groups = calibrate(target, year)
            forecast = [100.0 * group.forecast for group in groups]
            observed = [100.0 * group.observed for group in groups]
            axes.plot(
                forecast, observed, "o-", color=YEAR_COLOURS[year], markersize=3, linewidth=1, label=f"{year} years"
            )
        axes.set(xlim=(0, 100), ylim=(0, 100))
    _explain(panels)
    return figure


def draw_decisions(targets: Sequence[Target], title: str) -> Figure:
    """Return net benefit at five years against the threshold of risk, beside treating all and nobody."""
    figure, panels = _begin(targets, title, "Threshold (%)", "Net benefit, 5 years")
    for target, axes in zip(targets, panels, strict=True):
        ours, everybody, _ = np.array(weigh_decisions(target, AUC_YEARS[-1])).T
        axes.axhline(0.0, color="0.6", linewidth=0.8, label="nobody")
        axes.plot(100 * THRESHOLDS, everybody, color=OBSERVED_COLOUR, linestyle="--", linewidth=1, label="all")
        axes.plot(100 * THRESHOLDS, ours, color=MODEL_COLOUR, linewidth=1.5, label="model")
        axes.set(xlim=(0, 100), ylim=(-0.15, max(0.3, float(np.nanmax(everybody)) + 0.05)))
    _explain(panels)
    return figure


def draw_incidence(targets: Sequence[Target], title: str) -> Figure:
    """Return the mean forecast incidence beside what was observed, with the number at risk."""
    figure, panels = _begin(targets, title, "Years (patients at risk)", "Incidence (%)")
    for target, axes in zip(targets, panels, strict=True):
        years, forecast, observed, at_risk = zip(*follow_incidence(target), strict=True)
        axes.plot(years, 100 * np.array(forecast), color=MODEL_COLOUR, linewidth=1.5, label="mean forecast")
        axes.step(years, 100 * np.array(observed), color=OBSERVED_COLOUR, where="mid", linewidth=1, label="observed")
        axes.set(ylim=(0, 100), xticks=years[::3])
        axes.set_xticklabels([f"{year}\n({n})" for year, n in list(zip(years, at_risk, strict=True))[::3]])
    _explain(panels)
    return figure


def draw_errors(targets: Sequence[Target], title: str) -> Figure:
    """Return the Brier score of each year beside that of the same curve for everybody."""
    figure, panels = _begin(targets, title, "Years", "Brier score")
    for target, axes in zip(targets, panels, strict=True):
        years = [int(year) for year in supported_years(target.months)]
        censoring = fit_censoring(target.months, target.cause > 0)
        for incidence, colour, label in (
            (target.incidence, MODEL_COLOUR, "model"),
            (target.reference, OBSERVED_COLOUR, "Kaplan-Meier or Aalen-Johansen"),
        ):
            scores = [
                compute_cause_brier(
                    incidence[:, year - 1], target.months, target.cause, year * 12.0, of=1, censoring=censoring
                )
                for year in years
            ]
            axes.plot(years, scores, "o-", color=colour, markersize=3, linewidth=1, label=label)
        axes.set(xlim=(0.5, YEARS[-1] + 0.5), ylim=(0, 0.3))
    _explain(panels)
    return figure


def draw_comparison(rows: Sequence[SummaryRow], title: str) -> Figure:
    """Return each model's C and integrated Brier score, less that of the same curve for everybody, with intervals."""
    models = list(dict.fromkeys(row.model for row in rows))[::-1]
    targets = list(dict.fromkeys(row.target for row in rows))
    measures = ((C_HARRELL, "C (Harrell)", 0.5), (BRIER_GAIN, "Brier score less reference's", 0.0))
    figure = Figure(figsize=(2.0 + 2.4 * len(targets), 1.8 + 0.4 * len(models)), dpi=150, layout="constrained")
    figure.suptitle(f"{title}\n{star_core.RESEARCH_NOTICE}", fontsize=FONT_SIZE)
    panels = figure.subplots(len(measures), len(targets), squeeze=False, sharey=True, sharex="row")
    for line, (measure, label, neutral) in zip(panels, measures, strict=True):
        for axes, target in zip(line, targets, strict=True):
            axes.axvline(neutral, color="0.75", linewidth=0.8)
            for row in rows:
                if (row.target, row.measure) == (target, measure):
                    place = models.index(row.model)
                    axes.plot([row.lower, row.upper], [place, place], color=MODEL_COLOUR, linewidth=1.4)
                    axes.plot(row.value, place, "o", color=MODEL_COLOUR, markersize=3.5)
            axes.set_title(TARGET_LABELS.get(target, target), fontsize=FONT_SIZE)
            axes.set_xlabel(label, fontsize=FONT_SIZE)
            axes.set_yticks(range(len(models)), models)
            axes.tick_params(labelsize=FONT_SIZE - 1, length=2)
            axes.spines[["top", "right"]].set_visible(False)
    return figure


def _begin(targets: Sequence[Target], title: str, x: str, y: str) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(3.0 * len(targets), 3.4), dpi=150, layout="constrained")
    figure.suptitle(f"{title}\n{star_core.RESEARCH_NOTICE}", fontsize=FONT_SIZE)
    panels = []
    for place, target in enumerate(targets):
        axes = figure.add_subplot(1, len(targets), place + 1)
        axes.set_title(TARGET_LABELS.get(target.name, target.name), fontsize=FONT_SIZE)
        axes.set_xlabel(x, fontsize=FONT_SIZE)
        axes.set_ylabel(y if place == 0 else "", fontsize=FONT_SIZE)
        axes.tick_params(labelsize=FONT_SIZE - 1, length=2)
        axes.spines[["top", "right"]].set_visible(False)
        panels.append(axes)
    return figure, panels


def _explain(panels: Sequence[Axes]) -> None:
    panels[0].legend(fontsize=FONT_SIZE - 1.5, frameon=False)
