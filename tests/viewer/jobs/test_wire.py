"""Values arrive over the pipe as they were sent."""

from __future__ import annotations

import threading
from multiprocessing import Pipe

import numpy as np
import pytest

from star_viewer.jobs.wire import receive, send
from star_viewer.jobs.worker import Answered
from tests.viewer.fakes import build_full_assessment
from tests.viewer.scene.factory import build_case


def _travel(message: object) -> object:
    ours, theirs = Pipe()
    sender = threading.Thread(target=send, args=(ours, message))
    sender.start()
    try:
        return receive(theirs)
    finally:
        sender.join()
        ours.close()
        theirs.close()


@pytest.mark.parametrize("message", [None, "text", 7, {"a": (1, 2.5)}, b""])
def test_plain_values_arrive(message: object) -> None:
    assert _travel(message) == message


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.int16).reshape(2, 3, 4),
        np.zeros((0, 3)),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(20.0)[::3],
        np.array(5.0),
    ],
    ids=["int16", "empty", "by columns", "every third", "scalar"],
)
def test_arrays_arrive_with_type_and_shape(array: np.ndarray) -> None:
    arrived = _travel(array)
    assert isinstance(arrived, np.ndarray)
    assert arrived.dtype == array.dtype
    assert np.array_equal(arrived, array)


def test_a_case_arrives_whole_and_stays_read_only() -> None:
    case = build_case()
    arrived = _travel(Answered(3, case))
    assert isinstance(arrived, Answered)
    assert arrived.job_id == 3
    volume = arrived.answer.baseline_scan
    assert np.array_equal(volume.voxels_hu, case.baseline_scan.voxels_hu)
    assert not volume.voxels_hu.flags.writeable
    assert volume.geometry.is_close_to(case.baseline_scan.geometry)


def test_an_assessment_arrives_whole() -> None:
    assessment = build_full_assessment(build_case())
    arrived = _travel(assessment)
    assert np.array_equal(arrived.risk_map.density_per_ml, assessment.risk_map.density_per_ml)  # type: ignore[attr-defined]
    assert arrived.regions[0].name == assessment.regions[0].name  # type: ignore[attr-defined]


def test_messages_arrive_in_order() -> None:
    ours, theirs = Pipe()
    for number in range(3):
        send(ours, np.full(4, number))
    assert [int(receive(theirs)[0]) for _ in range(3)] == [0, 1, 2]
    ours.close()
    theirs.close()


def test_the_end_of_the_other_side_is_an_error() -> None:
    ours, theirs = Pipe()
    ours.close()
    with pytest.raises(EOFError):
        receive(theirs)
    theirs.close()
