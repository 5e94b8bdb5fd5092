"""Requests about servers travel as frozen values, and never show a password."""

from __future__ import annotations

import pickle

import pytest

from star_viewer.jobs.network_requests import (
    FindMatches,
    ListMatchSeries,
    ListServers,
    ReceiverPlan,
    ReceiveStudies,
    RemoveServer,
    RetrieveStudy,
    SaveServer,
    SendStudies,
    TestServer,
)
from star_viewer.jobs.requests import Request
from tests.viewer.servers import HOSPITAL

REQUESTS = (
    ListServers(),
    SaveServer(server=HOSPITAL, password="s3cret"),
    RemoveServer(name="hospital"),
    TestServer(server=HOSPITAL, password="s3cret"),
    FindMatches(server=HOSPITAL),
    ListMatchSeries(server=HOSPITAL, study_uid="1.2.1"),
    RetrieveStudy(server=HOSPITAL, study_uid="1.2.1", label="Müller, Jérôme"),
    SendStudies(server=HOSPITAL, studies=(1, 2)),
    ReceiveStudies(plan=ReceiverPlan(allowed=("PACS",))),
)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_request_survives_the_way_to_the_worker(request_: Request) -> None:
    assert pickle.loads(pickle.dumps(request_)) == request_  # noqa: S301 -- our own value


def test_every_request_tells_in_its_own_words_what_runs() -> None:
    texts = [request.text for request in REQUESTS]
    assert len({*texts, Request().text}) == len(texts) + 1
    assert SendStudies(server=HOSPITAL, studies=(1,)).text == "Sending a study to hospital"


def test_a_password_is_in_no_text_of_a_request() -> None:
    assert not any("s3cret" in repr(request) for request in REQUESTS)


def test_only_a_newer_question_makes_an_older_one_pointless() -> None:
    superseded = [type(request) for request in REQUESTS if request.supersedes]
    assert superseded == [ListServers, TestServer, FindMatches, ReceiveStudies]
