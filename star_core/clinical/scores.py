"""Published preoperative risk scores from a clinical record; what is not recorded widens the answer to a range.

Only what is known before surgery enters. Sources, in the order of :class:`ScoreName`: Fong et al. 1999
(doi 10.1097/00000658-199909000-00004), Sasaki et al. 2018 (doi 10.1097/SLA.0000000000002064), Konopke et al. 2009
(doi 10.1111/j.1478-3231.2008.01845.x), Margonis et al. 2018 (doi 10.1002/bjs.10838).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from star_core.types import ClinicalRecord

FONG_CEA_NG_ML = KONOPKE_CEA_NG_ML = 200.0
FONG_SIZE_CM = 5.0
GAME_CEA_NG_ML = 20.0
KONOPKE_TUMOURS = 4
TBS_ZONES = (3.0, 9.0)


class ScoreName(StrEnum):
    """Scores by the name on the command line."""

    FONG = "fong"
    TBS = "tbs"
    KONOPKE = "konopke"
    GAME = "game"


SCORE_TITLES = {
    ScoreName.FONG: "Clinical risk score (Fong)",
    ScoreName.TBS: "Tumour burden score",
    ScoreName.KONOPKE: "Konopke score",
    ScoreName.GAME: "GAME score",
}
_GROUPS: dict[ScoreName, tuple[tuple[str, ...], tuple[float, ...]]] = {
    # Names of the groups, and where each but the first begins.
    ScoreName.FONG: (("low (0 to 2)", "high (3 to 5)"), (3.0,)),
    ScoreName.TBS: (("zone 1 (below 3)", "zone 2 (3 to below 9)", "zone 3 (9 and above)"), TBS_ZONES),
    ScoreName.KONOPKE: (("low (0)", "intermediate (1)", "high (2 to 3)"), (1.0, 2.0)),
    ScoreName.GAME: (("low (0 to 1)", "medium (2 to 3)", "high (4 to 7)"), (2.0, 4.0)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalScore:
    """A score or the range that the record leaves open.

    ``lower`` and ``upper`` are equal when every input is known; both are ``None`` when the record says nothing of it.
    ``upper`` is infinite where nothing bounds it. ``reasons`` says what is missing or contradicts itself.
    """

    name: ScoreName
    lower: float | None
    upper: float | None
    reasons: tuple[str, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether the record leaves one value only."""
        return self.lower is not None and self.lower == self.upper

    @property
    def estimate(self) -> float | None:
        """One number for models: the middle of the range, its lower end where it has no upper, ``None`` if unknown."""
        if self.lower is None or self.upper is None:
            return None
        return self.lower if math.isinf(self.upper) else (self.lower + self.upper) / 2.0

    @property
    def groups(self) -> tuple[str, ...]:
        """The published risk groups that the range reaches, from low to high; empty when the score is unknown."""
        if self.lower is None or self.upper is None:
            return ()
        names, starts = _GROUPS[self.name]
        return names[bisect_right(starts, self.lower) : bisect_right(starts, self.upper) + 1]


def compute_scores(
    record: ClinicalRecord, *, tumour_count: int | None = None, kras_mutated: bool | None = None
) -> tuple[ClinicalScore, ...]:
    """Return every score of a record, in the order of :class:`ScoreName`.

    ``tumour_count`` is the number of metastases where it is known, such as from a segmentation; the record itself
    only says whether there are several. ``kras_mutated`` is no field of the record.
    """
    return tuple(
        compute_score(name, record, tumour_count=tumour_count, kras_mutated=kras_mutated) for name in ScoreName
    )


def compute_score(
    name: ScoreName, record: ClinicalRecord, *, tumour_count: int | None = None, kras_mutated: bool | None = None
) -> ClinicalScore:
    """Return one score of a record; see :func:`compute_scores`."""
    match name:
        case ScoreName.FONG:
            return compute_fong(record, tumour_count=tumour_count)
        case ScoreName.TBS:
            return compute_tumour_burden(record, tumour_count=tumour_count)
        case ScoreName.KONOPKE:
            return compute_konopke(record, tumour_count=tumour_count)
        case ScoreName.GAME:
            return compute_game(record, tumour_count=tumour_count, kras_mutated=kras_mutated)


def compute_fong(record: ClinicalRecord, *, tumour_count: int | None = None) -> ClinicalScore:
    """Return the clinical risk score: 0 to 5, one point for each of five.

    These are a node-positive primary, a disease-free interval below 12 months, more than one tumour, CEA above
    200 ng/ml and a largest tumour above 5 cm. A recorded score stands; where its parts disagree, a reason says so.
    Synchronous metastases have no interval; that of metachronous ones is not recorded and leaves a point open.
    """
    count = _count_range(record, tumour_count)
    parts = _add_up(
        ScoreName.FONG,
        (
            _points(record.node_positive_primary, "node status of the primary"),
            _part(1, 1) if record.synchronous_metastases else _part(0, 1, "months from primary to metastases"),
            _above(count, 1.0, "number of tumours"),
            _points(_exceeds(record.cea_ng_ml, FONG_CEA_NG_ML), "CEA"),
            _points(_exceeds(record.largest_tumour_cm, FONG_SIZE_CM), "largest diameter"),
        ),
    )
    recorded = record.clinical_risk_score
    if recorded is None:
        return parts
    reasons: tuple[str, ...] = ()
    if parts.lower is not None and parts.upper is not None and not parts.lower <= recorded <= parts.upper:
        reasons = (f"recorded as {recorded}, its parts give {_format_range(parts.lower, parts.upper)}",)
    return ClinicalScore(name=ScoreName.FONG, lower=float(recorded), upper=float(recorded), reasons=reasons)


