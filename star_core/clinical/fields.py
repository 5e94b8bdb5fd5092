"""The schema of the clinical record: every input column of the MSKCC workbook (doi 10.7937/QXK2-QG03).

Each field says its unit, its hard range, when it is known, where it stands in the workbook, and how it is scaled for
the network. A model uses the preoperative fields; pathology is read from the resected specimen and is never mixed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from star_core.types import ClinicalRecord, FloatArray, Sex

FieldValue = float | int | bool | Sex


class FieldKind(StrEnum):
    """How a field is entered."""

    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CHOICE = "choice"


class FieldGroup(StrEnum):
    """Where a field stands in the form."""

    PATIENT = "patient"
    PRIMARY = "primary"
    METASTASES = "metastases"
    TREATMENT = "treatment"
    PATHOLOGY = "pathology"


class KnownFrom(StrEnum):
    """When a field can be known."""

    PREOPERATIVE = "preoperative"
    PATHOLOGY = "pathology"


class Scaling(StrEnum):
    """How a number is brought to unit size: linear, or on the logarithm of one plus the value."""

    LINEAR = "linear"
    LOG1P = "log1p"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalField:
    """One field.

    ``name`` is the attribute of :class:`ClinicalRecord`. ``minimum`` and ``maximum`` are hard limits in ``unit``.
    ``workbook_scale`` turns the workbook's value into ``unit`` (its percentages are fractions). The network sees
    ``(scaled value - centre) / spread``.
    """

    name: str
    label: str
    group: FieldGroup
    kind: FieldKind
    workbook_column: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    known_from: KnownFrom = KnownFrom.PREOPERATIVE
    used_by_model: bool = False
    workbook_scale: float = 1.0
    scaling: Scaling = Scaling.LINEAR
    centre: float = 0.5
    spread: float = 0.5
    help: str = ""

    @property
    def choices(self) -> tuple[str, ...]:
        """Values of a choice, in the order of the form."""
        return tuple(sex.value for sex in Sex) if self.kind is FieldKind.CHOICE else ()


def _yes_no(
    name: str, label: str, group: FieldGroup, column: str, help_text: str, *, used: bool = True
) -> ClinicalField:
    pathology = group is FieldGroup.PATHOLOGY
    return ClinicalField(
        name=name,
        label=label,
        group=group,
        kind=FieldKind.BOOLEAN,
        workbook_column=column,
        known_from=KnownFrom.PATHOLOGY if pathology else KnownFrom.PREOPERATIVE,
        used_by_model=used and not pathology,
        help=help_text,
    )


def _percent(name: str, label: str, column: str, help_text: str) -> ClinicalField:
    return ClinicalField(
        name=name,
        label=label,
        group=FieldGroup.PATHOLOGY,
        kind=FieldKind.NUMBER,
        workbook_column=column,
        unit="%",
        minimum=0.0,
        maximum=100.0,
        known_from=KnownFrom.PATHOLOGY,
        workbook_scale=100.0,
        centre=50.0,
        spread=30.0,
        help=help_text,
    )


FIELDS: tuple[ClinicalField, ...] = (
    ClinicalField(
        name="age_years",
        label="Age at operation",
        group=FieldGroup.PATIENT,
        kind=FieldKind.NUMBER,
        workbook_column="age",
        unit="years",
        minimum=18.0,
        maximum=110.0,
        used_by_model=True,
        centre=60.0,
        spread=12.0,
        help="Completed years on the day of liver surgery.",
    ),
    ClinicalField(
        name="sex",
        label="Sex",
        group=FieldGroup.PATIENT,
        kind=FieldKind.CHOICE,
        workbook_column="sex",
        used_by_model=True,
        help="As in the clinical record, not as in the image header.",
    ),
    _yes_no(
        "major_comorbidity",
        "Major comorbidity",
        FieldGroup.PATIENT,
        "major_comorbidity",
        "A serious other illness, as judged before surgery.",
    ),
    ClinicalField(
        name="body_mass_index_kg_m2",
        label="Body mass index",
        group=FieldGroup.PATIENT,
        kind=FieldKind.NUMBER,
        workbook_column="body_mass_index",
        unit="kg/m²",
        minimum=10.0,
        maximum=80.0,
        used_by_model=True,
        centre=27.5,
        spread=5.0,
        help="Weight in kilograms divided by height in metres squared, at operation.",
    ),
    _yes_no(
        "node_positive_primary",
        "Node-positive primary",
        FieldGroup.PRIMARY,
        "node_positive_primary",
        "Lymph nodes of the colorectal primary were involved.",
    ),
    _yes_no(
        "synchronous_metastases",
        "Synchronous metastases",
        FieldGroup.PRIMARY,
        "synchronous_crlm",
        "Liver metastases were found with the primary.",
    ),
    _yes_no(
        "multiple_metastases",
        "More than one metastasis",
        FieldGroup.METASTASES,
        "multiple_metastases",
        "More than one liver metastasis.",
    ),
    ClinicalField(
        name="largest_tumour_cm",
        label="Largest metastasis",
        group=FieldGroup.METASTASES,
        kind=FieldKind.NUMBER,
        workbook_column="max_tumor_size",
        unit="cm",
        minimum=0.0,
        maximum=40.0,
        used_by_model=True,
        scaling=Scaling.LOG1P,
        centre=1.4,
        spread=0.5,
        help="Largest diameter of the largest liver metastasis.",
    ),
    _yes_no(
        "bilobar_disease",
        "Both lobes involved",
        FieldGroup.METASTASES,
        "bilobar_disease",
        "Metastases in both halves of the liver.",
    ),
    _yes_no(
        "extrahepatic_disease",
        "Disease outside the liver",
        FieldGroup.METASTASES,
        "extrahep_disease",
        "Metastases outside the liver at the time of surgery.",
    ),
    ClinicalField(
        name="cea_ng_ml",
        label="CEA",
        group=FieldGroup.METASTASES,
        kind=FieldKind.NUMBER,
        workbook_column="carcinoembryonic_antigen",
        unit="ng/ml",
        minimum=0.0,
        maximum=100_000.0,
        used_by_model=True,
        scaling=Scaling.LOG1P,
        centre=2.4,
        spread=1.5,
        help="Carcinoembryonic antigen in serum before surgery.",
    ),
    ClinicalField(
        name="clinical_risk_score",
        label="Clinical risk score (Fong)",
        group=FieldGroup.METASTASES,
        kind=FieldKind.INTEGER,
        workbook_column="clinrisk_score",
        minimum=0,
        maximum=5,
        used_by_model=True,
        centre=2.0,
        spread=1.0,
        help="One point each for node-positive primary, short disease-free interval, more than one tumour, "
        "CEA above 200 ng/ml, largest tumour above 5 cm (doi 10.1097/00000658-199909000-00004).",
    ),
    _yes_no(
        "clinical_risk_score_high",
        "Clinical risk score 3 to 5",
        FieldGroup.METASTASES,
        "clinrisk_stratified",
        "Follows from the score.",
        used=False,
    ),
    _yes_no(
        "preoperative_chemotherapy",
        "Chemotherapy before liver surgery",
        FieldGroup.TREATMENT,
        "chemo_before_liver_resection",
        "Systemic chemotherapy before the liver was operated on.",
    ),
    _yes_no(
        "portal_vein_embolisation",
        "Portal vein embolisation",
        FieldGroup.TREATMENT,
        "preoperative_pve",
        "Embolisation before surgery to let the remnant grow.",
    ),
    _yes_no("steatosis", "Steatosis", FieldGroup.PATHOLOGY, "steatosis_yesno", "Fatty liver in the specimen."),
    _yes_no(
        "sinusoidal_dilatation",
        "Sinusoidal dilatation",
        FieldGroup.PATHOLOGY,
        "presence_sinusoidal_dilata",
        "Dilated sinusoids in the specimen.",
    ),
    ClinicalField(
        name="nash_score",
        label="NASH score",
        group=FieldGroup.PATHOLOGY,
        kind=FieldKind.INTEGER,
        workbook_column="NASH_score",
        minimum=0,
        maximum=8,
        known_from=KnownFrom.PATHOLOGY,
        centre=1.5,
        spread=1.5,
        help="Non-alcoholic steatohepatitis activity in the specimen.",
    ),
    _yes_no("nash", "NASH", FieldGroup.PATHOLOGY, "NASH_yesno", "Non-alcoholic steatohepatitis in the specimen."),
    _yes_no("nash_score_above_4", "NASH score 4 or more", FieldGroup.PATHOLOGY, "NASH_greater_4", "As the workbook."),
    _percent(
        "pathologic_response_percent",
        "Pathologic response",
        "total_response_percent",
        "Share of the tumour that is not viable: necrosis, fibrosis and mucin.",
    ),
    _percent("tumour_necrosis_percent", "Tumour necrosis", "necrosis_percent", "Necrotic share of the tumour."),
    _percent("tumour_fibrosis_percent", "Tumour fibrosis", "fibrosis_percent", "Fibrotic share of the tumour."),
    _yes_no(
        "tumour_fibrosis_above_40_percent",
        "Tumour fibrosis 40 % or more",
        FieldGroup.PATHOLOGY,
        "fibrosis_greater_40_percent",
        "Follows from the fibrosis.",
    ),
    _percent("tumour_mucin_percent", "Tumour mucin", "mucin_percent", "Mucinous share of the tumour."),
)

FIELD_BY_NAME = {field.name: field for field in FIELDS}
MODEL_FIELDS = tuple(field for field in FIELDS if field.used_by_model)


def encode_record(record: ClinicalRecord) -> tuple[FloatArray, FloatArray]:
    """Return the scaled values and the gaps of ``MODEL_FIELDS``, each float32 (F,); a missing value is 0 with gap 1."""
    values = np.zeros(len(MODEL_FIELDS), dtype=np.float32)
    missing = np.zeros(len(MODEL_FIELDS), dtype=np.float32)
    for index, field in enumerate(MODEL_FIELDS):
        value = getattr(record, field.name)
        if value is None:
            missing[index] = 1.0
        else:
            values[index] = (_to_number(field, value) - field.centre) / field.spread
    return values, missing


def _to_number(field: ClinicalField, value: FieldValue) -> float:
    if isinstance(value, Sex):
        return float(value is Sex.FEMALE)
    number = float(value)
    return math.log1p(number) if field.scaling is Scaling.LOG1P else number
