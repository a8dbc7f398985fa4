"""The setting REVIEW: what waits for a person, what is delivered meanwhile, and what a decision does in every state."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from sendit.deid.rewriting.withheld import Withheld
from sendit.pipeline import operations
from sendit.pipeline.record.decisions import Decision
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Image, ReviewDecision
from sendit.pipeline.record.states import Job
from sendit.pipeline.reports import overview, review
from sendit.projects.review_policy import ReviewPolicy
from tests.integration.pipeline.test_review import change, outcomes
from tests.support.phantoms import accession_number
from tests.support.shell import run
from tests.support.site import Site


def made(site: Site, policy: str, images: int = 3, doubtful: int = 1) -> Batch:
    """A study of which the graylist speaks of the first images, processed and, where it may be, delivered."""
    site.set(STUDY_DEID="basic", REVIEW=policy)
    folder = site.study(1, images=images)
    for path in sorted(folder.iterdir())[:doubtful]:
        change(path, BurnedInAnnotation="YES")
    site.process()
    site.deliver()
    return Batch.objects.get(pk=1)


def decide(site: Site, word: str, *numbers: int, actor: str = "rae", masks: Any = None) -> operations.Reviewed:
    reviewed = operations.review(site.projects, 1, numbers, Decision(word), actor, "poor quality", masks)
    assert reviewed is not None
    return reviewed


def work(site: Site) -> Batch:
    site.attempt(1, Job.PROCESS)
    site.deliver()
    return Batch.objects.get(pk=1)


def numbers(batch: Batch) -> tuple[int, int, int, int, int]:
    return batch.found, batch.delivered, batch.filtered, batch.in_review, batch.errored


@pytest.mark.parametrize("text", ["none", "doubtful", "all", "sample 5 %", "sample 0.5%", "SAMPLE  100 %"])
def test_a_policy_is_read_as_it_is_written(text: str) -> None:
    assert str(ReviewPolicy.parse(str(ReviewPolicy.parse(text)))) == str(ReviewPolicy.parse(text))


@pytest.mark.parametrize("text", ["", "some", "sample", "sample %", "sample 0 %", "sample 101 %", "sample -1 %", "5 %"])
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        ReviewPolicy.parse(text)


def test_a_sample_is_the_same_images_each_time_and_about_as_many_as_it_says() -> None:
    policy = ReviewPolicy.parse("sample 20 %")
    digests = [bytes([number, *range(15)]) for number in range(256)]
    assert sum(map(policy.takes, digests)) == pytest.approx(51, abs=1)
    assert policy.takes(None) and not any(map(ReviewPolicy().takes, [None, *digests]))


@pytest.mark.on_both_databases
def test_what_is_doubtful_waits_the_rest_is_delivered_and_a_release_goes_out_as_the_next_part(site: Site) -> None:
    batch = made(site, "doubtful", doubtful=2)
    assert (batch.state, outcomes(), numbers(batch)) == (
        "DONE",
        ["in review", "in review", "delivered"],
        (3, 1, 0, 2, 0),
    )
    assert not batch.has_error and batch.review_since is not None
    assert [(one.number, one.has_output) for one in review.waiting("default", site.ports.recipe, 9)] == [
        (1, False),
        (2, False),
    ]
    assert decide(site, "release", 1).decided == (1,)
    assert decide(site, "reject", 2).decided == (2,), "also while the batch waits for a worker"
    batch = work(site)
    assert (batch.state, outcomes(), numbers(batch)) == (
        "DONE",
        ["delivered", "filtered", "delivered"],
        (3, 2, 1, 0, 0),
    )
    assert sorted(batch.deliveries.values_list("part", "images")) == [(1, 1), (2, 1)]
    assert Image.objects.get(number=2).rule == "reviewer: poor quality"
    assert (batch.review_since, review.waiting("default", site.ports.recipe, 9)) == (None, [])


def test_a_rejection_is_done_at_once(site: Site) -> None:
    made(site, "doubtful")
    decide(site, "reject", 1)
    batch = Batch.objects.get()
    assert (batch.state, numbers(batch), batch.review_since) == ("DONE", (3, 2, 1, 0, 0), None)


def test_a_batch_of_which_all_is_doubtful_is_empty_and_not_an_error(site: Site) -> None:
    batch = made(site, "doubtful", images=2, doubtful=2)
    assert (batch.state, batch.has_error, numbers(batch)) == ("EMPTY", False, (2, 0, 0, 2, 0))
    decide(site, "release", 1, 2)
    assert numbers(work(site)) == (2, 2, 0, 0, 0)


def test_beside_an_error_what_waits_still_waits(site: Site) -> None:
    site.set(STUDY_DEID="basic", REVIEW="doubtful")
    folder = site.study(1, images=1, BurnedInAnnotation="YES")
    (folder / "note.txt").write_text("no image")
    (batch,) = site.process()
    assert (batch.state, sorted(outcomes())) == ("EMPTY", ["error", "in review"])


@pytest.mark.on_both_databases
def test_under_all_a_batch_waits_and_goes_out_as_it_was_made_when_all_is_released(site: Site) -> None:
    batch = made(site, "all", doubtful=0)
    assert (batch.state, outcomes(), numbers(batch)) == ("REVIEW", ["in review"] * 3, (3, 0, 0, 3, 0))
    assert all(one.has_output for one in review.waiting("default", site.ports.recipe, 9))
    crc = batch.deliveries.get().crc32c
    decide(site, "release", 1, 2)
    batch = Batch.objects.get()
    assert (batch.state, numbers(batch)) == ("REVIEW", (3, 2, 0, 1, 0))
    decide(site, "release", 3)
    assert Batch.objects.get().state == "DONEPROCESSING"
    site.deliver()
    batch = Batch.objects.get()
    assert (batch.state, numbers(batch), batch.deliveries.get().crc32c) == ("DONE", (3, 3, 0, 0, 0), crc)
    assert site.ports.warehouse.query("SELECT count(*) FROM instance").rows == [(3,)]
    signed = next(Path(site.settings.store_folder).rglob("*.intoto.jsonl")).read_text()
    statement = json.loads(b64decode(json.loads(signed)["payload"]))
    assert sum(one["name"].endswith(".dcm") for one in statement["subject"]) == 3
    report = json.loads(next(Path(site.settings.store_folder).rglob("*.report.json")).read_text())
    assert report["files"] == {"found": 3, "delivered": 3, "filtered": 0, "in_review": 0, "errored": 0}


@pytest.mark.on_both_databases
def test_what_is_rejected_of_a_batch_that_waits_never_leaves(site: Site) -> None:
    made(site, "all", doubtful=1)
    decide(site, "reject", 2)
    decide(site, "release", 1, 3)
    assert Batch.objects.get().state == "QUEUE"
    batch = work(site)
    assert (batch.state, outcomes()) == ("DONE", ["delivered", "filtered", "delivered"])
    assert [one.images for one in batch.deliveries.all()] == [2]
    assert site.ports.warehouse.query("SELECT count(*) FROM instance").rows == [(2,)]


def test_a_decision_holds_for_a_run_of_all_again_whatever_the_policy_is_then(site: Site) -> None:
    made(site, "all", doubtful=0)
    decide(site, "reject", 1)
    decide(site, "release", 2, 3)
    work(site)
    site.set(REVIEW="none")
    Image.objects.update(file_digest=None)
    Batch.objects.update(state="QUEUE")
    work(site)
    assert outcomes() == ["filtered", "delivered", "delivered"]


def test_a_sample_of_nothing_lets_a_batch_through(site: Site) -> None:
    assert made(site, "sample 0.0001 %", doubtful=0).state == "DONE"


def test_of_two_reviewers_the_second_is_told(site: Site) -> None:
    made(site, "all", doubtful=0)
    decide(site, "reject", 1)
    second = decide(site, "release", 1, actor="sam")
    assert [(number, one.actor, one.decision) for number, one in second.too_late] == [(1, "rae", "reject")]
    assert outcomes()[0] == "filtered"


@pytest.mark.parametrize("word", ["release", "reject"])
def test_a_decision_while_a_worker_has_the_batch_is_carried_out_when_it_rests(site: Site, word: str) -> None:
    made(site, "doubtful")
    Batch.objects.update(state="DONEPROCESSING")
    assert decide(site, word, 1).decided == (1,)
    assert (Batch.objects.get().state, outcomes()[0]) == ("DONEPROCESSING", "in review")
    assert review.waiting("default", site.ports.recipe, 9) == []
    Batch.objects.update(state="DONE")
    batch = Batch.objects.get()
    from sendit.pipeline.record.carrying_out import carry_out

    with transaction.atomic():
        carry_out(batch)
    assert (Batch.objects.get().state, outcomes()[0]) == (
        ("QUEUE", "in review") if word == "release" else ("DONE", "filtered")
    )


def test_a_decision_made_while_the_batch_is_processed_is_found_at_its_end(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(site, "doubtful")
    (site.data / accession_number(1) / "later.txt").write_text("no image")
    Batch.objects.update(state="QUEUE")
    from sendit.pipeline.stages import processing

    finish = processing._finish_without_part

    def late(work_: Any) -> None:
        decide(site, "reject", 1)
        finish(work_)

    monkeypatch.setattr(processing, "_finish_without_part", late)
    batch = work(site)
    assert (batch.state, sorted(outcomes())) == ("DONE", ["delivered", "delivered", "error", "filtered"])


def test_what_the_pixel_stage_cannot_clean_waits_with_what_it_would_blank(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sendit.deid.engine import Deidentifier

    def doubt(*_: object) -> None:
        raise Withheld("TextInPixels", "sendit: text may be left in the pixels", boxes=[(1, 2, 30, 40)])

    site.set(REVIEW="doubtful")
    site.study(1, images=2)
    monkeypatch.setattr(Deidentifier, "_rewritten", doubt)
    (batch,) = site.process()
    assert (batch.state, numbers(batch)) == ("EMPTY", (2, 0, 0, 2, 0))
    assert [image.proposed for image in Image.objects.all()] == [[[1, 2, 30, 40]]] * 2
    monkeypatch.undo()
    decide(site, "release", 1, 2)
    assert work(site).delivered == 2


def test_a_withdrawn_study_waits_for_nobody(site: Site) -> None:
    batch = made(site, "all")
    withdrawn = operations.withdraw(batch.pk, "consent", site.projects, "rae")
    batch = Batch.objects.get()
    assert (withdrawn.is_complete, batch.state, numbers(batch)) == (True, "WITHDRAWN", (3, 0, 3, 0, 0))
    assert set(Image.objects.values_list("rule", flat=True)) == {"sendit: study withdrawn"}


def test_a_batch_that_waits_is_not_cleaned_up(site: Site) -> None:
    site.set(ORIGINALS="delete", IDENTIFIERS="purge")
    made(site, "doubtful")
    assert run("clean_up", "--older-than", "0").err == ""
    assert (site.data / accession_number(1)).is_dir() and BatchIdentifiers.objects.exists()


def test_what_waits_is_counted_with_the_age_of_the_oldest(site: Site) -> None:
    made(site, "doubtful")
    waiting = overview.overview().in_review
    assert (waiting.images, waiting.batches, waiting.oldest) == (1, 1, 1) and waiting.seconds >= 0
    assert "1 image of 1 batch, batch 1 for" in run("status").out
    assert json.loads(run("status", "--json").out)["in_review"]["images"] == 1
    assert "in_review 1" in run("batch_logs", "1").out


def test_the_database_refuses_an_image_in_review_without_a_reason(site: Site) -> None:
    made(site, "doubtful")
    with pytest.raises(IntegrityError), transaction.atomic():
        Image.objects.filter(outcome="in review").update(rule="")
    with pytest.raises(IntegrityError), transaction.atomic():
        Batch.objects.update(in_review=0)


def test_a_reason_that_may_name_somebody_is_no_rule(site: Site) -> None:
    made(site, "doubtful")
    operations.review(site.projects, 1, [1], "reject", "rae", "Zqcanary is seen")
    assert Image.objects.get(number=1).rule == "reviewer: rejected"
    assert ReviewDecision.objects.get().reason.reveal() == "Zqcanary is seen"
