"""A server is entered: what is wrong is told while it is typed, and only what belongs to its kind is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from star_core.dicom.network.servers import Protocol, Server
from star_viewer.dialogs.server_form import KEPT, ServerForm


@pytest.fixture
def form(qtbot: QtBot) -> ServerForm:
    """A new server that lacks nothing."""
    form = ServerForm(taken=("other",))
    qtbot.addWidget(form)
    form.show()
    form.name.setText("hospital")
    form.host.setText("pacs.hospital")
    return form


def _speak_web(form: ServerForm, url: str = "https://pacs.hospital/dicom-web/") -> None:
    form.kind.setCurrentIndex(form.kind.findData(Protocol.WEB))
    form.url.setText(url)


def test_what_was_entered_is_the_server_that_is_saved(qtbot: QtBot, form: ServerForm) -> None:
    form.port.setValue(104)
    form.called_title.setText("ORTHANC")
    form.user.setText("reader")
    form.password.setText("s3cret")
    form.move_titles.setText("A, B")
    with qtbot.waitSignal(form.save_asked) as asked:
        form.save_button.click()
    server, password = asked.args
    assert server == Server(
        name="hospital",
        host="pacs.hospital",
        port=104,
        called_title="ORTHANC",
        user="reader",
        move_titles=("A", "B"),
    )
    assert password == "s3cret"


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("name", "", "Give the server a name."),
        ("name", "other", "There is a server of this name already."),
        ("name", "/etc", "Name:"),
        ("host", "", "A host is needed."),
        ("called_title", "much-too-long-a-title", "Title of the server:"),
        ("calling_title", "a\\b", "Our title:"),
    ],
)
def test_what_is_wrong_is_told_while_it_is_typed(form: ServerForm, field: str, text: str, told: str) -> None:
    edit = getattr(form, field)
    assert isinstance(edit, QLineEdit)
    assert form.save_button.isEnabled()
    before = edit.text()
    edit.setText(text)
    assert form.problem.text().startswith(told)
    assert not form.save_button.isEnabled()
    assert not form.test_button.isEnabled()
    edit.setText(before)
    assert form.problem.text() == ""


def test_only_what_belongs_to_the_kind_is_asked_for(form: ServerForm) -> None:
    assert form.host.isVisible()
    assert not form.url.isVisible()
    assert not form.ca_file.isVisible()
    _speak_web(form)
    assert form.url.isVisible()
    assert form.ca_file.isVisible()
    assert not form.host.isVisible()
    server = form.check()
    assert server is not None
    assert server.url == "https://pacs.hospital/dicom-web"


def test_a_url_without_http_is_refused_in_plain_words(form: ServerForm) -> None:
    _speak_web(form, "pacs.hospital")
    assert form.problem.text() == "The URL must begin with http:// or https://."


def test_certificate_and_key_belong_together_and_must_exist(form: ServerForm, tmp_path: Path) -> None:
    form.tls.setChecked(True)
    form.certificate_file.set_text(str(tmp_path / "ours.pem"))
    assert form.problem.text() == "There is no file of our certificate at this place."
    (tmp_path / "ours.pem").touch()
    form.check()
    assert form.problem.text() == "A certificate and its key belong together."
    form.key_file.set_text(str(tmp_path / "ours.pem"))
    assert form.save_button.isEnabled()


def test_what_is_risky_is_said(form: ServerForm) -> None:
    form.user.setText("reader")
    assert form.outcome.text() == "User and password travel unencrypted."
    form.tls.setChecked(True)
    form.verify.setChecked(False)
    assert form.outcome.text().startswith("The certificate is not checked")


def test_a_changed_server_keeps_its_name_and_password(qtbot: QtBot) -> None:
    server = Server(name="hospital", host="pacs.hospital", user="reader", timeout_s=12.0, move_titles=("A",))
    form = ServerForm(server, taken=("hospital",))
    qtbot.addWidget(form)
    assert form.name.isReadOnly()
    assert form.password.placeholderText() == KEPT
    with qtbot.waitSignal(form.save_asked) as asked:
        form.save_button.click()
    assert asked.args == [server, None]
