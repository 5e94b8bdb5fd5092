"""From a case to an assessment: prepare, predict, explain, and say where it all came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import star_core
from star_core.archive.audit import AuditAction, write_down
from star_core.clinical.fields import MODEL_FIELDS, encode_record
from star_core.clinical.record import record_to_mapping, validate_record
from star_core.cohort.prepare import build_model_input
from star_core.errors import BundleError
from star_core.explain.gradcam import BONE_RULE, ExplainedOutcome, Heatmap, compute_gradcam, share_by_organ
from star_core.explain.regions import compute_region_risks, compute_segment_risks
from star_core.imaging.centring import centre_of_reader
from star_core.imaging.couinaud.landmarks import find_landmarks
from star_core.imaging.couinaud.segments import doubt_landmarks
from star_core.imaging.follow_up import describe_follow_ups, later_years, prepare_follow_up, register_follow_ups
from star_core.imaging.geometry import to_canonical
from star_core.imaging.liver import segment_liver
from star_core.model.bundle import ModelBundle, read_preprocessing
from star_core.model.predict import choose_device, predict
from star_core.model.tracker import ImageFeatures
from star_core.storage import new_file
from star_core.types import (
    Assessment,
    Case,
    Cause,
    CouinaudLandmarks,
    DoubleArray,
    Finding,
    Forecast,
    Interval,
    Masks,
    ModelInput,
    ProgressCallback,
    Provenance,
    RegionRisk,
    Registration,
    Severity,
    Structure,
    Volume,
    ignore_progress,
)

_STEPS = 4
_LIVERS_KNOWN = 6


@dataclass(frozen=True)
class _SeenScan:
    """A scan that was prepared and tracked before."""

    scans: tuple[Volume, ...]
    masks: Masks | None
    model_input: ModelInput
    landmarks: CouinaudLandmarks
    findings: tuple[Finding, ...]
    given: Mapping[int, Registration]
    registrations: Mapping[int, Registration]
    features: ImageFeatures | None
    centre_index: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Where a model looked for one forecast: Grad-CAM, its shares by organ, and whose model it was."""

    case_id: str
    heatmap: Heatmap
    shares: Mapping[str, float]
    model_name: str
    model_id: str
    model_cohort: str
    findings: tuple[Finding, ...]


