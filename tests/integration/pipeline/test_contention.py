"""On PostgreSQL as on SQLite: claims under contention."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from sendit.ground.database import disconnect
from sendit.pipeline.record import leases
from sendit.pipeline.record.leases import Job
from sendit.pipeline.record.models import Batch, Event
from sendit.pipeline.record.states import State
from tests.support.processes import at_once
from tests.support.site import Site

pytestmark = pytest.mark.on_postgres

TERMS = leases.LeaseTerms(lease_seconds=60, max_attempts=3)
WORKERS, BATCHES = 16, 1000


def work() -> int:
    """Claim and finish whatever can be claimed, as workers do, without the images; how many were won."""
    won = 0
    while lease := leases.claim_oldest(Job.PROCESS, TERMS):
        lease.finish(State.EMPTY)
        won += 1
    return won


def race() -> int:
    """The same, but all look at the same few batches and then try to claim them."""
    won = 0
    while keys := leases.claimable(Job.PROCESS, 2 * WORKERS):
        for pk in random.sample(keys, len(keys)):
            lease = leases.claim(pk, Job.PROCESS, TERMS)
            if lease is None:
                break  # another was faster: look again
            lease.finish(State.EMPTY)
            won += 1
    return won


@pytest.mark.parametrize("work", [work, race])
def test_of_sixteen_workers_on_a_thousand_batches_each_batch_has_exactly_one(
    site: Site, work: Callable[[], int]
) -> None:
    Batch.objects.bulk_create(
        Batch(state=State.QUEUE, folder_digest=str(number), uid_digest=str(number)) for number in range(BATCHES)
    )
    disconnect()
    won = at_once(*[work] * WORKERS)
    claims = Counter(Event.objects.filter(name="batch.claimed").values_list("batch", flat=True))
    assert sum(won) == len(claims) == BATCHES, won
    assert set(claims.values()) == {1}
    assert Batch.objects.filter(state=State.EMPTY, attempts=1).count() == BATCHES
