"""Studies by pages and API: withdrawn, readmitted and made again by an operator, with a reason, once under a key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sendit.audit.models import AuditRow
from sendit.pipeline.record.models import Batch, Event, Study
from sendit.web.models import User
from sendit.web.roles import Role
from tests.integration.web.test_api import Program
from tests.integration.web.test_pages import text_of
from tests.support.growing import in_warehouse, suffixes, work
from tests.support.pages import a_user, signed_in, web_settings
from tests.support.phantoms import accession_number, patient_id
from tests.support.site import Site

WHY = "consent of the patient in bed 7 withdrawn"


@pytest.fixture(autouse=True)
def web() -> Iterator[None]:
    with web_settings():
        yield


@pytest.fixture
def done(site: Site) -> Site:
    """Two delivered studies."""
    for number in (1, 2):
        site.study(number, images=1)
    site.process()
    site.deliver()
    return site


@pytest.fixture
def operator(done: Site) -> User:
    return a_user(Role.OPERATOR, name="grace")


def states() -> list[str]:
    return list(Batch.objects.order_by("pk").values_list("state", flat=True))


# ------------------------------------------------------------------------------------------ pages


def test_a_study_is_withdrawn_and_readmitted_on_its_page(done: Site, operator: User) -> None:
    browser = signed_in(operator)
    said = text_of(browser.post("/batches/1/withdraw", {"reason": WHY}, follow=True))
    assert "Batch 1: withdrawn. 1 archive removed" in said and "Readmit the study" in said
    assert (states(), suffixes(done), in_warehouse(done)) == (["WITHDRAWN", "DONE"], ["tar.gz"], [(1, 1, 1)])
    event = Event.objects.get(name="batch.withdrawn")
    assert (event.actor, event.fields["reason"]) == ("grace", WHY)
    said = text_of(browser.post("/batches/1/readmit", {"reason": "by mistake"}, follow=True))
    assert "queued again, as generation 2" in said
    work(done)
    assert (states(), suffixes(done)) == (["DONE", "DONE"], ["r2.tar.gz", "tar.gz"])
    assert "is not withdrawn" in text_of(browser.post("/batches/1/readmit", {"reason": WHY}, follow=True))


def test_what_would_be_made_again_is_shown_before_it_is(done: Site, operator: User) -> None:
    browser = signed_in(operator)
    said = text_of(browser.post("/batches/1/redeliver", {"reason": WHY}, follow=True))
    assert "Batch 1: would be made again, as generation 2" in said and states() == ["DONE", "DONE"]
    recipe = Batch.objects.get(pk=1).recipe_sha256
    form = {"reason": WHY, "recipe": recipe, "do": "redeliver"}
    assert "2 studies queued again" in text_of(browser.post("/studies/redeliver", form, follow=True))
    work(done)
    assert (states(), suffixes(done)) == (["DONE", "DONE"], ["r2.tar.gz", "r2.tar.gz"])


def test_many_studies_are_withdrawn_by_a_list_whose_lines_are_told_by_their_numbers(done: Site, operator: User) -> None:
    lines = f"{accession_number(1)}\n\nunknown\n{Batch.objects.get(pk=2).item_suid}\n"
    said = text_of(signed_in(operator).post("/studies/withdraw", {"reason": WHY, "lines": lines}, follow=True))
    assert states() == ["WITHDRAWN", "WITHDRAWN"] and "Line 3 names no study that is known." in said
    assert accession_number(1) not in said
    assert set(AuditRow.objects.values_list("act", flat=True)) >= {"withdraw"}


def test_patients_who_opted_out_are_withdrawn_by_a_button(done: Site, operator: User, tmp_path: Path) -> None:
    path = tmp_path / "opted-out"
    path.write_text(f"{patient_id(2)}\n")
    browser = signed_in(operator)
    assert "Withdraw their studies" not in text_of(browser.get("/studies"))
    done.set(OPT_OUT=str(path))
    assert "Withdraw their studies" in text_of(browser.get("/studies"))
    browser.post("/studies/opt-out", {"reason": WHY})
    assert states() == ["DONE", "WITHDRAWN"]


@pytest.mark.parametrize(
    "address", ["/batches/1/withdraw", "/batches/1/readmit", "/batches/1/redeliver", "/studies/withdraw"]
)
def test_nothing_is_done_without_a_reason(done: Site, operator: User, address: str) -> None:
    form = {"reason": "  ", "do": "redeliver", "lines": accession_number(1)}
    assert "Give a reason." in text_of(signed_in(operator).post(address, form, follow=True))
    assert states() == ["DONE", "DONE"] and not Event.objects.filter(name="batch.made_again").exists()


def test_of_a_batch_that_is_not_there_there_is_nothing_to_withdraw(done: Site, operator: User) -> None:
    assert signed_in(operator).post("/batches/99/withdraw", {"reason": WHY}).status_code == 404


def test_a_reason_that_was_typed_is_for_those_who_see_identifiers(done: Site, operator: User) -> None:
    signed_in(operator).post("/batches/1/withdraw", {"reason": WHY})
    viewer = a_user(Role.VIEWER)
    shown = text_of(signed_in(viewer).get("/batches/1"))
    assert "batch.withdrawn" in shown and "bed 7" not in shown and "Withdraw the study" not in shown
    assert "bed 7" not in Program(viewer).get("/api/batches/1/history").content.decode()
    assert "bed 7" in text_of(signed_in(operator).get("/batches/1"))


# ------------------------------------------------------------------------------------------ the API


def test_the_api_withdraws_once_under_a_key(done: Site, operator: User) -> None:
    program = Program(operator)
    lines = {"reason": WHY, "lines": [accession_number(1), "unknown"]}
    first, second = program.post("/api/withdraw", lines, key="a"), program.post("/api/withdraw", lines, key="a")
    assert first.json() == second.json()
    (study,) = first.json()["studies"]
    assert (study["batches"], study["archives"], study["is_complete"]) == ([1], 1, True)
    assert first.json()["unknown_lines"] == [2] and states() == ["WITHDRAWN", "DONE"]
    assert program.post("/api/batches/1/readmit", {"reason": WHY}).json()["generation"] == 2
    assert program.post("/api/batches/2/withdraw", {"reason": WHY}).json()["archives"] == 1
    assert states() == ["QUEUE", "WITHDRAWN"]


def test_the_api_makes_studies_again_and_says_so_before(done: Site, operator: User) -> None:
    program = Program(operator)
    would = program.post("/api/batches/1/redeliver", {"reason": WHY, "dry_run": True}).json()
    assert [one["is_made_again"] for one in would] == [True] and states() == ["DONE", "DONE"]
    made = program.post("/api/redeliver", {"reason": WHY, "project": "default"}).json()
    assert [one["batches"] for one in made] == [[1], [2]] and states() == ["QUEUE", "QUEUE"]
    assert Study.objects.filter(generation=2).count() == 2


def test_the_api_asks_for_a_reason_and_for_a_batch_that_is_there(done: Site, operator: User) -> None:
    program = Program(operator)
    for body in ({}, {"reason": " "}):
        assert program.post("/api/batches/1/withdraw", body).json()["code"] == "NotAsDescribed"
    assert program.post("/api/batches/99/withdraw", {"reason": WHY}).json()["code"] == "NothingHere"
    assert states() == ["DONE", "DONE"]