class Assessor:
    """A model ready to assess cases; remembers the last scan, so that only the record's part runs again.

    Raises
    ------
    BundleError
        When the model was trained on other clinical fields than this version has.
    """

    def __init__(self, bundle: ModelBundle, *, device: str = "auto") -> None:
        if bundle.card.fields != tuple(field.name for field in MODEL_FIELDS):
            raise BundleError(
                f"Model {bundle.card.name!r} was trained on other clinical fields than this version has.",
                remedy="Use the version that made it, or choose another model.",
            )
        self.card = bundle.card
        self._preprocessing = read_preprocessing(bundle.card)
        self._network = bundle.build_network()
        self._device = choose_device(device)
        self._seen: _SeenScan | None = None
        self._livers: tuple[tuple[Volume, Masks | None, Masks, tuple[Finding, ...]], ...] = ()

    def assess(self, case: Case, *, progress: ProgressCallback = ignore_progress) -> Assessment:
        """Return the assessment of a case; ``progress`` counts preparing, tracking, projecting and explaining.

        Follow-up scans fill the slots of their years and of those after, as the case says that they lie on the first;
        where it does not, they are registered as a body.

        Raises
        ------
        RegistrationError
            When a follow-up cannot be aligned with the first scan.
        """
        progress(0, _STEPS)
        seen = self._prepare(case, progress)
        progress(1, _STEPS)
        clinical, missing = encode_record(case.clinical)
        model_input = replace(seen.model_input, clinical=clinical, clinical_missing=missing)
        prediction = predict(self._network, model_input, self.card.at_risk, features=seen.features, device=self._device)
        self._seen = replace(seen, features=prediction.features)
        progress(3, _STEPS)
        landmarks = case.landmarks or seen.landmarks
        regions = compute_region_risks(prediction.risk_map, model_input)
        segments = compute_segment_risks(prediction.risk_map, model_input, landmarks)
        progress(_STEPS, _STEPS)
        assessment = Assessment(
            case_id=case.case_id,
            forecast=prediction.forecast,
            risk_map=prediction.risk_map,
            regions=regions,
            segments=segments,
            landmarks=landmarks,
            model_input=model_input,
            findings=(
                *self._findings_on_model(),
                *seen.findings,
                *doubt_landmarks(landmarks),
                *validate_record(case.clinical),
            ),
            provenance=self._provenance(case, model_input, seen.registrations),
        )
        details: dict[str, str | int] = {
            "model": self.card.name,
            "card_digest": self.card.card_digest,
            "findings": len(assessment.findings),
        }
        write_down(AuditAction.ASSESSMENT, subject=case.case_id, details=details)
        return assessment

    def explain_attention(self, case: Case, year: int, outcome: ExplainedOutcome) -> Attention:
        """Return the Grad-CAM of a case's forecast and its shares by organ.

        Raises
        ------
        BundleError
            When the model has no encoder of the scan with levels, or no such year.
        """
        seen = self._prepare(case)
        self._seen = seen
        clinical, missing = encode_record(case.clinical)
        model_input = replace(seen.model_input, clinical=clinical, clinical_missing=missing)
        heatmap = compute_gradcam(self._network, model_input, year, outcome, device=self._device)
        return Attention(
            case_id=case.case_id,
            heatmap=heatmap,
            shares=share_by_organ(heatmap, model_input, self._preprocessing),
            model_name=self.card.name,
            model_id=self.card.model_id,
            model_cohort=self.card.cohort.in_words(),
            findings=(*self._findings_on_model(), *seen.findings),
        )

    def _prepare(self, case: Case, progress: ProgressCallback = ignore_progress) -> _SeenScan:
        volume, masks = case.baseline_scan, case.masks
        scans = tuple(case.scans[year] for year in sorted(case.scans))
        # Where a reader put the portal bifurcation, the model's planes follow (method, section 2, step 2).
        centre_index = centre_of_reader(case.landmarks, to_canonical(volume.voxels_hu, volume.geometry)[1])
        if self._knows(case, scans, centre_index):
            assert self._seen is not None
            return self._seen
        structures, estimated = self._find_liver(volume, masks)
        model_input = build_model_input(
            volume, structures, case.clinical, config=self._preprocessing, centre_index=centre_index
        )
        registrations = register_follow_ups(case)
        follow_ups = []
        for year in later_years(case):
            progress(0, _STEPS)
            later_structures, _ = self._find_liver(case.scans[year], None)
            progress(0, _STEPS)
            prepared = prepare_follow_up(
                case.scans[year],
                later_structures,
                year=year,
                grid=model_input.geometry,
                config=self._preprocessing,
                registration=registrations.get(year),
            )
            follow_ups.append(prepared)
        findings = (
            *volume.findings,
            *(() if masks is None else masks.findings),
            *estimated,
            *model_input.findings,
            *describe_follow_ups(case, registrations),
        )
        return _SeenScan(
            scans=scans,
            masks=masks,
            model_input=replace(model_input, follow_ups=tuple(follow_ups)),
            landmarks=find_landmarks(structures),
            findings=findings,
            given=case.registrations,
            registrations=registrations,
            features=None,
            centre_index=centre_index,
        )

    def _find_liver(self, volume: Volume, masks: Masks | None) -> tuple[Masks, tuple[Finding, ...]]:
        """Return masks that hold a liver; one that was found is known while scans are moved against each other."""
        for scan, given, structures, findings in self._livers:
            if scan is volume and given is masks:
                return structures, findings
        structures, findings = _with_liver(volume, masks)
        if structures is not masks:
            self._livers = (*self._livers[1 - _LIVERS_KNOWN :], (volume, masks, structures, findings))
        return structures, findings

    def _knows(self, case: Case, scans: tuple[Volume, ...], centre_index: float | None) -> bool:
        seen = self._seen
        if seen is None or not _are_same(seen.scans, scans) or seen.masks is not case.masks:
            return False
        if seen.centre_index != centre_index:
            return False
        years, given = later_years(case), case.registrations
        filled = [follow_up.year for follow_up in seen.model_input.follow_ups]
        return years == filled and all(seen.given.get(year) is given.get(year) for year in years)

    def _findings_on_model(self) -> tuple[Finding, ...]:
        """Return what the reader must know of the model before any of its numbers."""
        card, findings = self.card, []
        if card.demonstration:
            findings.append(
                Finding(
                    code="demonstration-model",
                    severity=Severity.WARNING,
                    message=f"Model {card.name!r} was trained on synthetic patients: "
                    "its numbers say nothing about a real patient.",
                )
            )
        if not card.cohort.synthetic:
            findings.append(
                Finding(
                    code="unvalidated-model",
                    severity=Severity.WARNING,
                    message=f"Model {card.name!r} learnt from {card.cohort.patients} real patients "
                    f"({card.cohort.name}) and was measured on these alone: no other hospital has tested it.",
                )
            )
        if not card.architecture.has_map:
            findings.append(
                Finding(
                    code="no-map",
                    severity=Severity.WARNING,
                    message=f"Model {card.name!r} does not say where: the liver's risk is spread evenly over it.",
                )
            )
        return tuple(findings)

    def _provenance(self, case: Case, model_input: ModelInput, registrations: Mapping[int, Registration]) -> Provenance:
        card = self.card
        return Provenance(
            model_name=card.name,
            model_id=card.model_id,
            card_sha256=card.card_digest,
            model_cohort=card.cohort.in_words(),
            software_version=star_core.__version__,
            series_uid=case.baseline_scan.series_uid,
            follow_up_series_uids={year: scan.series_uid for year, scan in case.scans.items() if year > 0},
            follow_up_registrations={year: found.in_words() for year, found in registrations.items()},
            segmentation_uid=None if case.masks is None else case.masks.series_uid,
            preprocessing={
                "centring_rule": model_input.centring_rule.value,
                "centre_slice_index": round(float(model_input.centre_index), 2),
                **{key: value for key, value in card.preprocessing.items() if value is not None},
            },
            clinical_inputs=record_to_mapping(case.clinical),
            created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def _are_same(seen: tuple[Volume, ...], scans: tuple[Volume, ...]) -> bool:
    return len(seen) == len(scans) and all(a is b for a, b in zip(seen, scans, strict=True))


def _with_liver(volume: Volume, masks: Masks | None) -> tuple[Masks, tuple[Finding, ...]]:
    """Return masks that hold a liver, found in the CT where none was segmented."""
    if masks is not None and masks.mask_of(Structure.LIVER).any():
        return masks, ()
    found = segment_liver(volume)
    bits = np.zeros(volume.geometry.shape, dtype=np.uint8) if masks is None else masks.bits.copy()
    bits[found.mask] |= np.uint8(Structure.LIVER)
    known = Structure.LIVER if masks is None else masks.known | Structure.LIVER
    return Masks(bits=bits, geometry=volume.geometry, known=known), found.findings


# --------------------------------------------------------------------------- forecast.json


def to_forecast_json(assessment: Assessment) -> dict[str, object]:
    """Return the content of ``forecast.json``; probabilities are fractions of 1, one value a year."""
    forecast = assessment.forecast
    recurrence = {
        name: _curve(forecast.cumulative_incidence[cause], forecast.intervals.get(name))
        for name, cause in (("liver", Cause.LIVER), ("elsewhere", Cause.ELSEWHERE))
    }
    recurrence["any"] = _curve(forecast.any_recurrence, forecast.intervals.get("any"))
    return {
        "notice": star_core.RESEARCH_NOTICE,
        "case_id": assessment.case_id,
        "years": forecast.years.tolist(),
        "recurrence": recurrence,
        "death_without_recurrence": _curve(
            forecast.cumulative_incidence[Cause.DEATH], forecast.intervals.get(Cause.DEATH.value)
        ),
        "overall_survival": forecast.overall_survival.tolist(),
        "event_free_survival": forecast.event_free_survival.tolist(),
        "intervals": _intervals_of_survival(forecast),
        "at_risk": forecast.at_risk.tolist(),
        "supported": forecast.supported.tolist(),
        "regions": [_region_json(region) for region in assessment.regions],
        "segments": [_region_json(segment) for segment in assessment.segments],
        "landmarks": {
            name.value: {"lps_mm": list(point), "origin": assessment.landmarks.origins[name].value}
            for name, point in assessment.landmarks.points_mm.items()
        },
        "quality": [_finding_json(finding) for finding in assessment.findings],
        "provenance": _provenance_json(assessment.provenance),
    }


def write_forecast_json(assessment: Assessment, path: Path) -> None:
    """Write ``forecast.json``.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    with new_file(path) as partial:
        partial.write_text(json.dumps(to_forecast_json(assessment), indent=1) + "\n", encoding="utf-8")


def write_shares_json(attention: Attention, path: Path) -> None:
    """Write ``shares.json``: the heat's shares by organ, what was explained, and how bone was told.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    content = {
        "notice": star_core.RESEARCH_NOTICE,
        "case_id": attention.case_id,
        "year": attention.heatmap.year,
        "outcome": attention.heatmap.outcome.value,
        "shares": dict(attention.shares),
        "bone_rule": BONE_RULE,
        "model_name": attention.model_name,
        "model_id": attention.model_id,
        "model_trained_on": attention.model_cohort,
        "quality": [_finding_json(finding) for finding in attention.findings],
    }
    with new_file(path) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _region_json(region: RegionRisk) -> dict[str, object]:
    return {
        "name": region.name,
        "volume_ml": region.volume_ml,
        "cumulative_incidence": region.cumulative_incidence.tolist(),
    }


