"""One patient: the record, the outcome, the scans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from star_core.types.couinaud import CouinaudLandmarks
from star_core.types.images import Masks, Volume
from star_core.types.registration import Registration


class Sex(StrEnum):
    """Sex as the clinical table records it."""

    MALE = "male"
    FEMALE = "female"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalRecord:
    """What the clinical table says; ``None`` is missing. ``star_core.clinical.fields`` is its schema."""

    age_years: float | None = None
    sex: Sex | None = None
    major_comorbidity: bool | None = None
    body_mass_index_kg_m2: float | None = None
    node_positive_primary: bool | None = None
    synchronous_metastases: bool | None = None
    multiple_metastases: bool | None = None
    clinical_risk_score: int | None = None
    clinical_risk_score_high: bool | None = None
    cea_ng_ml: float | None = None
    largest_tumour_cm: float | None = None
    bilobar_disease: bool | None = None
    extrahepatic_disease: bool | None = None
    preoperative_chemotherapy: bool | None = None
    portal_vein_embolisation: bool | None = None
    steatosis: bool | None = None
    sinusoidal_dilatation: bool | None = None
    nash_score: int | None = None
    nash: bool | None = None
    nash_score_above_4: bool | None = None
    pathologic_response_percent: float | None = None
    tumour_necrosis_percent: float | None = None
    tumour_fibrosis_percent: float | None = None
    tumour_fibrosis_above_40_percent: bool | None = None
    tumour_mucin_percent: float | None = None


class Cause(StrEnum):
    """Cause of the first event after resection."""

    LIVER = "liver"
    ELSEWHERE = "elsewhere"
    DEATH = "death"


CAUSES = (Cause.LIVER, Cause.ELSEWHERE, Cause.DEATH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What happened after resection, in exact months.

    ``cause`` is ``None`` when no event was seen until ``event_months`` (censored). ``died`` is ``False`` when the
    patient was alive at ``survival_months``. ``site_lps_mm`` is the (3,) place of a liver recurrence where recorded.
    """

    event_months: float
    cause: Cause | None
    survival_months: float
    died: bool
    site_lps_mm: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One patient: ``scans`` maps the postoperative year (0 = before surgery) to the CT of that year.

    ``landmarks`` are those of Couinaud's segments that a reader has placed; ``None`` leaves them to be found.
    ``registrations`` tells by year how a later scan lies on the first; a year without one is registered as a body.
    """

    case_id: str
    scans: Mapping[int, Volume]
    masks: Masks | None = None
    clinical: ClinicalRecord = field(default_factory=ClinicalRecord)
    outcome: Outcome | None = None
    landmarks: CouinaudLandmarks | None = None
    registrations: Mapping[int, Registration] = field(default_factory=dict)

    @property
    def baseline_scan(self) -> Volume:
        """The earliest CT of the patient."""
        return self.scans[min(self.scans)]
