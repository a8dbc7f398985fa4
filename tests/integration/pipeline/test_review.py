"""Review: what a graylist withholds a person releases, and it goes out as the next part; or rejects, and it stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from sendit.audit.models import AuditRow
from sendit.pipeline import operations
from sendit.pipeline.record.decisions import REJECTED, Decision
from sendit.pipeline.record.models import Batch, Event, Image, ReviewDecision
from sendit.pipeline.reports import review as reports
from sendit.web.roles import Role
from tests.support.pages import a_user, signed_in, web_settings
from tests.support.phantoms import accession_number
from tests.support.shell import run
from tests.support.site import Site


@pytest.fixture
def held(site: Site) -> Site:
    """A delivered study of three images, of which the graylist withholds the first, and another the second."""
    site.set(STUDY_DEID="basic")
    folder = site.study(1, images=3)
    first, second, _ = sorted(folder.iterdir())
    change(first, BurnedInAnnotation="YES")
    change(second, ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"])
    site.process()
    site.deliver()
    assert outcomes() == ["filtered", "filtered", "delivered"]
    return site


def change(path: Path, **attributes: object) -> None:
    image = dcmread(path)
    for keyword, value in attributes.items():
        setattr(image, keyword, value)
    image.save_as(path)


def outcomes() -> list[str]:
    return list(Image.objects.filter(batch=1).order_by("number").values_list("outcome", flat=True))


def work(site: Site) -> Batch:
    """Process and deliver what is queued."""
    from sendit.pipeline.record.leases import Job

    site.attempt(1, Job.PROCESS)
    site.deliver()
    return Batch.objects.get(pk=1)


def review(site: Site, word: str, *numbers: int, actor: str = "rae") -> operations.Reviewed:
    reviewed = operations.review(site.projects, 1, numbers, Decision(word), actor, "Zqcanary")
    assert reviewed is not None
    return reviewed


@pytest.mark.on_both_databases
def test_a_released_image_goes_out_as_the_next_part_and_nothing_else_is_delivered_twice(held: Site) -> None:
    assert review(held, "release", 1).decided == (1,)
    batch = work(held)
    assert (batch.state, outcomes()) == ("DONE", ["delivered", "filtered", "delivered"])
    assert (batch.found, batch.delivered, batch.filtered, batch.errored) == (3, 2, 1, 0)
    assert sorted(batch.deliveries.values_list("part", "images")) == [(1, 1), (2, 1)]
    assert held.ports.warehouse.query("SELECT count(*), count(DISTINCT SOPInstanceUID) FROM instance").rows == [(2, 2)]
    event = Event.objects.get(batch=1, name="batch.reviewed")
    assert (event.actor, event.fields) == ("rae", {"released": 1})


def test_a_rejected_image_stays_withheld_by_the_reviewer_also_when_all_is_processed_again(held: Site) -> None:
    assert review(held, "reject", 1, 2).decided == (1, 2)
    assert set(Image.objects.filter(outcome="filtered").values_list("rule", flat=True)) == {REJECTED}
    assert reports.waiting("default", held.ports.recipe, 10) == []
    Image.objects.update(file_digest=None)
    Batch.objects.update(state="QUEUE")
    assert work(held).state == "DONE"
    assert outcomes() == ["filtered", "filtered", "delivered"]
    assert set(Image.objects.filter(outcome="filtered").values_list("rule", flat=True)) == {REJECTED}


def test_of_two_reviewers_the_first_wins_and_the_second_is_told(held: Site) -> None:
    review(held, "reject", 1)
    second = review(held, "release", 1, 2, actor="sam")
    assert (second.decided, [(number, one.actor) for number, one in second.too_late]) == ((2,), [(1, "rae")])
    work(held)
    assert outcomes() == ["filtered", "delivered", "delivered"]


def test_a_decision_holds_for_the_bytes_and_no_others(held: Site) -> None:
    review(held, "release", 1)
    change(sorted((held.data / accession_number(1)).iterdir())[0], PatientComments="written to meanwhile")
    work(held)
    assert outcomes() == ["filtered", "filtered", "delivered"]


def test_what_no_graylist_withholds_is_nobodys_to_release(held: Site) -> None:
    assert review(held, "release", 3, 9).forbidden == (3, 9)
    change(sorted((held.data / accession_number(1)).iterdir())[1], SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1")
    assert review(held, "release", 2).forbidden == (2,)
    (held.data / accession_number(1)).rename(held.data / "elsewhere.tmp")
    assert review(held, "release", 1).gone == (1,)
    assert not ReviewDecision.objects.exists()
    assert operations.review(held.projects, 99, [1], Decision.RELEASE, "rae", "x") is None


def test_a_batch_on_the_move_is_left_alone(held: Site) -> None:
    Batch.objects.update(state="DONEPROCESSING")
    assert review(held, "release", 1).is_on_the_move
    assert not ReviewDecision.objects.exists()
    assert [one.is_on_the_move for one in reports.waiting("default", held.ports.recipe, 10)] == [True, True]


def test_an_empty_batch_whose_image_is_released_is_delivered(site: Site) -> None:
    site.set(STUDY_DEID="basic")
    site.study(1, images=1, BurnedInAnnotation="YES")
    assert site.process()[0].state == "EMPTY"
    review(site, "release", 1)
    assert (work(site).state, outcomes()) == ("DONE", ["delivered"])


def test_the_commands_release_and_reject(held: Site) -> None:
    assert "image 1/1 is released" in run("release", "1/1", "--reason", "only a scale").out
    work(held)
    done = run("reject", "1/1", "1/2", "--reason", "a name")
    assert (done.code, "image 1/2 is rejected" in done.out, "1/1: command has decided" in done.out) == (1, True, True)
    assert run("release", "7/1", "--reason", "x").code == 1 and run("release", "x", "--reason", "x").code == 2
    assert [row.act for row in AuditRow.objects.order_by("number")] == ["release", "reject", "release"]


def test_the_reason_is_nowhere_in_clear(held: Site) -> None:
    reviewed = operations.review(held.projects, 1, [1], Decision.REJECT, "rae", "zqcanary is burned in")
    assert reviewed and ReviewDecision.objects.get().reason.reveal() == "zqcanary is burned in"


def test_a_reviewer_looks_and_decides_on_the_page(held: Site) -> None:
    with web_settings():
        browser = signed_in(a_user(Role.REVIEWER, name="rae"))
        page = browser.get("/review").content.decode()
        assert 'value="1/1"' in page and 'value="1/2"' in page and 'value="1/3"' not in page
        assert browser.get("/batches/1/images/1/original.png").status_code == 200
        assert (
            "give a reason"
            in browser.post("/review", {"do": "release", "images": ["1/1"]}, follow=True).content.decode()
        )
        assert browser.post("/review", {"do": "burn", "images": ["1/1"], "reason": "x"}).status_code == 404
        chosen = {"do": "release", "images": ["1/1", "nonsense", "1/2"], "reason": "only a scale"}
        shown = browser.post("/review", chosen, follow=True).content.decode()
        assert shown.count("is released.") == 2
    work(held)
    assert outcomes() == ["delivered"] * 3
