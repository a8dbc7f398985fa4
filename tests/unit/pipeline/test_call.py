"""What the workers of one call share: how many batches they may begin, over all of them, and what they have done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
from django.db import OperationalError

from sendit.pipeline.record.leases import Lease
from sendit.pipeline.record.models import Batch
from sendit.pipeline.workforce.call import Call
from tests.support.processes import at_once


class Queue:
    """Gives out leases on batches in order; says of which it was asked."""

    def __init__(self, *keys: int) -> None:
        self.keys = list(keys)
        self.asked: list[Sequence[int] | None] = []

    def claim(self, only: Sequence[int] | None) -> Lease | None:
        self.asked.append(only)
        found = next((key for key in self.keys if only is None or key in only), None)
        if found is None:
            return None
        self.keys.remove(found)
        return cast(Lease, Held(Batch(pk=found)))


class Held:
    """As much of a lease as a call looks at."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


def claimed(call: Call, queue: Queue) -> int | None:
    lease = call.claim(queue.claim)
    return lease.batch.pk if lease else None


def test_a_call_begins_no_more_batches_than_it_may() -> None:
    call, queue = Call.make(2, 2), Queue(11, 12, 13)
    assert [claimed(call, queue) for _ in range(3)] == [11, 12, None]
    assert call.begun() == [11, 12]
    assert queue.asked[-1] == [11, 12], "of what it has begun it may take up again what came back"


def test_a_batch_that_comes_back_counts_once() -> None:
    call = Call.make(1, 2)
    assert [claimed(call, Queue(11)), claimed(call, Queue(11)), claimed(call, Queue(12))] == [11, 11, 12]
    assert claimed(call, Queue(13, 11)) == 11


def test_a_claim_that_found_nothing_does_not_count() -> None:
    call = Call.make(1, 1)
    assert [claimed(call, Queue()) for _ in range(5)] == [None] * 5
    assert claimed(call, Queue(11)) == 11


def test_a_claim_that_failed_does_not_count() -> None:
    call = Call.make(1, 1)

    def fail(only: Sequence[int] | None) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    for _ in range(3):
        with pytest.raises(OperationalError):
            call.claim(fail)
    assert claimed(call, Queue(11)) == 11


@pytest.mark.parametrize("limit", [3, None])
def test_the_number_holds_over_all_processes(limit: int | None) -> None:
    call = Call.make(4, limit)

    def work(first: int) -> list[int | None]:
        queue = Queue(*range(first, first + 5))
        return [claimed(call, queue) for _ in range(5)]

    won = at_once(*[lambda first=first: work(first) for first in (10, 20, 30, 40)])
    keys = sorted(key for each in won for key in cast(list[int | None], each) if key)
    assert len(keys) == (limit or 20)
    assert call.begun() == keys


def test_each_worker_counts_in_its_own_place_and_its_successor_goes_on() -> None:
    call = Call.make(3, None)
    call.resume(1)
    call.did(1, images=5, bytes_=70)
    call.resume(3)
    call.did(3, images=1, bytes_=2, batches=1)
    call.resume(1)
    call.did(1, batches=1)
    assert call.done() == (6, 72, 2)
