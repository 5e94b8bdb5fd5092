"""The year of a scan after an operation."""

from __future__ import annotations

from datetime import date

import pytest

from star_core.clinical.postoperative import postoperative_year
from star_core.errors import ClinicalRecordError

OPERATION = date(2020, 2, 29)


@pytest.mark.parametrize(
    ("scan", "year"),
    [
        (date(2020, 2, 29), 1),
        (date(2020, 3, 1), 1),
        (date(2021, 2, 28), 1),
        (date(2021, 3, 1), 2),
        (date(2024, 2, 29), 4),
        (date(2032, 2, 29), 12),
    ],
)
def test_months_are_divided_by_twelve_and_rounded_up(scan: date, year: int) -> None:
    assert postoperative_year(OPERATION, scan) == year


def test_a_scan_before_the_operation_is_refused() -> None:
    with pytest.raises(ClinicalRecordError, match="30 days before the operation"):
        postoperative_year(OPERATION, date(2020, 1, 30))


def test_a_scan_beyond_the_last_year_is_refused() -> None:
    with pytest.raises(ClinicalRecordError, match="more than 12 years after"):
        postoperative_year(OPERATION, date(2032, 3, 1))
