"""The pen of the cutting plane; in a module without VTK or painting, so that the window can name it."""

from __future__ import annotations

from enum import StrEnum


class PlanePen(StrEnum):
    """The pen with which keys move the cutting plane."""

    PLANE = "cutting plane"
