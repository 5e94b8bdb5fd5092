"""The list of follow-ups: which year each fills, and the file that is kept."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from star_core.errors import ClinicalRecordError, StorageError
from star_core.types import RegistrationKind
from star_viewer.follow_ups import Adjustment, FollowUp, FollowUps, FollowUpSource, Quality, parse_date
from tests.viewer.scene.factory import build_volume

QUALITY = Quality(similarity_before=0.4, similarity_after=0.9, overlap_share=0.98)


def scan(uid: str, day: str = "", **more: object) -> FollowUp:
    acquired_on = date.fromisoformat(day) if day else None
    source = FollowUpSource(folder=Path("/somewhere") / uid)
    return FollowUp(source=source, series_uid=uid, acquired_on=acquired_on, quality=QUALITY, **more)  # type: ignore[arg-type]


def build_list(*scans: FollowUp, operated_on: str = "2020-05-01") -> FollowUps:
    return FollowUps(operated_on=date.fromisoformat(operated_on) if operated_on else None, scans=scans)


def test_each_fills_the_year_of_its_date() -> None:
    places = build_list(scan("a", "2020-11-01"), scan("b", "2022-05-02")).places()
    assert {uid: place.year for uid, place in places.items()} == {"a": 1, "b": 3}


def test_of_two_in_one_year_the_newer_fills_it_and_the_other_says_so() -> None:
    places = build_list(scan("new", "2021-04-01"), scan("old", "2020-11-01")).places()
    assert places["new"].year == 1
    assert places["old"].year is None
    assert places["old"].why == "The CT of 2021-04-01 is newer and fills year 1."
    places = build_list(scan("new", "2021-04-01", in_model=False), scan("old", "2020-11-01")).places()
    assert places["old"].year == 1


@pytest.mark.parametrize(
    ("day", "operated_on", "why"),
    [
        ("2020-04-01", "2020-05-01", "30 days before the operation"),
        ("2033-01-01", "2020-05-01", "more than 12 years after"),
        ("", "2020-05-01", "has no date"),
        ("2021-01-01", "", "Give the date of operation"),
    ],
)
def test_what_fills_no_year_says_why(day: str, operated_on: str, why: str) -> None:
    place = build_list(scan("a", day), operated_on=operated_on).places()["a"]
    assert place.year is None
    assert why in place.why


def test_a_kept_list_is_read_as_it_was() -> None:
    moved = Adjustment(shift_mm=(1.5, 0.0, -3.0), turn_deg=(0.0, 0.5, 0.0))
    plan = build_list(scan("a", "2021-01-01", kind=RegistrationKind.B_SPLINE, adjustment=moved), scan("b"))
    assert FollowUps.from_bytes(plan.to_bytes()) == plan


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"format":1', b'"format":2'),
        (b'"1.2.3"', b'""'),
        (b'"shift_mm":[0.0', b'"shift_mm":[1e9'),
        (b'"rigid"', b'"melted"'),
        (b"{", b"["),
    ],
)
def test_a_damaged_list_is_refused(old: bytes, new: bytes) -> None:
    data = build_list(scan("1.2.3", "2021-01-01")).to_bytes()
    assert old in data
    with pytest.raises(StorageError, match="damaged or of a newer version"):
        FollowUps.from_bytes(data.replace(old, new, 1))


def test_a_motion_by_hand_turns_about_the_middle_of_the_first_ct() -> None:
    first = build_volume()
    motion = Adjustment(shift_mm=(0.0, 0.0, 4.0), turn_deg=(10.0, 20.0, 30.0)).to_motion(first)
    middle = first.geometry.index_to_lps((np.array(first.geometry.shape) - 1) / 2)
    np.testing.assert_allclose((motion @ [*middle, 1.0])[:3], np.add(middle, (0.0, 0.0, 4.0)), atol=1e-9)


def test_dates_are_typed_in_two_ways() -> None:
    assert parse_date(" 2026-01-31 ") == parse_date("31.1.2026") == date(2026, 1, 31)
    assert parse_date("") is None
    for wrong in ("2026-02-30", "yesterday", "1.2", "0026-01-01"):
        with pytest.raises(ClinicalRecordError, match="no date"):
            parse_date(wrong)


def test_quality_is_told_in_plain_words() -> None:
    assert QUALITY.in_words().startswith("good. Grey values agree by 0.90 of 1 (0.40 as the scans lay); 98 %")
    poor = Quality(similarity_before=0.4, similarity_after=0.5, overlap_share=0.5, largest_displacement_mm=22.4)
    assert poor.in_words().startswith("poor: look before you trust it")
    assert poor.in_words().endswith("tissue is bent by up to 22 mm.")