def _finding_json(finding: Finding) -> dict[str, str]:
    return {"code": finding.code, "severity": finding.severity.value, "message": finding.message}


def _curve(values: DoubleArray, interval: Interval | None) -> dict[str, object]:
    curve: dict[str, object] = {"cumulative_incidence": values.tolist()}
    if interval is not None:
        curve["interval_90_percent"] = _bounds(interval)
    return curve


def _intervals_of_survival(forecast: Forecast) -> dict[str, object]:
    names = ("overall_survival", "event_free_survival")
    return {name: _bounds(forecast.intervals[name]) for name in names if name in forecast.intervals}


def _bounds(interval: Interval) -> dict[str, list[float]]:
    return {"lower": interval.lower.tolist(), "upper": interval.upper.tolist()}


def _provenance_json(provenance: Provenance) -> dict[str, object]:
    return {
        "model_name": provenance.model_name,
        "model_id": provenance.model_id,
        "card_digest": provenance.card_sha256,
        "model_cohort": provenance.model_cohort,
        "software_version": provenance.software_version,
        "series_uid": provenance.series_uid,
        "follow_up_series_uids": dict(provenance.follow_up_series_uids),
        "follow_up_registrations": dict(provenance.follow_up_registrations),
        "segmentation_uid": provenance.segmentation_uid,
        "preprocessing": dict(provenance.preprocessing),
        "clinical_inputs": dict(provenance.clinical_inputs),
        "created_utc": provenance.created_utc,
    }
