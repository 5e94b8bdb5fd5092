"""A later scan on the model grid of the first one, for its year's slot in the network's sequence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import map_coordinates

from star_core.imaging.preprocess import PreprocessConfig, prepare_image
from star_core.imaging.registration.align import register
from star_core.types import (
    Case,
    DoubleArray,
    Finding,
    FloatArray,
    FollowUpInput,
    Geometry,
    Masks,
    Registration,
    Severity,
    Volume,
)

_AIR = -1.0


def prepare_follow_up(
    volume: Volume,
    masks: Masks | None,
    *,
    year: int,
    grid: Geometry,
    config: PreprocessConfig | None = None,
    registration: Registration | None = None,
) -> FollowUpInput:
    """Prepare a follow-up CT like the first scan, then bring it to that scan's model grid.

    Parameters
    ----------
    volume, masks
        The later CT in HU and its structures on the CT's grid, or ``None``.
    year
        Postoperative year (1..12) of the scan: months since surgery / 12, rounded up.
    grid
        Model grid of the scan before surgery.
    config
        Settings of the first scan's preparation.
    registration
        Where the first scan's points lie in the later scan; both share one space when not given.
    """
    prepared = prepare_image(volume, masks, config=config)
    index = np.indices(grid.shape).reshape(3, -1).T.astype(np.float64)
    points_mm = grid.index_to_lps(index)
    if registration is not None:
        points_mm = registration.map_to_later(points_mm)
    places = prepared.geometry.lps_to_index(points_mm).T
    fractions = [_sample(fraction, places, grid, outside=0.0) for fraction in prepared.fractions]
    return FollowUpInput(
        year=year,
        image=_sample(prepared.image[0], places, grid, outside=_AIR)[None],
        fractions=np.stack(fractions).clip(0.0, 1.0),
        known=prepared.known,
    )


def later_years(case: Case) -> list[int]:
    """Return the years of the scans after the first one, rising."""
    return sorted(case.scans)[1:]


def register_follow_ups(case: Case) -> dict[int, Registration]:
    """Return by year how later scans lie on the first, as the case says; where it does not, as a body.

    A scan that shares the first one's space and that nobody has registered has none.

    Raises
    ------
    RegistrationError
        When a scan cannot be aligned.
    """
    first = case.baseline_scan
    frame = first.acquisition.frame_of_reference_uid
    found: dict[int, Registration] = {}
    for year in later_years(case):
        later = case.scans[year]
        if year in case.registrations:
            found[year] = case.registrations[year]
        elif not frame or later.acquisition.frame_of_reference_uid != frame:
            found[year] = register(later, first)
    return found


def describe_follow_ups(case: Case, registrations: Mapping[int, Registration]) -> tuple[Finding, ...]:
    """Return a note for each year that a later scan fills and how it lies on the first; warn of another patient's."""
    own = case.baseline_scan.acquisition.patient_key
    keys = {year: case.scans[year].acquisition.patient_key for year in later_years(case)}
    strangers = tuple(
        Finding(
            code="other-patient",
            severity=Severity.WARNING,
            message=f"The header of the follow-up CT of year {year} names another patient than the first CT's; "
            "it was accepted all the same.",
        )
        for year, key in keys.items()
        if key and own and key != own
    )
    notes = tuple(
        Finding(
            code="follow-up",
            severity=Severity.NOTE,
            message=f"A follow-up CT fills year {year} of the model's sequence "
            f"({registrations[year].in_words() if year in registrations else 'in the space of the first CT'}).",
        )
        for year in later_years(case)
    )
    return (*strangers, *notes)


def _sample(values: FloatArray, places: DoubleArray, grid: Geometry, *, outside: float) -> FloatArray:
    sampled: FloatArray = map_coordinates(values, places, np.float32, order=1, cval=outside)
    return sampled.reshape(grid.shape)
