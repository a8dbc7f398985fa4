"""The audit trail: every view of what identifies is a row, and whoever changes one is found out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Thread
from xml.etree import ElementTree

import pytest
from django.db import connection

from sendit.audit import export, trail
from sendit.audit.acts import TABLE, Act, Outcome
from sendit.audit.models import AuditRow
from sendit.audit.trail import Actor, AuditKey
from sendit.errors import BrokenPromise
from sendit.ground import database
from sendit.web.roles import Role
from tests.support.pages import PASSWORD, a_user, signed_in, web_settings
from tests.support.phantoms import accession_number
from tests.support.shell import run
from tests.support.site import Site


@pytest.fixture(autouse=True)
def web() -> Iterator[None]:
    with web_settings():
        yield


@pytest.fixture
def three(site: Site) -> AuditKey:
    """A trail of three rows."""
    key = AuditKey.of(site.settings.secrets_folder, site.settings.var)
    for number in range(3):
        trail.note(key, Act.VIEW_BATCH, Actor("ada", ("operator",), "10.0.0.1"), [("batch", number)], reason="why")
    return key


def noted() -> list[tuple[str, str, list[int | str]]]:
    """Each row's act, actor, and what it was about."""
    return [(row.act, row.actor, [key for _, key in row.objects_seen]) for row in AuditRow.objects.order_by("number")]


# ------------------------------------------------------------------------------------------ tampering


@pytest.mark.on_both_databases
@pytest.mark.parametrize(
    ("sql", "first_bad"),
    [
        ("UPDATE audit_auditrow SET actor = 'eve' WHERE number = 2", 2),
        ("UPDATE audit_auditrow SET objects_seen = '[]' WHERE number = 1", 1),
        ("UPDATE audit_auditrow SET outcome = 4 WHERE number = 3", 3),
        ("DELETE FROM audit_auditrow WHERE number = 2", 2),
        ("DELETE FROM audit_auditrow WHERE number = 3", 3),
        ("DELETE FROM audit_auditrow", 1),
        ("UPDATE audit_auditrow SET number = 9 WHERE number = 3", 3),
        ("UPDATE audit_auditrow SET digest = ''", 1),
    ],
)
def test_a_change_is_found_with_its_place(site: Site, three: AuditKey, sql: str, first_bad: int) -> None:
    assert trail.verify(three).is_whole
    with connection.cursor() as cursor:
        cursor.execute(sql)
    assert trail.verify(three).first_bad == first_bad
    assert run("audit", "--verify").code == 1


def test_rows_that_were_cut_off_together_with_the_head_show_by_what_the_log_said(site: Site, three: AuditKey) -> None:
    last = AuditRow.objects.get(number=3)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_auditrow WHERE number = 3")
        cursor.execute(
            "UPDATE audit_audithead SET number = 2, digest = (SELECT digest FROM audit_auditrow WHERE number = 2)"
        )
    assert trail.verify(three).is_whole
    assert not trail.verify(three, (3, last.digest)).is_whole
    assert run("audit", "--verify", "--head", f"3:{last.digest}").code == 1
    assert run("audit", "--verify", "--head", "nonsense").code == 2


def test_another_key_makes_another_trail(site: Site, three: AuditKey) -> None:
    assert trail.verify(AuditKey(b"another")).first_bad == 1


def test_a_row_is_neither_changed_nor_deleted_through_the_models(site: Site, three: AuditKey) -> None:
    row = AuditRow.objects.get(number=2)
    for change in (row.delete, AuditRow.objects.all().delete, lambda: AuditRow.objects.update(actor="eve")):
        with pytest.raises(BrokenPromise):
            change()


