"""Published scores worked by hand, and the ranges that gaps leave."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_core.clinical.scores import (
    ClinicalScore,
    ScoreName,
    compute_fong,
    compute_game,
    compute_konopke,
    compute_score,
    compute_scores,
    compute_tumour_burden,
)
from star_core.clinical.tables import read_workbook
from star_core.types import ClinicalRecord
from tests.conftest import real_data
from tests.core.clinical.test_record import records

COMPLETE = ClinicalRecord(
    node_positive_primary=True,
    synchronous_metastases=True,
    multiple_metastases=True,
    cea_ng_ml=250.0,
    largest_tumour_cm=4.0,
    extrahepatic_disease=False,
)


def bounds(score: ClinicalScore) -> tuple[float | None, float | None]:
    return score.lower, score.upper


def test_a_complete_record_has_exact_scores() -> None:
    # Fong: node, synchronous, several, CEA > 200, not > 5 cm. Konopke: 3 tumours are not 4; CEA; synchronous.
    # TBS: sqrt(16 + 9) = 5. GAME: KRAS 1, CEA 1, node 1, TBS of 3 to 9 1, no disease outside the liver.
    scores = compute_scores(COMPLETE, tumour_count=3, kras_mutated=True)
    assert [score.name for score in scores] == list(ScoreName)
    assert [score.lower for score in scores] == [4.0, 5.0, 2.0, 4.0]
    assert all(score.is_exact and score.reasons == () for score in scores)
    assert [score.groups for score in scores] == [
        ("high (3 to 5)",),
        ("zone 2 (3 to below 9)",),
        ("high (2 to 3)",),
        ("high (4 to 7)",),
    ]


@pytest.mark.parametrize(("count", "size_cm", "tbs"), [(1, 0.0, 1.0), (3, 4.0, 5.0), (12, 5.0, 13.0), (8, 6.0, 10.0)])
def test_tumour_burden_is_the_hypotenuse(count: int, size_cm: float, tbs: float) -> None:
    record = ClinicalRecord(largest_tumour_cm=size_cm)
    assert bounds(compute_tumour_burden(record, tumour_count=count)) == (tbs, tbs)


@pytest.mark.parametrize(
    ("changes", "fong", "konopke", "game"),
    [
        # Limits: Fong asks for more than 200 ng/ml and 5 cm, Konopke for 200 and GAME for 20 ng/ml or more.
        ({"cea_ng_ml": 200.0}, 3.0, 2.0, 4.0),
        ({"cea_ng_ml": 199.9}, 3.0, 1.0, 4.0),
        ({"cea_ng_ml": 19.9}, 3.0, 1.0, 3.0),
        ({"largest_tumour_cm": 5.0}, 4.0, 2.0, 4.0),
        ({"largest_tumour_cm": 5.1}, 5.0, 2.0, 4.0),
        ({"largest_tumour_cm": 9.0}, 5.0, 2.0, 5.0),
        ({"extrahepatic_disease": True}, 4.0, 2.0, 6.0),
    ],
)
def test_limits_are_as_published(changes: dict[str, float], fong: float, konopke: float, game: float) -> None:
    record = replace(COMPLETE, **changes)
    assert compute_fong(record, tumour_count=3).lower == fong
    assert compute_konopke(record, tumour_count=3).lower == konopke
    assert compute_game(record, tumour_count=3, kras_mutated=True).lower == game


def test_four_tumours_are_a_point_of_konopke() -> None:
    assert compute_konopke(COMPLETE, tumour_count=4).lower == 3.0
    assert bounds(compute_konopke(COMPLETE)) == (2.0, 3.0)


def test_unknown_kras_leaves_a_range_and_says_so() -> None:
    score = compute_game(COMPLETE, tumour_count=3)
    assert bounds(score) == (3.0, 4.0)
    assert score.reasons == ("KRAS not recorded",)
    assert score.groups == ("medium (2 to 3)", "high (4 to 7)")
    assert score.estimate == 3.5


def test_an_unknown_number_of_tumours_has_no_upper_end() -> None:
    score = compute_tumour_burden(COMPLETE)
    assert bounds(score) == (math.hypot(4.0, 2.0), math.inf)
    assert score.estimate == score.lower
    assert score.reasons == ("number of tumours not recorded",)


def test_metachronous_disease_leaves_the_interval_open() -> None:
    score = compute_fong(replace(COMPLETE, synchronous_metastases=False))
    assert bounds(score) == (3.0, 4.0)
    assert score.reasons == ("months from primary to metastases not recorded",)


def test_a_recorded_score_stands_and_a_contradiction_is_told() -> None:
    assert bounds(compute_fong(replace(COMPLETE, clinical_risk_score=4))) == (4.0, 4.0)
    score = compute_fong(replace(COMPLETE, clinical_risk_score=1))
    assert bounds(score) == (1.0, 1.0)
    assert score.reasons == ("recorded as 1, its parts give 4",)


@pytest.mark.parametrize("name", list(ScoreName))
def test_an_empty_record_has_no_score(name: ScoreName) -> None:
    score = compute_score(name, ClinicalRecord())
    assert bounds(score) == (None, None)
    assert score.estimate is None
    assert score.groups == ()
    assert score.reasons


@given(records(), st.sampled_from(ScoreName), st.integers(1, 30), st.booleans())
def test_knowing_more_never_leaves_the_range(
    record: ClinicalRecord, name: ScoreName, count: int, kras_mutated: bool
) -> None:
    record = replace(record, clinical_risk_score=None, multiple_metastases=count > 1)
    vague = compute_score(name, record)
    known = compute_score(name, record, tumour_count=count, kras_mutated=kras_mutated)
    if vague.lower is None or vague.upper is None:
        return
    assert known.lower is not None
    assert known.upper is not None
    assert vague.lower <= known.lower <= known.upper <= vague.upper


def test_the_real_workbook_has_scores_for_everybody() -> None:
    (path,) = real_data("tcia-crlm").glob("*.xlsx")
    rows = read_workbook(path)
    for row in rows:
        fong, tbs, konopke, game = compute_scores(row.record)
        assert fong.lower is not None
        assert tbs.lower is not None
        assert konopke.lower is not None
        assert game.lower is not None
        assert game.upper is not None
        assert game.upper - game.lower >= 1.0  # KRAS is in no column
    exact = [compute_fong(row.record).is_exact for row in rows]
    assert sum(exact) >= 137  # recorded where CEA is
