"""`retry`: what stopped begins anew."""

from __future__ import annotations

import pytest

from sendit.pipeline.record.models import Batch, Event, Image
from tests.support.shell import run
from tests.support.site import Site


@pytest.fixture
def stopped(site: Site) -> Site:
    """Batches 1 and 2 in ERROR for different reasons, 3 EMPTY, 4 DONEPROCESSING."""
    site.study(1, patients=2)
    (site.data / "nothing").mkdir()
    site.study(3, BurnedInAnnotation="YES")
    site.study(4)
    site.process()
    return site


def states() -> dict[str, int]:
    return {str(state): number for state, number in Batch.objects.counts().items() if number}


def key_of(code: str) -> int:
    (key,) = [batch.pk for batch in Batch.objects.filter(state="ERROR") if batch.errors[0]["code"] == code]
    return key


def test_a_named_batch_is_queued_as_if_it_were_new(stopped: Site) -> None:
    key = key_of("MixedPatients")
    ran = run("retry", str(key))
    assert (ran.code, ran.out) == (0, f"batch {key} was ERROR: queued again.\n")
    batch = Batch.objects.get(pk=key)
    assert (batch.state, batch.has_error, batch.errors, batch.found, batch.attempts) == ("QUEUE", False, [], 0, 0)
    assert not Image.objects.filter(batch=batch).exists()
    assert Event.objects.filter(batch=batch, name="batch.retried", fields={"state": "ERROR"}).exists()


def test_what_was_mended_is_then_delivered(stopped: Site) -> None:
    folder = stopped.data / "nothing"
    stopped.study(5).rename(folder / "sub")
    run("retry", "--code", "NothingReadable")
    stopped.process()
    batch = Batch.objects.get(pk=2)
    assert (batch.state, batch.delivered, batch.has_error) == ("DONEPROCESSING", 5, False)


def test_every_batch_in_error_may_be_meant(stopped: Site) -> None:
    ran = run("retry", "--all-errors")
    assert (ran.code, ran.lines[-1]) == (0, "2 batches queued again.")
    assert states() == {"QUEUE": 2, "EMPTY": 1, "DONEPROCESSING": 1}


def test_those_of_one_code_may_be_meant(stopped: Site) -> None:
    ran = run("retry", "--code", "MixedPatients")
    assert ran.lines[-1] == "1 batch queued again."
    assert states() == {"QUEUE": 1, "ERROR": 1, "EMPTY": 1, "DONEPROCESSING": 1}


def test_an_empty_batch_is_queued_when_it_is_named(stopped: Site) -> None:
    (empty,) = Batch.objects.filter(state="EMPTY")
    assert run("retry", str(empty.pk)).code == 0
    assert states() == {"QUEUE": 1, "ERROR": 2, "DONEPROCESSING": 1}


def test_a_batch_in_another_state_is_left_alone(stopped: Site) -> None:
    (resting,) = Batch.objects.filter(state="DONEPROCESSING")
    ran = run("retry", str(resting.pk))
    assert ran.code == 1
    assert ran.out == f"batch {resting.pk} is DONEPROCESSING: left alone, only ERROR and EMPTY can be retried.\n"
    assert states()["DONEPROCESSING"] == 1


def test_nothing_to_retry_is_fine(site: Site) -> None:
    ran = run("retry", "--all-errors")
    assert (ran.code, ran.out) == (0, "0 batches queued again.\n")


@pytest.mark.parametrize("arguments", [[], ["--code", "NoSuchCode"], ["77"]])
def test_wrong_use_is_told(stopped: Site, arguments: list[str]) -> None:
    assert run("retry", *arguments).code == 2
    assert states()["ERROR"] == 2