@pytest.mark.on_both_databases
def test_rows_of_many_at_once_are_one_chain(site: Site, three: AuditKey) -> None:
    def add() -> None:
        for _ in range(5):
            trail.note(three, Act.LIST, Actor("bob"))
        database.forget()

    threads = [Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verdict = trail.verify(three)
    assert (verdict.rows, verdict.is_whole) == (23, True)


# ------------------------------------------------------------------------------------------ what becomes a row


def test_each_view_of_what_identifies_is_a_row_and_a_viewers_is_none(site: Site) -> None:
    site.study(1, images=1)
    site.study(2, images=1)
    site.process()
    viewer, operator = signed_in(a_user(Role.VIEWER, name="vic")), signed_in(a_user(Role.OPERATOR, name="ada"))
    for browser in (viewer, operator):
        for address in ("/batches", "/batches/1", "/overview"):
            assert browser.get(address).status_code == 200
    assert noted() == [("list", "ada", [2, 1]), ("view-batch", "ada", [1])]
    part = operator.get("/batches", HTTP_HX_REQUEST="true")
    assert operator.get("/batches", HTTP_HX_REQUEST="true", HTTP_IF_NONE_MATCH=part["ETag"]).status_code == 304
    assert noted()[2:] == [("list", "ada", [2, 1])]
    operator.post("/batches/search", {"wanted": accession_number(2)})
    operator.get("/batches.csv")
    assert noted()[3:] == [("search", "ada", [2]), ("download", "ada", [2, 1])]
    assert run("batch_logs", "1", "--reveal", reveals=True).code == 0
    assert noted()[5:] == [("view-batch", "command", [1])]


def test_without_its_row_nothing_is_shown(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError

    site.study(1, images=1)
    site.process()
    browser = signed_in(a_user(Role.OPERATOR))
    monkeypatch.setattr(trail, "note", fail)
    for answer in (browser.get("/batches"), browser.get("/batches/1"), browser.get("/batches.csv")):
        assert answer.status_code == 500 and accession_number(1) not in answer.content.decode()


def test_acts_and_refusals_are_rows(site: Site) -> None:
    site.study(1, images=1, patients=2)
    site.process()
    operator = signed_in(a_user(Role.OPERATOR, name="ada"))
    operator.post("/queue")
    operator.post("/batches/1/retry")
    assert operator.get("/users").status_code == 403
    admin = signed_in(a_user(Role.ADMIN, name="root"))
    admin.post("/users", {"name": "grace", "roles": ["viewer"]})
    site.call("user", "disable", "grace")
    assert noted() == [
        ("queue", "ada", []), ("retry", "ada", [1]), ("refused", "ada", []),
        ("change-roles", "root", ["grace"]), ("change-user", "root", ["grace"]), ("change-user", "command", ["grace"]),
    ]  # fmt: skip


def test_signing_in_is_a_row_and_what_was_typed_for_an_unknown_name_is_not(site: Site) -> None:
    a_user(Role.OPERATOR, name="ada")
    browser = signed_in(None)
    for name, word in (("my secret phrase", "ada"), ("ada", "wrong"), ("ada", PASSWORD)):
        browser.post("/sign-in", {"name": name, "password": word})
    browser.post("/sign-out")
    rows = [(row.act, row.actor, row.outcome, row.objects_seen) for row in AuditRow.objects.order_by("number")]
    assert rows == [
        ("sign-in", "", Outcome.MINOR_FAILURE, []),
        ("sign-in", "", Outcome.MINOR_FAILURE, [["user", "ada"]]),
        ("sign-in", "ada", Outcome.SUCCESS, []),
        ("sign-out", "ada", Outcome.SUCCESS, []),
    ]


# ------------------------------------------------------------------------------------------ page and export


def test_the_page_filters_and_pages(site: Site, three: AuditKey) -> None:
    browser = signed_in(a_user(Role.PRIVACY, name="pia"))
    shown = browser.get("/audit?actor=ada&act=view-batch").content.decode()
    assert len(re.findall(r"batch \d</td>", shown)) == 3
    assert "No row fits" in browser.get("/audit?actor=nobody&until=nonsense").content.decode()
    for _ in range(100):
        trail.note(three, Act.LIST, Actor("bob"))
    (older,) = re.findall(r'rel="next" href="([^"]+)"', browser.get("/audit").content.decode())
    assert "batch 0</td>" in browser.get(older).content.decode()


def test_an_export_has_every_row_in_both_forms(site: Site, three: AuditKey) -> None:
    browser = signed_in(a_user(Role.PRIVACY, name="pia"))
    lines = b"".join(browser.get("/audit/export?form=json").streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert [json.loads(line)["actor"] for line in lines] == ["ada", "ada", "ada", "pia"]
    assert json.loads(lines[1])["seen"] == [{"kind": "batch", "key": 1}]
    said = run("audit", "--format", "xml", "--actor", "ada").lines
    messages = [ElementTree.fromstring(line) for line in said]
    assert [one.findtext(".//ParticipantObjectDescription") for one in messages] == ["why"] * 3
    event, participant = messages[0].find("EventIdentification"), messages[0].find("ActiveParticipant")
    assert event is not None and participant is not None
    assert (event.get("EventActionCode"), event.get("EventOutcomeIndicator")) == ("R", "0")
    assert event.find("EventID").attrib == {  # type: ignore[union-attr]
        "csd-code": "110103", "codeSystemName": "DCM", "originalText": "DICOM Instances Accessed",
    }  # fmt: skip
    assert (participant.get("UserID"), participant.get("NetworkAccessPointID")) == ("ada", "10.0.0.1")


@pytest.mark.parametrize("act", Act)
def test_every_act_has_its_codes_and_can_be_exported(act: Act) -> None:

    row = AuditRow(
        number=1, at=datetime.now(UTC), act=act, outcome=0, actor="a", roles="", address="", objects_seen=[["batch", 1]]
    )
    assert re.fullmatch(r"1101\d\d", TABLE[act].event.value)
    assert ElementTree.fromstring(export.as_xml(row)).tag == "AuditMessage"
    assert json.loads(export.as_json(row))["event_code"] == TABLE[act].event.value
