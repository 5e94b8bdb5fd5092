"""The real window on the real library: a DICOM folder in, the form, the years, pixels, a report out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pypdf
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from star_core.types import Cause
from star_viewer.app import StarApp, build_four_views
from star_viewer.browser.nodes import Kind
from star_viewer.dialogs.finetune import FineTuneDialog
from star_viewer.jobs.runner import JobRunner
from star_viewer.scene.four_views import FourViews
from star_viewer.shelf import ArchiveRunners
from tests.conftest import real_data
from tests.viewer.conftest import OpenApp
from tests.viewer.scene.conftest import coloured, grab_pixels

TIMEOUT_MS = 120_000


@pytest.fixture
def real_star(open_app: OpenApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StarApp:
    monkeypatch.setenv("STAR_HOME", str(tmp_path / "home"))
    return open_app(runner=JobRunner(), build_views=build_four_views)


def views_of(star: StarApp) -> FourViews:
    views = star.window.views
    assert isinstance(views, FourViews)
    return views


@pytest.mark.slow
def test_a_folder_is_opened_assessed_looked_at_and_reported(
    qtbot: QtBot, real_star: StarApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from star_core.api import write_demo

    star, views = real_star, views_of(real_star)
    write_demo(tmp_path / "patient")
    with qtbot.waitSignal(star.workflow.assessed, timeout=TIMEOUT_MS):
        star.workflow.open_folder(tmp_path / "patient")
    first = star.session.assessment
    assert first is not None
    assert star.session.masks is not None
    assert star.window.form.rows["age_years"].editor.text() == f"{star.session.clinical.age_years:g}"

    # The form: a typed age changes the forecast.
    editor = star.window.form.rows["age_years"].editor
    editor.setFocus()
    editor.selectAll()
    with qtbot.waitSignal(star.workflow.assessed, timeout=TIMEOUT_MS):
        qtbot.keyClicks(editor, "88")
    second = star.session.assessment
    assert second is not None
    assert star.session.clinical.age_years == 88
    assert not np.allclose(second.forecast.overall_survival, first.forecast.overall_survival)

    # The years: the slider by keys from within the form, and the picture follows.
    assert views.wait_until_drawn()
    before = grab_pixels(views.axial)
    for _ in range(11):
        qtbot.keyClick(editor, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert star.session.year == 12
    assert views.wait_until_drawn()
    after = grab_pixels(views.axial)
    assert coloured(after).sum() > 200
    assert (before != after).any()

    # Without the risk map the slices are grey but for outlines.
    star.window.star_actions["overlay"].trigger()
    assert views.wait_until_drawn()
    assert coloured(grab_pixels(views.axial)).sum() < coloured(after).sum()

    # The report.
    target = tmp_path / "report.pdf"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(target), ""))
    with qtbot.waitSignal(star.workflow.report_written, timeout=TIMEOUT_MS):
        star.window.star_actions["export"].trigger()
    text = " ".join(page.extract_text() for page in pypdf.PdfReader(target).pages)
    assert "88" in text
    assert "synthetic" in text


@pytest.mark.slow
def test_a_real_scan_is_opened_and_a_bad_folder_leaves_it_open(
    qtbot: QtBot, real_star: StarApp, tmp_path: Path
) -> None:
    folder = real_data("ct/ircad-17")
    star, views = real_star, views_of(real_star)
    with qtbot.waitSignal(star.workflow.assessed, timeout=TIMEOUT_MS):
        star.workflow.open_folder(folder)
    assessment = star.session.assessment
    assert assessment is not None
    assert assessment.forecast.cumulative_incidence[Cause.LIVER][-1] > 0
    assert views.wait_until_drawn()
    assert coloured(grab_pixels(views.axial)).sum() > 100
    (tmp_path / "empty").mkdir()
    with qtbot.waitSignal(star.workflow.refused, timeout=TIMEOUT_MS) as refused:
        star.workflow.open_folder(tmp_path / "empty")
    assert "no DICOM" in refused.args[0].message
    assert star.session.assessment is assessment
    assert star.session.volume is not None


@pytest.mark.slow
def test_a_study_is_imported_opened_by_keys_and_keeps_its_result(
    qtbot: QtBot, open_app: OpenApp, qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from star_core.api import write_demo

    write_demo(tmp_path / "stick")
    runners = ArchiveRunners.build(qapp)
    star = open_app(runner=JobRunner(), build_views=build_four_views, archive_runners=runners)
    local = star.window.local
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(tmp_path / "stick"))
    with qtbot.waitSignal(star.shelf.imported, timeout=TIMEOUT_MS) as imported:
        star.window.star_actions["import_folder"].trigger()
    assert imported.args[0].failed == ()
    qtbot.waitUntil(lambda: local.model.rowCount() == 1, timeout=TIMEOUT_MS)
    qtbot.keyClicks(local.filters.search, "demonstr")
    qtbot.keyClick(local.filters.search, Qt.Key.Key_Down)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Down):
        qtbot.keyClick(local.tree, key)
    with qtbot.waitSignal(star.workflow.assessed, timeout=TIMEOUT_MS):
        qtbot.keyClick(local.tree, Qt.Key.Key_Return)
    assert star.session.masks is not None
    assert star.session.assessment is not None
    study = next(iter(local.model._root.below(Kind.STUDY)))
    qtbot.waitUntil(lambda: bool(study.below(Kind.RESULT)), timeout=TIMEOUT_MS)
    (result,) = study.below(Kind.RESULT)
    risk = star.session.assessment.forecast.any_recurrence[4]
    assert result.data.summary["any_recurrence_year_5"] == pytest.approx(risk)


@pytest.mark.slow
def test_a_model_is_fine_tuned_and_put_to_use(
    qtbot: QtBot, real_star: StarApp, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from star_core.api import write_phantom_cohort

    cohort = tmp_path_factory.mktemp("cohort") / "phantoms"
    write_phantom_cohort(20, cohort, seed=5)
    real_star.window.star_actions["finetune"].trigger()
    (dialog,) = real_star.window.findChildren(FineTuneDialog)
    dialog.cohort.setText(str(cohort))
    dialog.epochs.setValue(2)
    qtbot.mouseClick(dialog.start_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dialog.use_button.isEnabled, timeout=TIMEOUT_MS)
    assert len(dialog.chart.points) == 2
    with qtbot.waitSignal(real_star.workflow.models_listed, timeout=TIMEOUT_MS):
        qtbot.mouseClick(dialog.use_button, Qt.MouseButton.LeftButton)
    assert real_star.session.model_name == "our-model"
    chooser = real_star.window.model_chooser
    names = [chooser.itemData(index) for index in range(chooser.count())]
    assert names[-1] == "our-model"
    assert {"clinical", "clinical-cox"} < set(names)
