"""The study browser in the window, on a real archive: found, opened, deleted and brought back by keys."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QFont, QTextLayout
from PySide6.QtWidgets import QApplication, QMenu, QMessageBox
from pytestqt.qtbot import QtBot

from star_core import api
from star_core.errors import StorageError
from star_viewer.app import StarApp
from star_viewer.browser.nodes import Kind, Node, title_of
from star_viewer.jobs.archive_requests import DescribeSeries, ListContents, ReadThumbnail
from star_viewer.jobs.requests import ActivateModel, ArchivedScan, CaseSource, OpenCase, Request
from tests.viewer.conftest import OpenApp
from tests.viewer.runners import DirectRunner
from tests.viewer.shelves import PEOPLE, FakeContents, FakeResult, write_people

CONTROL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier


@pytest.fixture(scope="session")
def people_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    write_people(folder / "files")
    with api.open_archive(folder / "archive") as archive:
        assert api.import_studies(archive, [folder / "files"]).failed == ()
    return folder / "archive"


@pytest.fixture
def star(qtbot: QtBot, open_app: OpenApp, people_archive: Path, own_home: Path) -> StarApp:
    """The window on an archive with six patients."""
    shutil.copytree(people_archive, own_home / "archive")
    star = open_app()
    qtbot.waitUntil(lambda: star.window.local.model.rowCount() == len(PEOPLE))
    return star


def _names(star: StarApp) -> list[str]:
    model = star.window.local.model
    return [title_of(node) for row in range(model.rowCount()) if (node := model.node_at(model.index(row, 0)))]


def _search(qtbot: QtBot, star: StarApp, text: str) -> None:
    search = star.window.local.filters.search
    search.clear()
    with qtbot.waitSignal(star.shelf.studies_found):
        search.setText(text)


def _choose(qtbot: QtBot, star: StarApp, kind: Kind, name: str = "Müller, Jérôme", place: int = 0) -> Node:
    """Choose the first row of a kind beneath a patient, once it is there."""
    local = star.window.local
    patient = next(node for node in local.model._root.below(Kind.PATIENT) if title_of(node) == name)
    if kind in (Kind.SERIES, Kind.RESULT) and not patient.below(kind):
        for study in patient.below(Kind.STUDY):
            local.tree.expand(local.model.index_of(patient))
            local.tree.expand(local.model.index_of(study))
        qtbot.waitUntil(lambda: bool(patient.below(kind)))
    node = patient if kind is Kind.PATIENT else patient.below(kind)[place]
    local.tree.setFocus()
    local.tree.choose(node)
    return node


# --------------------------------------------------------------------------- looking


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.patient_id)
def test_names_in_any_script_are_shown_as_stored_and_found(qtbot: QtBot, star: StarApp, person: object) -> None:
    assert person.shown in _names(star)  # type: ignore[attr-defined]
    _search(qtbot, star, person.typed)  # type: ignore[attr-defined]
    assert _names(star) == [person.shown]  # type: ignore[attr-defined]


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.patient_id)
def test_the_window_has_glyphs_for_every_script(qapp: object, person: object) -> None:
    layout = QTextLayout(person.shown, QFont())  # type: ignore[attr-defined]
    layout.beginLayout()
    layout.createLine()
    layout.endLayout()
    glyphs = [glyph for run in layout.glyphRuns() for glyph in run.glyphIndexes()]
    assert len(glyphs) >= len(person.shown.replace(" ", "")) - 3  # type: ignore[attr-defined]
    if 0 in glyphs:
        pytest.skip("no font of this machine has this script")


def test_letters_typed_in_the_tree_search(qtbot: QtBot, star: StarApp) -> None:
    star.window.local.tree.choose_first()
    with qtbot.waitSignal(star.shelf.studies_found):
        qtbot.keyClicks(star.window.local.tree, "m")
        qtbot.keyClicks(star.window.local.filters.search, "ull")
    assert _names(star) == ["Müller, Jérôme"]
    assert star.session.incidence_mode.value == "cumulative"


def test_nothing_that_fits_says_how_to_go_on(qtbot: QtBot, star: StarApp) -> None:
    _search(qtbot, star, "nobody")
    assert "Esc" in star.window.local.tree.empty_text
    qtbot.keyClick(star.window.local.filters.search, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: star.window.local.model.rowCount() == len(PEOPLE))


def test_a_case_stands_together_with_its_picture(qtbot: QtBot, star: StarApp) -> None:
    ct = _choose(qtbot, star, Kind.SERIES, place=0)
    study = ct.above(Kind.STUDY)
    assert study is not None
    assert [child.data.modality for series in study.children for child in series.children] in (["SEG"], [])
    pictures = star.window.local.pictures
    qtbot.waitUntil(lambda: pictures.picture_of(ct.data.id) is not None)
    files = star.shelf.runners.files
    assert isinstance(files, DirectRunner)
    assert ReadThumbnail(series=ct.data.id) in files.requests


def test_follow_up_studies_stand_on_a_timeline(qtbot: QtBot, star: StarApp) -> None:
    _choose(qtbot, star, Kind.STUDY, place=0)
    timeline = star.window.local.timeline
    qtbot.waitUntil(timeline.isVisible)
    newest = timeline.current
    qtbot.keyClick(timeline, Qt.Key.Key_Left)
    chosen = star.window.local.tree.current
    assert chosen is not None
    assert chosen.data.id == timeline.current != newest
    with qtbot.waitSignal(star.workflow.case_opened) as opened:
        qtbot.keyClick(timeline, Qt.Key.Key_Return)
    assert opened.args[0].archived.study == chosen.data.id
    _choose(qtbot, star, Kind.PATIENT, PEOPLE[1].shown)
    qtbot.waitUntil(lambda: not timeline.isVisible())


def test_all_studies_fill_the_window_with_details(qtbot: QtBot, star: StarApp) -> None:
    window, local = star.window, star.window.local
    sizes, width = window.splitter.sizes(), window.width()
    ct = _choose(qtbot, star, Kind.SERIES)
    with qtbot.waitSignal(star.shelf.described):
        qtbot.keyClick(local.tree, Qt.Key.Key_Return, ALT)
    assert not window.views.isVisible()
    assert not window.form.isVisible()
    assert "3 of 32 × 32 pixels" in local.details.texts
    files = star.shelf.runners.files
    assert isinstance(files, DirectRunner)
    assert files.asked(DescribeSeries) == [DescribeSeries(series=ct.data.id)]
    qtbot.keyClick(local.tree, Qt.Key.Key_Escape)
    assert window.form.isVisible()
    assert (window.splitter.sizes(), window.width()) == (sizes, width)


def test_files_that_are_gone_are_told_in_the_details(qtbot: QtBot, star: StarApp, own_home: Path) -> None:
    shutil.rmtree(own_home / "archive" / "files")
    _choose(qtbot, star, Kind.SERIES)
    with qtbot.waitSignal(star.shelf.cannot_describe):
        star.window.star_actions["browse"].trigger()
    assert any("gone from where they were imported" in text for text in star.window.local.details.texts)


# --------------------------------------------------------------------------- opening


def test_enter_opens_a_study_and_it_is_recent_then(qtbot: QtBot, star: StarApp, direct_runner: DirectRunner) -> None:
    study = _choose(qtbot, star, Kind.STUDY)
    with qtbot.waitSignal(star.workflow.assessed):
        qtbot.keyClick(star.window.local.tree, Qt.Key.Key_Return)
    source = CaseSource(archived=ArchivedScan(study=study.data.id))
    assert direct_runner.asked(OpenCase) == [OpenCase(source=source)]
    assert not source.is_demo
    assert not star.window.local.tree.hasFocus()
    assert star.settings.settings.recent_folders == ()


def test_recent_patients_open_from_the_empty_state(qtbot: QtBot, star: StarApp) -> None:
    study = _choose(qtbot, star, Kind.STUDY).data.id
    with api.open_archive() as archive:
        archive.mark_opened(study)
    with qtbot.waitSignal(star.shelf.looked_around):
        star.shelf.look_around()
    (button,) = star.window.empty_state._study_buttons
    assert button.text().startswith("Müller, Jérôme")
    with qtbot.waitSignal(star.workflow.case_opened) as opened:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert opened.args[0].archived == ArchivedScan(study=study)


def test_a_segmentation_opens_its_ct_with_itself(qtbot: QtBot, star: StarApp, direct_runner: DirectRunner) -> None:
    _choose(qtbot, star, Kind.SERIES)
    patient = star.window.local.tree.current.above(Kind.PATIENT)  # type: ignore[union-attr]
    assert patient is not None
    qtbot.waitUntil(lambda: any(node.data.modality == "SEG" for node in patient.below(Kind.SERIES)))
    drawing = next(node for node in patient.below(Kind.SERIES) if node.data.modality == "SEG")
    star.window.local.tree.choose(drawing)
    with qtbot.waitSignal(star.workflow.case_opened):
        star.window.star_actions["study_open"].trigger()
    (request,) = direct_runner.asked(OpenCase)
    assert isinstance(request, OpenCase)
    assert request.source.archived is not None
    assert request.source.archived.segmentation == drawing.data.id
    assert drawing.parent is not None
    assert request.source.archived.series == drawing.parent.data.id


def test_an_earlier_result_opens_with_its_model_and_record(
    qtbot: QtBot, star: StarApp, direct_runner: DirectRunner
) -> None:
    ct = _choose(qtbot, star, Kind.SERIES)
    study = ct.above(Kind.STUDY)
    assert study is not None
    results = tuple(
        FakeResult(number, ct.data.id, {"any_recurrence_year_5": 0.63}, model_name=name)
        for number, name in ((7, "ours"), (8, "elsewhere"))
    )
    star.window.local.model.show_contents(FakeContents(study.data.id, (ct.data,), {}, results))  # type: ignore[arg-type]
    known, foreign = ct.below(Kind.RESULT)
    for node in (known, foreign):
        star.window.local.tree.choose(node)
        with qtbot.waitSignal(star.workflow.case_opened) as opened:
            star.window.star_actions["study_open"].trigger()
        assert opened.args[0].archived == ArchivedScan(study=study.data.id, series=ct.data.id, result=node.data.id)
    assert direct_runner.asked(ActivateModel) == [ActivateModel(name="ours")]
    assert "elsewhere is not installed" in star.window.studies_banners.messages[0]


def test_home_and_end_choose_the_first_and_the_last(qtbot: QtBot, star: StarApp) -> None:
    tree = star.window.local.tree
    tree.choose_first()
    for key, name in ((Qt.Key.Key_End, _names(star)[-1]), (Qt.Key.Key_Home, _names(star)[0])):
        qtbot.keyClick(tree, key)
        assert tree.current is not None
        assert title_of(tree.current) == name


def test_patients_are_opened_and_closed_by_keys(qtbot: QtBot, star: StarApp) -> None:
    tree = star.window.local.tree
    _choose(qtbot, star, Kind.PATIENT)
    for key in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Right):
        was = tree.isExpanded(tree.currentIndex())
        qtbot.keyClick(tree, key)
        assert tree.isExpanded(tree.currentIndex()) is not was
    assert not star.window.year_bar.playing


def test_the_menu_offers_what_can_be_done(qtbot: QtBot, star: StarApp) -> None:
    _choose(qtbot, star, Kind.STUDY)
    star.window.local.tree.menu_asked.emit(QPoint(10, 10))
    menu = star.window.local.findChild(QMenu)
    assert isinstance(menu, QMenu)
    assert [action.text() for action in menu.actions()] == [
        *("Open", "Details", "Send to…", "De-identified copy…"),
        *("Delete", "Undo the deletion"),
    ]
    menu.close()


# --------------------------------------------------------------------------- deleting


def test_delete_and_undo_by_keys(qtbot: QtBot, star: StarApp) -> None:
    tree, banners = star.window.local.tree, star.window.studies_banners
    _choose(qtbot, star, Kind.STUDY)
    with qtbot.waitSignal(star.shelf.deleted):
        qtbot.keyClick(tree, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: len(star.window.local.model.rows) == len(PEOPLE))
    assert banners.messages == ("1 study deleted.",)
    tree.setFocus()
    with qtbot.waitSignal(star.shelf.undone):
        qtbot.keyClick(tree, Qt.Key.Key_Z, CONTROL)
    qtbot.waitUntil(lambda: len(star.window.local.model.rows) == len(PEOPLE) + 1)
    assert banners.messages == ("Back again: 3 files.",)


def test_a_patient_is_deleted_whole_and_a_series_is_not_deleted(qtbot: QtBot, star: StarApp) -> None:
    _choose(qtbot, star, Kind.SERIES)
    star.window.star_actions["study_delete"].trigger()
    assert "Whole studies" in star.window.studies_banners.messages[0]
    _choose(qtbot, star, Kind.PATIENT)
    with qtbot.waitSignal(star.shelf.deleted, check_params_cb=lambda number, count: count == 2):
        star.window.star_actions["study_delete"].trigger()
    qtbot.waitUntil(lambda: "Müller, Jérôme" not in _names(star))


def test_the_bin_is_emptied_once_that_is_confirmed(qtbot: QtBot, star: StarApp) -> None:
    _choose(qtbot, star, Kind.STUDY)
    with qtbot.waitSignal(star.shelf.deleted):
        star.window.star_actions["study_delete"].trigger()
    star.window.star_actions["purge"].trigger()
    (box,) = star.window.findChildren(QMessageBox)
    assert not box.isModal()
    (accept,) = [button for button in box.buttons() if button.text() == "Empty the bin"]
    with qtbot.waitSignal(star.shelf.purged):
        accept.click()
    assert star.window.studies_banners.messages == ("3 files were removed for good.",)
    with qtbot.waitSignal(star.shelf.troubled):
        star.window.star_actions["study_undelete"].trigger()
    assert "no deletion to undo" in star.window.studies_banners.messages[0]


def test_a_study_that_cannot_be_looked_into_is_told_and_asked_for_again(qtbot: QtBot, star: StarApp) -> None:
    def fail(_: Request) -> object:
        raise StorageError("Another program holds the archive.")

    lists = star.shelf.runners.lists
    assert isinstance(lists, DirectRunner)
    lists.replace_answers = {ListContents: fail}
    node = _choose(qtbot, star, Kind.STUDY)
    index = star.window.local.model.index_of(node)
    with qtbot.waitSignal(star.shelf.troubled):
        star.window.local.tree.expand(index)
    assert "Another program" in star.window.studies_banners.messages[0]
    assert star.window.local.model.canFetchMore(index)


def test_the_next_row_is_chosen_when_the_chosen_one_goes(qtbot: QtBot, star: StarApp) -> None:
    _choose(qtbot, star, Kind.PATIENT)
    with qtbot.waitSignal(star.shelf.deleted):
        star.window.star_actions["study_delete"].trigger()
    qtbot.waitUntil(lambda: "Müller, Jérôme" not in _names(star))
    assert star.window.local.tree.chosen() == [star.window.local.tree.current]


@pytest.mark.parametrize("place", [0, 1])
def test_coming_back_from_all_studies_leaves_the_window_as_wide_as_it_was(
    qtbot: QtBot, star: StarApp, place: int
) -> None:
    star.window.resize(1400, 900)
    star.window.show_views(True)
    star.window.places.setCurrentIndex(place)
    star.window.star_actions["browse"].setChecked(True)
    star.window.star_actions["browse"].setChecked(False)
    QApplication.processEvents()
    assert star.window.width() == 1400
