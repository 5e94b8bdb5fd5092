"""Losses drawn as they come."""

from __future__ import annotations

import math

import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from star_viewer.dialogs.loss_chart import LossChart


@pytest.fixture
def chart(qtbot: QtBot) -> LossChart:
    chart = LossChart()
    qtbot.addWidget(chart)
    chart.resize(480, 240)
    return chart


def _picture(chart: LossChart) -> QImage:
    return chart.grab().toImage()


def test_an_empty_chart_says_what_will_come_and_is_drawn(chart: LossChart) -> None:
    chart.clear(20)
    empty = _picture(chart)
    chart.add(1, 20, 2.0, 2.1)
    assert _picture(chart) != empty


def test_each_epoch_adds_a_point_and_its_words(chart: LossChart) -> None:
    chart.add(1, 20, 2.0, 2.1)
    first = _picture(chart)
    chart.add(2, 20, 1.8, 1.95)
    assert chart.points == [(1, 2.0, 2.1), (2, 1.8, 1.95)]
    assert chart.epochs == 20
    assert chart.accessibleDescription() == "Epoch 2: validation loss 1.9500"
    assert _picture(chart) != first


def test_a_new_run_begins_with_an_empty_chart(chart: LossChart) -> None:
    chart.clear(5)
    empty = _picture(chart)
    chart.add(1, 5, 2.0, 2.1)
    chart.clear(5)
    assert chart.points == []
    assert _picture(chart) == empty


def test_a_flat_loss_is_drawn(chart: LossChart) -> None:
    chart.add(1, 3, 1.0, 1.0)
    chart.add(2, 3, 1.0, 1.0)
    _picture(chart)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_leaves_the_others_where_they_are(chart: LossChart, loss: float) -> None:
    chart.add(1, 3, 2.0, 2.1)
    chart.add(2, 3, 1.0, 1.1)
    before = _picture(chart)
    chart.add(3, 3, loss, loss)
    assert _picture(chart) == before


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_losses_without_any_number_are_drawn_as_none(chart: LossChart, loss: float) -> None:
    chart.clear(3)
    empty = _picture(chart)
    chart.add(1, 3, loss, loss)
    assert _picture(chart) == empty