def compute_tumour_burden(record: ClinicalRecord, *, tumour_count: int | None = None) -> ClinicalScore:
    """Return the tumour burden score ``sqrt(largest diameter in cm ^ 2 + number of tumours ^ 2)``.

    Without a number, one tumour or at least two are told apart; then there is no upper end.
    """
    size_cm = record.largest_tumour_cm
    if size_cm is None:
        return ClinicalScore(name=ScoreName.TBS, lower=None, upper=None, reasons=(_missing("largest diameter"),))
    low, high = _count_range(record, tumour_count) or (1.0, math.inf)
    reasons = () if low == high else (_missing("number of tumours"),)
    return ClinicalScore(
        name=ScoreName.TBS, lower=math.hypot(size_cm, low), upper=math.hypot(size_cm, high), reasons=reasons
    )


def compute_konopke(record: ClinicalRecord, *, tumour_count: int | None = None) -> ClinicalScore:
    """Return Konopke's score: 0 to 3, a point each for 4 tumours or more, CEA from 200 ng/ml, synchronous disease."""
    return _add_up(
        ScoreName.KONOPKE,
        (
            _above(_count_range(record, tumour_count), KONOPKE_TUMOURS - 0.5, "number of tumours"),
            _points(_reaches(record.cea_ng_ml, KONOPKE_CEA_NG_ML), "CEA"),
            _points(record.synchronous_metastases, "time of metastases"),
        ),
    )


def compute_game(
    record: ClinicalRecord, *, tumour_count: int | None = None, kras_mutated: bool | None = None
) -> ClinicalScore:
    """Return the genetic and morphological score: 0 to 7.

    One point each for mutated KRAS, CEA from 20 ng/ml and a node-positive primary; one for a tumour burden score of
    3 to below 9 and two from 9; two for disease outside the liver.
    """
    burden = compute_tumour_burden(record, tumour_count=tumour_count)
    burden_part = _part(0, 2, "tumour burden score")
    if burden.lower is not None and burden.upper is not None:
        low, high = bisect_right(TBS_ZONES, burden.lower), bisect_right(TBS_ZONES, burden.upper)
        burden_part = _part(low, high, *(() if low == high else ("number of tumours",)))
    return _add_up(
        ScoreName.GAME,
        (
            _points(_reaches(record.cea_ng_ml, GAME_CEA_NG_ML), "CEA"),
            _points(record.node_positive_primary, "node status of the primary"),
            burden_part,
            _points(record.extrahepatic_disease, "disease outside the liver", worth=2),
        ),
        extra=_points(kras_mutated, "KRAS"),
    )


# --------------------------------------------------------------------------- points


@dataclass(frozen=True, slots=True)
class _Part:
    low: int
    high: int
    missing: str | None = None


def _part(low: int, high: int, missing: str | None = None) -> _Part:
    return _Part(low, high, missing)


def _points(holds: bool | None, what: str, *, worth: int = 1) -> _Part:
    return _Part(0, worth, what) if holds is None else _Part(worth * holds, worth * holds)


def _above(count: tuple[float, float] | None, limit: float, what: str) -> _Part:
    if count is None:
        return _Part(0, 1, what)
    low, high = count[0] > limit, count[1] > limit
    return _Part(int(low), int(high), None if low == high else what)


def _exceeds(value: float | None, limit: float) -> bool | None:
    return None if value is None else value > limit


def _reaches(value: float | None, limit: float) -> bool | None:
    return None if value is None else value >= limit


def _count_range(record: ClinicalRecord, tumour_count: int | None) -> tuple[float, float] | None:
    """Return the fewest and most tumours that a record allows; a count of 0 says that none was seen on the scan."""
    if tumour_count is not None and tumour_count > 0:
        return float(tumour_count), float(tumour_count)
    match record.multiple_metastases:
        case None:
            return None
        case True:
            return 2.0, math.inf
        case False:
            return 1.0, 1.0


def _add_up(name: ScoreName, parts: Sequence[_Part], *, extra: _Part | None = None) -> ClinicalScore:
    """Return the sum of parts; ``extra`` is a part that the record never holds and that alone makes no score."""
    every = [*parts, extra] if extra is not None else [*parts]
    reasons = tuple(_missing(part.missing) for part in every if part.missing is not None)
    if all(part.missing is not None for part in parts):
        return ClinicalScore(name=name, lower=None, upper=None, reasons=reasons)
    return ClinicalScore(
        name=name, lower=float(sum(p.low for p in every)), upper=float(sum(p.high for p in every)), reasons=reasons
    )


def _missing(what: str) -> str:
    return f"{what} not recorded"


def _format_range(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
