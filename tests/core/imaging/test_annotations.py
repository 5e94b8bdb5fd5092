"""Annotations come back from JSON as they were; what is not as it must be is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from star_core.errors import AnnotationError
from star_core.imaging.annotations import (
    POINT_COUNTS,
    Annotation,
    AnnotationKind,
    AnnotationPlane,
    annotation_from_json,
    annotation_to_json,
    annotations_from_json,
    annotations_to_json,
    build_annotation,
    clean_label,
)

PLANE = AnnotationPlane(origin_mm=(0.0, 0.0, 12.5), right=(1.0, 0.0, 0.0), up=(0.0, -1.0, 0.0))
DISTANCE = build_annotation(AnnotationKind.DISTANCE, [(0, 0, 12.5), (3, 4, 12.5)], PLANE, label="tumour, müller 肝")

coordinates = st.floats(-9000, 9000)


@st.composite
def annotations(draw: st.DrawFn) -> Annotation:
    kind = draw(st.sampled_from(AnnotationKind))
    count = draw(st.integers(POINT_COUNTS[kind][0], min(POINT_COUNTS[kind][1], 12)))
    points = [draw(st.tuples(coordinates, coordinates, coordinates)) for _ in range(count)]
    return build_annotation(kind, points, PLANE, label=draw(st.text("aé肝\t \x00\u202e", max_size=300)))


def as_file() -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(json.dumps(annotations_to_json([DISTANCE])))
    return whole


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(annotations(), max_size=4))
def test_annotations_come_back_as_they_were(drawn: list[Annotation]) -> None:
    text = json.dumps(annotations_to_json(drawn))
    assert annotations_from_json(json.loads(text)) == tuple(drawn)


def test_one_annotation_comes_back_as_it_was() -> None:
    assert annotation_from_json(json.loads(json.dumps(annotation_to_json(DISTANCE)))) == DISTANCE


def test_points_on_the_plane_and_in_the_patient_are_the_same() -> None:
    on_plane = np.array([3.0, -2.0])
    assert PLANE.to_lps(on_plane) == pytest.approx(np.array([3.0, 2.0, 12.5]))
    assert PLANE.to_plane_mm(PLANE.to_lps(on_plane)) == pytest.approx(on_plane)
    assert PLANE.normal == pytest.approx([0.0, 0.0, -1.0])


def test_moving_keeps_everything_but_the_place() -> None:
    moved = DISTANCE.moved((1.0, 0.0, 0.0))
    assert moved.points_mm == ((1.0, 0.0, 12.5), (4.0, 4.0, 12.5))
    assert (moved.id, moved.label, moved.plane) == (DISTANCE.id, DISTANCE.label, DISTANCE.plane)
    assert DISTANCE.with_point(1, (9.0, 9.0, 12.5)).points_mm == ((0.0, 0.0, 12.5), (9.0, 9.0, 12.5))
    assert DISTANCE.centre_mm == (1.5, 2.0, 12.5)


def test_labels_are_one_printable_line() -> None:
    assert clean_label("  a\tb\x00\n c  ") == "a b c"
    assert len(clean_label("x" * 500)) == 200


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), 0),
        (("format",), True),
        (("format",), "1"),
        (("annotations",), {}),
        (("annotations",), [1]),
        (("annotations", 0, "id"), "../../etc/passwd"),
        (("annotations", 0, "id"), "a" * 33),
        (("annotations", 0, "id"), "a" * 32 + "\n"),
        (("annotations", 0, "kind"), "volume"),
        (("annotations", 0, "points_mm"), [[0.0, 0.0, 0.0]]),
        (("annotations", 0, "points_mm"), [[0.0, 0.0, 0.0]] * 3),
        (("annotations", 0, "points_mm", 0), [0.0, 0.0]),
        (("annotations", 0, "points_mm", 0, 0), float("nan")),
        (("annotations", 0, "points_mm", 0, 0), float("inf")),
        (("annotations", 0, "points_mm", 0, 0), 1e9),
        (("annotations", 0, "points_mm", 0, 0), "1"),
        (("annotations", 0, "points_mm", 0, 0), None),
        (("annotations", 0, "points_mm", 0, 0), 10**400),
        (("annotations", 0, "plane", "right"), [2.0, 0.0, 0.0]),
        (("annotations", 0, "plane", "up"), [1.0, 0.0, 0.0]),
        (("annotations", 0, "plane"), None),
        (("annotations", 0, "label"), "a\x1b[31m"),
        (("annotations", 0, "label"), "x" * 201),
        (("annotations", 0, "created_utc"), "<b>now</b>"),
        (("annotations", 0, "more"), 1),
    ],
)
def test_what_is_not_as_it_must_be_is_refused(path: tuple[str | int, ...], value: object) -> None:
    hostile = as_file()
    target: Any = hostile
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    with pytest.raises(AnnotationError):
        annotations_from_json(hostile)


@pytest.mark.parametrize("raw", [None, [], "annotations", 3, {}, {"format": 1}])
def test_other_json_is_refused(raw: object) -> None:
    with pytest.raises(AnnotationError):
        annotations_from_json(raw)


def test_a_newer_version_says_so() -> None:
    with pytest.raises(AnnotationError, match="format 2; this program knows 1"):
        annotations_from_json({**as_file(), "format": 2})


def test_the_same_id_twice_is_refused() -> None:
    twice = as_file()
    twice["annotations"].append(copy.deepcopy(twice["annotations"][0]))
    with pytest.raises(AnnotationError, match="same id"):
        annotations_from_json(twice)


def test_a_refusal_does_not_repeat_what_stood_there() -> None:
    hostile = as_file()
    hostile["annotations"][0]["label"] = "MÜLLER\x00HANS"
    with pytest.raises(AnnotationError) as refused:
        annotations_from_json(hostile)
    assert "HANS" not in str(refused.value)
