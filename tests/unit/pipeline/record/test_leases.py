"""Leases: one holder at a time; what a dead, late or lost holder can and cannot do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from sendit.pipeline.record import leases
from sendit.pipeline.record.leases import (
    Job,
    Lease,
    LeaseLost,
    LeaseTerms,
    Observer,
    Stopped,
    claim,
    claim_abandoned,
    claim_oldest,
    claimable,
)
from sendit.pipeline.record.models import Batch, Event
from sendit.pipeline.record.processes import is_known_dead, new_token
from sendit.pipeline.record.states import State
from tests.support.site import Site

TERMS = LeaseTerms(lease_seconds=60, max_attempts=3)
SHORT = LeaseTerms(lease_seconds=1, max_attempts=3)

pytestmark = pytest.mark.on_both_databases


def queued(number: int = 1, **terms: object) -> Batch:
    return Batch.objects.create(folder_digest=f"{number}", uid_digest="u", state=State.QUEUE, **terms)


def claimed(batch: Batch, terms: LeaseTerms = TERMS) -> Lease:
    lease = claim(batch.pk, Job.PROCESS, terms)
    assert lease
    return lease


def let_lapse() -> None:
    Batch.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_the_oldest_is_claimed_first_and_one_that_waits_is_not(site: Site) -> None:
    now = timezone.now()
    late = queued(1, not_before=now - timedelta(seconds=1))
    early = queued(2, not_before=now - timedelta(seconds=9))
    queued(3, not_before=now + timedelta(minutes=9))
    assert claimable(Job.PROCESS, 5) == [early.pk, late.pk]
    assert claimable(Job.PROCESS, 1) == [early.pk]
    assert claim(Batch.objects.get(folder_digest="3").pk, Job.PROCESS, TERMS) is None


def test_a_batch_is_claimed_once(site: Site) -> None:
    batch = queued()
    lease = claimed(batch)
    assert claim(batch.pk, Job.PROCESS, TERMS) is None
    assert claimable(Job.PROCESS, 5) == []
    assert lease.batch.attempts == 1 and Batch.objects.get().lease_token == lease.batch.lease_token


def test_a_batch_is_not_claimed_for_the_other_job_nor_one_that_is_not_there(site: Site) -> None:
    assert claim(queued().pk, Job.DELIVER, TERMS) is None
    assert claim(12345, Job.PROCESS, TERMS) is None


def test_a_lapsed_lease_is_taken_over_and_its_old_holder_can_do_nothing(site: Site) -> None:
    zombie = claimed(queued())
    let_lapse()
    assert claimable(Job.PROCESS, 5) == [zombie.batch.pk]
    heir = claimed(zombie.batch)
    assert (heir.batch.attempts, Batch.objects.get().attempts) == (2, 2)
    for move in (zombie.release, lambda: zombie.finish(State.EMPTY), lambda: zombie.postpone("NoSpace")):
        with pytest.raises(LeaseLost):
            move()
    assert Batch.objects.get().lease_token == heir.batch.lease_token
    heir.finish(State.EMPTY)
    assert list(Event.objects.values_list("name", flat=True)) == ["batch.claimed", "batch.taken_over"]


def test_a_holder_that_renews_in_time_keeps_its_lease_from_one_that_looked_before(site: Site) -> None:
    holder = claimed(queued())
    let_lapse()
    late = Batch.objects.get()
    holder.renew()
    assert leases._take_over(late, Job.PROCESS, TERMS, Observer()) is None
    holder.finish(State.EMPTY)


def test_too_many_attempts_are_noticed(site: Site) -> None:
    batch = queued()
    for expected in (False, False, True):
        lease = claimed(batch, LeaseTerms(lease_seconds=60, max_attempts=2))
        assert lease.is_overtried is expected
        let_lapse()


def test_a_batch_that_is_released_was_not_attempted(site: Site) -> None:
    lease = claimed(queued())
    lease.release()
    batch = Batch.objects.get()
    assert (batch.state, batch.attempts, batch.lease_token, batch.lease_expires_at) == ("QUEUE", 0, "", None)


def test_a_lease_is_renewed_while_there_is_progress(site: Site) -> None:
    with claimed(queued(), SHORT) as lease:
        for _ in range(15):
            time.sleep(0.1)
            lease.check()
        assert Batch.objects.get().lease_expires_at > timezone.now()
        lease.finish(State.EMPTY)


def test_a_lease_without_progress_lapses(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "STALL_SECONDS", 0)
    with claimed(queued(), SHORT):
        time.sleep(1.2)
        assert claimable(Job.PROCESS, 1) != []


def test_a_worker_hears_at_the_next_step_that_its_lease_is_lost(site: Site) -> None:
    with claimed(queued(), SHORT) as lease, pytest.raises(LeaseLost):
        Batch.objects.update(lease_token="somebody else's")
        for _ in range(30):
            time.sleep(0.05)
            lease.progress(bytes_=1)


def test_a_worker_that_is_asked_stops_at_the_next_step(site: Site) -> None:
    class Asked(Observer):
        def must_stop(self) -> bool:
            return True

    lease = claim(queued().pk, Job.PROCESS, TERMS, Asked())
    assert lease
    with pytest.raises(Stopped):
        lease.check()


def test_a_result_is_not_kept_when_the_lease_is_lost(site: Site) -> None:
    zombie = claimed(queued())
    let_lapse()
    heir = claimed(zombie.batch)
    with pytest.raises(LeaseLost), transaction.atomic():
        Event.objects.create(name="batch.processed", batch=zombie.batch)
        zombie.finish(State.EMPTY)
    assert not Event.objects.filter(name="batch.processed").exists()
    heir.release()


def test_the_lease_of_a_process_that_is_dead_is_free_at_once(site: Site) -> None:
    batch = queued()
    script = (
        "import django; django.setup()\n"
        "from sendit.pipeline.record.leases import Job, LeaseTerms, claim\n"
        f"claim({batch.pk}, Job.PROCESS, LeaseTerms(60, 3)); import os; os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script], env=os.environ, timeout=60)
    assert Batch.objects.get().state == State.PROCESSING
    assert Batch.objects.get().lease_expires_at > timezone.now()
    assert claimable(Job.PROCESS, 1) == [batch.pk]
    assert claimed(batch).batch.attempts == 2


def test_who_is_known_to_be_dead() -> None:
    mine = new_token()
    here, pid, start, nonce = mine.rsplit(".", 3)
    assert not is_known_dead(mine)
    assert is_known_dead(f"{here}.{pid}.{int(start) - 1}.{nonce}"), "the pid came again"
    assert is_known_dead(f"{here}.{2**22 + 1}.{start}.{nonce}")
    assert not is_known_dead(f"another.1.{pid}.1.{nonce}"), "of another machine nothing is known"
    assert new_token() != mine


def test_the_wait_of_a_postponed_batch_grows_to_a_limit(site: Site) -> None:
    batch = queued(postponements=30)
    assert claimed(batch).postpone("NoSpace") == leases.LAST_DELAY_SECONDS


FAR = timedelta(days=3)


@pytest.mark.parametrize(("job", "state"), [(Job.PROCESS, State.QUEUE), (Job.DELIVER, State.DONEPROCESSING)])
def test_a_wait_that_is_longer_than_any_can_be_is_over(site: Site, job: Job, state: State) -> None:
    """A clock that was ahead by days wrote it."""
    near = Batch.objects.create(
        folder_digest="1", uid_digest="u", state=state, not_before=timezone.now() + timedelta(minutes=9)
    )
    far = Batch.objects.create(folder_digest="2", uid_digest="u", state=state, not_before=timezone.now() + FAR)
    assert claimable(job, 5, TERMS) == [far.pk]
    assert claim(near.pk, job, TERMS) is None
    taken = claim_oldest(job, TERMS)
    assert taken and taken.batch.pk == far.pk and claim_oldest(job, TERMS) is None


def test_what_is_due_comes_before_what_a_wrong_clock_put_off(site: Site) -> None:
    far, due = queued(1, not_before=timezone.now() + FAR), queued(2)
    taken = [lease.batch.pk for _ in range(2) if (lease := claim_oldest(Job.PROCESS, TERMS))]
    assert taken == [due.pk, far.pk]


def test_a_delivery_may_be_delayed_for_as_long_as_the_setting_says(site: Site) -> None:
    terms = LeaseTerms(lease_seconds=60, max_attempts=3, delivery_delay_hours=48)
    for number, hours in ((1, 47), (2, 50)):
        Batch.objects.create(
            folder_digest=f"{number}",
            uid_digest="u",
            state=State.DONEPROCESSING,
            not_before=timezone.now() + timedelta(hours=hours),
        )
    assert claimable(Job.DELIVER, 5, terms) == [Batch.objects.get(folder_digest="2").pk]
    assert len(claimable(Job.DELIVER, 5, TERMS)) == 2


def test_a_lease_that_lasts_longer_than_any_can_is_taken_over(site: Site) -> None:
    first = claimed(queued())
    elsewhere = "another-host.1.1.abc"
    Batch.objects.update(lease_token=elsewhere, lease_expires_at=timezone.now() + timedelta(seconds=50))
    assert claim_abandoned(Job.PROCESS, TERMS) is None
    Batch.objects.update(lease_expires_at=timezone.now() + FAR)
    heir = claim_abandoned(Job.PROCESS, TERMS)
    assert heir and heir.batch.attempts == 2
    with pytest.raises(LeaseLost):
        first.finish(State.EMPTY)


@pytest.mark.parametrize("ahead", [FAR, -FAR])
def test_the_clock_of_a_database_server_counts(site: Site, monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("a file has no clock")
    right = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() + ahead)
    batch = queued(not_before=right() + timedelta(seconds=30))
    assert claim(batch.pk, Job.PROCESS, TERMS) is None
    Batch.objects.update(not_before=right())
    lease = claimed(batch)
    expires_at = Batch.objects.get().lease_expires_at
    assert expires_at and abs(expires_at - right() - timedelta(seconds=60)) < timedelta(seconds=30)
    lease.postpone("StoreDown")
    assert abs(Batch.objects.get().not_before - right()) < timedelta(seconds=30)
