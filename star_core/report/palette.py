"""Colours of curves and risk, for screen and paper; safe for colour-blind readers (Okabe and Ito; inferno)."""

from __future__ import annotations

from star_core.types import Cause

CAUSE_COLOURS = {Cause.LIVER: "#D55E00", Cause.ELSEWHERE: "#E69F00", Cause.DEATH: "#8C8C8C"}
CAUSE_LABELS = {
    Cause.LIVER: "Recurrence in the liver",
    Cause.ELSEWHERE: "Recurrence elsewhere",
    Cause.DEATH: "Death without recurrence",
}
OVERALL_SURVIVAL_COLOUR = "#0072B2"
EVENT_FREE_COLOUR = "#009E73"

# Perceptually uniform, dark to bright: twelve samples of matplotlib's inferno between 0.20 and 0.98.
RISK_RGB = (
    (66, 10, 104),
    (95, 19, 110),
    (124, 29, 109),
    (152, 39, 102),
    (180, 51, 89),
    (206, 67, 71),
    (228, 90, 49),
    (243, 118, 27),
    (251, 150, 6),
    (251, 184, 29),
    (245, 219, 76),
    (245, 249, 146),
)
