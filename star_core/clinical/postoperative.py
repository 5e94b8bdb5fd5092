"""Which postoperative year a scan belongs to."""

from __future__ import annotations

import calendar
from datetime import date

from star_core.errors import ClinicalRecordError
from star_core.types import N_YEARS


def postoperative_year(operation: date, scan: date) -> int:
    """Return the year (1..12) of a scan: months since the operation / 12, rounded up.

    The day on which a year is full belongs to it; the day of the operation itself to year 1.

    Raises
    ------
    ClinicalRecordError
        When the scan was made before the operation, or later than the model reaches.
    """
    if scan < operation:
        raise ClinicalRecordError(
            f"The CT of {scan.isoformat()} was made {(operation - scan).days} days before the operation of "
            f"{operation.isoformat()}; it is no follow-up.",
            remedy="Check both dates.",
        )
    years = next((year for year in range(1, N_YEARS + 1) if scan <= _years_after(operation, year)), None)
    if years is None:
        raise ClinicalRecordError(
            f"The CT of {scan.isoformat()} was made more than {N_YEARS} years after the operation of "
            f"{operation.isoformat()}, beyond the model's {N_YEARS} years.",
            remedy="Check both dates, or leave this CT out.",
        )
    return years


def _years_after(day: date, years: int) -> date:
    last = calendar.monthrange(day.year + years, day.month)[1]
    return day.replace(year=day.year + years, day=min(day.day, last))
