"""Values in place of old ones."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_core.dicom.deidentify.values import (
    LONGEST_SHIFT_DAYS,
    KeyedValues,
    cap_age,
    shift_date,
    shift_date_time,
)
from star_core.dicom.deidentify.words import clean_description

DATES = st.dates(date(1910, 1, 1), date(2100, 1, 1))


@given(st.text(min_size=1), st.binary(min_size=32, max_size=32))
def test_one_key_gives_the_same_values_and_another_key_others(text: str, key: bytes) -> None:
    one, same, other = KeyedValues(key), KeyedValues(key), KeyedValues(key + b"x")
    assert one.to_new_uid(text) == same.to_new_uid(text) != other.to_new_uid(text)
    assert one.build_pseudonym(text) == same.build_pseudonym(text)
    assert one.compute_shift_days(text) == same.compute_shift_days(text)
    assert -LONGEST_SHIFT_DAYS <= one.compute_shift_days(text) <= -1


@given(st.text())
def test_new_uids_are_valid(text: str) -> None:
    uid = KeyedValues(b"k").to_new_uid(text)
    assert uid.startswith("2.25.")
    assert len(uid) <= 64
    assert uid[5:].isdigit()
    assert uid[5] != "0"


@given(DATES, DATES, st.integers(-LONGEST_SHIFT_DAYS, -1))
def test_intervals_between_dates_stay(first: date, second: date, days: int) -> None:
    moved = [shift_date(day.strftime("%Y%m%d"), days) for day in (first, second)]
    found = [date(int(text[:4]), int(text[4:6]), int(text[6:])) for text in moved if text]
    assert found[1] - found[0] == second - first
    assert found[0] == first + timedelta(days=days)


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("20200301", "20200229"),
        ("2020.03.01", "20200229"),
        ("20201301", None),
        ("", None),
        ("00010101", None),
        ("20200301-20200401", None),
    ],
)
def test_dates_move_by_the_calendar(text: str, moved: str | None) -> None:
    assert shift_date(text, -1) == moved


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("20200301120000.123456+0100", "20200229120000.123456+0100"),
        ("20200301", "20200229"),
        ("20200301-0500", "20200229-0500"),
        ("202003", "202002"),
        ("2020", "2019"),
        ("2020+0000", "2019+0000"),
        ("202003 Doe", None),
        ("20200301120000 Doe", None),
    ],
)
def test_dates_with_time_move_at_their_own_precision(text: str, moved: str | None) -> None:
    assert shift_date_time(text, -1) == moved


@pytest.mark.parametrize(
    ("age", "capped"),
    [("089Y", "089Y"), ("090Y", "090Y"), ("104Y", "090Y"), ("006M", "006M"), ("999M", "999M"), ("old", ""), ("", "")],
)
def test_ages_are_capped(age: str, capped: str) -> None:
    assert cap_age(age) == capped


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("CT ABDOMEN/PELVIS portal-venous 2.5 mm", "CT ABDOMEN PELVIS portal venous 2.5 mm"),
        ("Leber nativ, Frau Müller geb. 3.2.1941", "Leber nativ"),
        ("Thorax 1.25mm 120kV 12 03 1999", "Thorax 1.25mm 120kV"),
        ("4711", ""),
        ("mm", ""),
        ("", ""),
    ],
)
def test_descriptions_keep_known_words_and_measures(text: str, cleaned: str) -> None:
    assert clean_description(text) == cleaned
