"""PostgreSQL is killed and started again, or its answer is lost, in the middle of a batch: nothing is lost."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.db import OperationalError
from pytest import MonkeyPatch

from sendit.pipeline import runner
from sendit.pipeline.leases import Job
from sendit.pipeline.models import Batch, Event
from sendit.pipeline.stages import delivering, processing
from tests.aftermath import everything_is_right, leftovers
from tests.servers import Postgres
from tests.site import Site

pytestmark = pytest.mark.on_postgres


def away_for(server: Postgres, seconds: float) -> None:
    """Kill it now, and start it again after so long."""
    server.end()

    def start_again() -> None:
        time.sleep(seconds)
        server.start()

    threading.Thread(target=start_again).start()


@pytest.mark.parametrize("name", ["import_study", "_write_study_row", "publish"])
def test_a_database_that_dies_in_the_middle_of_processing_costs_no_attempt(
    site: Site, postgres: Postgres, monkeypatch: MonkeyPatch, name: str
) -> None:
    site.study(images=4)
    (pk,) = site.queue()
    step = getattr(processing, name)

    def then_it_dies(*arguments: Any) -> Any:
        result = step(*arguments)
        away_for(postgres, 0.3)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(processing, name, then_it_dies)
        runner.attempt(pk, Job.PROCESS)
    batch = Batch.objects.get()
    assert (batch.state, batch.attempts, batch.waits_for, batch.lease_token) == ("QUEUE", 0, "DatabaseDown", "")
    assert batch.events.latest("pk").fields["reason"] == "DatabaseDown"
    Batch.objects.update(not_before=batch.created_at)
    runner.attempt(pk, Job.PROCESS)
    runner.attempt(pk, Job.DELIVER)
    everything_is_right(site, images=4)


@pytest.mark.parametrize(
    ("job", "stage", "left"), [(Job.PROCESS, processing, "DONEPROCESSING"), (Job.DELIVER, delivering, "DONE")]
)
def test_an_answer_that_is_lost_after_the_commit_changes_nothing(
    site: Site, monkeypatch: MonkeyPatch, job: Job, stage: Any, left: str
) -> None:
    """Between a commit and its answer no real server can be killed at will."""
    site.study(images=4)
    (pk,) = site.queue() if job is Job.PROCESS else [batch.pk for batch in site.process()]
    finish = stage._finish

    def lose_the_answer(*arguments: Any) -> None:
        finish(*arguments)
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(stage, "_finish", lose_the_answer)
    assert runner.attempt(pk, job) is None
    assert (Batch.objects.get().state, Batch.objects.get().attempts) == (left, 0)
    assert Event.objects.filter(name="batch.released").count() == 0


def test_a_database_that_stays_away_longer_than_the_lease_ends_the_attempt(
    site: Site, postgres: Postgres, monkeypatch: MonkeyPatch
) -> None:
    site.set(LEASE_SECONDS=1)
    site.study(images=4)
    (pk,) = site.queue()
    monkeypatch.setitem(runner.RUN, Job.PROCESS, lambda work: (postgres.end(), Batch.objects.count()))
    with pytest.raises(OperationalError):
        runner.attempt(pk, Job.PROCESS)
    postgres.start()
    monkeypatch.undo()
    assert Batch.objects.get().state == "PROCESSING"
    runner.attempt(pk, Job.PROCESS)
    assert Batch.objects.get().state == "DONEPROCESSING"
    assert leftovers(site) == [f"outbox/{pk}"]
