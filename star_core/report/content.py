"""What a report says, before anything is drawn: every number comes from the assessment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from star_core import RESEARCH_NOTICE
from star_core.clinical.fields import FIELDS
from star_core.clinical.record import format_entry
from star_core.types import Assessment, Case, Cause, DoubleArray, Interval, RegionRisk, Severity, Structure

HEADLINE_YEARS = (1, 3, 5)
LIMITATIONS = (
    "The forecast is a projection from one scan before surgery; no scan of a later year was seen unless listed.",
    "Where in the liver recurrence is likely has not been validated on patients: no locations are recorded in the "
    "public collections.",
    "Intervals show how far the model's heads move when its training cohort is resampled; they do not cover errors "
    "of segmentation, of the scan, or of the model's form.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class YearRow:
    """One year of the table, as text in per cent."""

    year: str
    any_recurrence: str
    liver: str
    elsewhere: str
    death: str
    overall_survival: str
    event_free: str
    at_risk: str
    supported: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """All words and numbers of a report."""

    title: str
    notice: str
    case_id: str
    model_line: str
    summary: tuple[str, ...]
    years: tuple[YearRow, ...]
    regions: tuple[tuple[str, str, str, str, str], ...]
    segments: tuple[tuple[str, str, str, str, str], ...]
    inputs: tuple[tuple[str, str], ...]
    volumes: tuple[tuple[str, str], ...]
    findings: tuple[tuple[str, str], ...]
    provenance: tuple[tuple[str, str], ...]
    limitations: tuple[str, ...]
    created_utc: str


def build_report(assessment: Assessment, case: Case) -> ReportContent:
    """Return the content of the report on an assessment."""
    provenance = assessment.provenance
    return ReportContent(
        title="Projected recurrence after resection of colorectal liver metastases",
        notice=RESEARCH_NOTICE,
        case_id=assessment.case_id,
        model_line=f"Model: {provenance.model_name}, trained on {provenance.model_cohort}",
        summary=_summarise(assessment),
        years=_build_years(assessment),
        regions=_build_regions(assessment.regions),
        segments=_build_regions(assessment.segments),
        inputs=tuple(
            (field.label, _with_unit(format_entry(field, getattr(case.clinical, field.name)), field.unit))
            for field in FIELDS
            if field.used_by_model
        ),
        volumes=_build_volumes(case),
        findings=tuple(
            (finding.severity.value, finding.message)
            for finding in sorted(assessment.findings, key=lambda finding: list(Severity)[::-1].index(finding.severity))
        ),
        provenance=_build_provenance(assessment),
        limitations=LIMITATIONS,
        created_utc=provenance.created_utc,
    )


def _percent(value: float) -> str:
    return f"{100.0 * value:.0f} %" if value >= 0.095 else f"{100.0 * value:.1f} %"


def _with_interval(values: DoubleArray, interval: Interval | None, index: int) -> str:
    if interval is None:
        return f"{100 * values[index]:.1f}"
    return f"{100 * values[index]:.1f} ({100 * interval.lower[index]:.0f}–{100 * interval.upper[index]:.0f})"


def _with_unit(text: str, unit: str) -> str:
    if not text:
        return "missing"
    return f"{text} {unit}".strip()


def _summarise(assessment: Assessment) -> tuple[str, ...]:
    forecast = assessment.forecast
    any_recurrence = ", ".join(
        f"{_percent(forecast.any_recurrence[year - 1])} by year {year}" for year in HEADLINE_YEARS
    )
    annual = forecast.any_recurrence.copy()
    annual[1:] -= forecast.any_recurrence[:-1]
    worst = int(annual.argmax())
    sentences = [
        f"Projected recurrence anywhere: {any_recurrence}; in the liver "
        f"{_percent(forecast.cumulative_incidence[Cause.LIVER][4])} by year 5.",
        f"The year that adds most is year {worst + 1} ({_percent(float(annual[worst]))}).",
        f"Projected overall survival at 5 years: {_percent(forecast.overall_survival[4])}.",
    ]
    parts = assessment.regions[1:]
    if parts and assessment.regions[0].cumulative_incidence[4] > 0:
        top = max(parts, key=lambda region: region.cumulative_incidence[4])
        share = top.cumulative_incidence[4] / assessment.regions[0].cumulative_incidence[4]
        name = top.name[0].lower() + top.name[1:]
        place = f"{name} ({top.volume_ml:.0f} ml)"
        sentences.append(f"Of the liver's share by year 5, {_percent(float(share))} lies {place}.")
    unsupported = forecast.years[~forecast.supported]
    if len(unsupported):
        sentences.append(f"From year {unsupported[0]} on, fewer than 10 training patients were at risk: unsupported.")
    return tuple(sentences)


def _build_years(assessment: Assessment) -> tuple[YearRow, ...]:
    forecast, intervals = assessment.forecast, assessment.forecast.intervals
    incidence = forecast.cumulative_incidence
    return tuple(
        YearRow(
            year=str(year),
            any_recurrence=_with_interval(forecast.any_recurrence, intervals.get("any"), i),
            liver=_with_interval(incidence[Cause.LIVER], intervals.get("liver"), i),
            elsewhere=_with_interval(incidence[Cause.ELSEWHERE], intervals.get("elsewhere"), i),
            death=_with_interval(incidence[Cause.DEATH], intervals.get("death"), i),
            overall_survival=_with_interval(forecast.overall_survival, intervals.get("overall_survival"), i),
            event_free=_with_interval(forecast.event_free_survival, intervals.get("event_free_survival"), i),
            at_risk=str(forecast.at_risk[i]),
            supported=bool(forecast.supported[i]),
        )
        for i, year in enumerate(forecast.years)
    )


def _build_regions(regions: Iterable[RegionRisk]) -> tuple[tuple[str, str, str, str, str], ...]:
    rows = []
    for region in regions:
        risks = [f"{100.0 * region.cumulative_incidence[year - 1]:.2f}" for year in HEADLINE_YEARS]
        rows.append((region.name, f"{region.volume_ml:.0f}", risks[0], risks[1], risks[2]))
    return tuple(rows)


def _build_volumes(case: Case) -> tuple[tuple[str, str], ...]:
    if case.masks is None:
        return ()
    names = {
        Structure.LIVER: "Liver",
        Structure.REMNANT: "Future liver remnant",
        Structure.TUMOUR: "Tumours",
        Structure.PORTAL_VEINS: "Portal veins",
        Structure.HEPATIC_VEINS: "Hepatic veins",
    }
    return tuple((name, f"{case.masks.volume_ml(s):.0f} ml") for s, name in names.items() if case.masks.known & s)


def _build_provenance(assessment: Assessment) -> tuple[tuple[str, str], ...]:
    provenance = assessment.provenance
    rows = [
        ("Model id (SHA-256)", provenance.model_id),
        ("Card digest", provenance.card_sha256),
        ("Software", f"STAR Viewer {provenance.software_version}"),
        ("CT series", provenance.series_uid),
        ("Segmentation", provenance.segmentation_uid or "none"),
        ("Created (UTC)", provenance.created_utc),
    ]
    for year, series_uid in sorted(provenance.follow_up_series_uids.items()):
        aligned = provenance.follow_up_registrations.get(year, "in the space of the first CT")
        rows.append((f"Follow-up CT, year {year}", f"{series_uid}; {aligned}"))
    settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in provenance.preprocessing.items())
    rows.append(("Preprocessing", settings))
    return tuple(rows)
