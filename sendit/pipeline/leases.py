"""Leases: who works on a batch, for how long, and how a batch whose worker died is taken up again.

A claim, a renewal and the end of a lease are each one compare-and-set statement on the batch's row, by state and token.
A worker that lost its lease can move nothing and overwrite nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import Enum
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from sendit.pipeline import events
from sendit.pipeline.database import AWAY
from sendit.pipeline.models import Batch
from sendit.pipeline.processes import is_known_dead, new_token
from sendit.pipeline.states import State

STALL_SECONDS = 1800
"""A worker that makes no progress for so long lets its lease lapse, though its process lives."""

FIRST_DELAY_SECONDS, LAST_DELAY_SECONDS = 5, 600
"""How long a postponed batch waits: the first time, and at most."""

MOST_POSTPONEMENTS = 10_000
"""No more are counted: a service may be away for months."""


class Job(Enum):
    """What is done to a batch under a lease: from which state it is claimed, and in which it then stands."""

    PROCESS = (State.QUEUE, State.PROCESSING)
    DELIVER = (State.DONEPROCESSING, State.UPLOADING)

    @property
    def waiting(self) -> State:
        """The state from which a batch is claimed."""
        return self.value[0]

    @property
    def working(self) -> State:
        """The state of a batch that is worked on."""
        return self.value[1]


class LeaseLost(Exception):
    """Another worker holds the batch; whatever this one made is void."""


class Stopped(Exception):
    """The worker was asked to stop; the batch goes back."""


def claimable(job: Job, limit: int) -> list[int]:
    """Primary keys of batches that a worker may claim now: those of dead workers, then the oldest that wait."""
    return list(islice(_claimable(job, limit), limit))


def _claimable(job: Job, limit: int) -> Iterator[int]:
    now = timezone.now()
    held = Batch.objects.filter(state=job.working).order_by("lease_expires_at")
    for batch in held.only("lease_token", "lease_expires_at"):
        if _is_abandoned(batch, now):
            yield batch.pk
    waiting = Batch.objects.filter(state=job.waiting, not_before__lte=now).order_by("not_before", "pk")
    yield from waiting.values_list("pk", flat=True)[:limit]


def _is_abandoned(batch: Batch, now: datetime) -> bool:
    return batch.lease_expires_at is None or batch.lease_expires_at <= now or is_known_dead(batch.lease_token)


class Observer:
    """Who hears of progress, and says when to stop; this one neither listens nor speaks."""

    def must_stop(self) -> bool:
        """Whether the work is to be put down."""
        return False

    def did(self, images: int, bytes_: int) -> None:
        """So much more is done."""


NOBODY = Observer()


def claim(pk: int, job: Job, observer: Observer = NOBODY) -> Lease | None:
    """A lease on the batch, or None where another was faster or there is nothing to claim.

    The claim counts as an attempt: a batch that kills its workers must not do so for ever. `Lease.is_overtried` says
    when it is enough.
    """
    now = timezone.now()
    batch = Batch.objects.filter(pk=pk).first()
    if batch is None:
        return None
    terms = {
        "lease_token": new_token(),
        "lease_expires_at": now + timedelta(seconds=settings.LEASE_SECONDS),
        "attempts": batch.attempts + 1,
    }
    if batch.state == job.waiting and batch.not_before <= now:
        return _take(batch, job, terms, observer)
    if batch.state == job.working and _is_abandoned(batch, now):
        return _take_over(batch, job, terms, observer)
    return None


def _take(batch: Batch, job: Job, terms: dict[str, Any], observer: Observer) -> Lease | None:
    if job is Job.PROCESS:
        terms["started_at"] = timezone.now()
    with transaction.atomic():
        if not batch.move(job.working, waits_for="", **terms):
            return None
        events.record("batch.claimed", batch.pk, state=job.working, attempt=batch.attempts)
    return Lease(batch, job, observer)


def _take_over(batch: Batch, job: Job, terms: dict[str, Any], observer: Observer) -> Lease | None:
    """The old token and its moment still stand, or the holder has renewed it and lives."""
    unchanged = Q(pk=batch.pk, state=job.working, lease_token=batch.lease_token)
    with transaction.atomic():
        if Batch.objects.filter(unchanged, lease_expires_at=batch.lease_expires_at).update(**terms) != 1:
            return None
        events.record("batch.taken_over", batch.pk, state=job.working, attempt=terms["attempts"])
    for name, value in terms.items():
        setattr(batch, name, value)
    return Lease(batch, job, observer)


class Lease:
    """The right to work on a batch; a context manager, in which a thread renews it as long as there is progress."""

    def __init__(self, batch: Batch, job: Job, observer: Observer) -> None:
        self.batch, self.job = batch, job
        self._taken = {name: getattr(batch, name) for name in ("state", "lease_token", "attempts", "postponements")}
        self._observer = observer
        self._lost, self._ended = False, threading.Event()
        self._progress_at = time.monotonic()
        self._thread = threading.Thread(target=self._keep, name=f"lease of batch {batch.pk}", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def is_overtried(self) -> bool:
        """Whether the batch was taken up too often without an end."""
        return self.batch.attempts > settings.MAX_ATTEMPTS

    def check(self) -> None:
        """Go on? Raises LeaseLost or Stopped; called wherever work can end without harm."""
        self._progress_at = time.monotonic()
        if self._lost:
            raise LeaseLost
        if self.must_stop():
            raise Stopped

    def must_stop(self) -> bool:
        """Whether the worker was asked to put the batch down."""
        return self._observer.must_stop()

    def progress(self, *, images: int = 0, bytes_: int = 0) -> None:
        """Say what is done, and go on if the lease holds."""
        self._observer.did(images, bytes_)
        self.check()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Surely, for what cannot be undone: until the block ends the row is locked, and nobody takes it over."""
        with transaction.atomic():
            if self._mine().update(changed_at=timezone.now()) != 1:
                raise LeaseLost
            yield

    def finish(self, target: State, **results: Any) -> None:
        """End the lease by moving the batch; with the move or not at all `results` are written.

        Call it inside the transaction that writes the other rows of the result.
        """
        if not self.batch.move(target, **results):
            raise LeaseLost

    def recall(self) -> None:
        """Think of the batch as it was claimed: a transaction that failed took back what was written, not what is
        remembered."""
        for name, value in self._taken.items():
            setattr(self.batch, name, value)

    def release(self, **results: Any) -> None:
        """Give the batch back as if it had not been taken."""
        results.setdefault("attempts", self.batch.attempts - 1)
        self.finish(self.job.waiting, **results)

    def postpone(self, code: str) -> float:
        """Give the batch back for a while, longer each time; returns the seconds."""
        delay_seconds = min(FIRST_DELAY_SECONDS * 2.0 ** min(self.batch.postponements, 16), LAST_DELAY_SECONDS)
        self.release(
            waits_for=code,
            postponements=min(self.batch.postponements + 1, MOST_POSTPONEMENTS),
            not_before=timezone.now() + timedelta(seconds=delay_seconds),
        )
        return delay_seconds

    def _keep(self) -> None:
        """In a thread of its own: renew at every third of the lease."""
        while not self._ended.wait(settings.LEASE_SECONDS / 3):
            if time.monotonic() - self._progress_at < STALL_SECONDS:
                self._renew()
        connection.close()

    def _renew(self) -> None:
        expires_at = timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)
        try:
            renewed = self._mine().update(lease_expires_at=expires_at)
        except AWAY:  # or busy: the next third decides
            connection.close()
            return
        if renewed != 1 and not self._ended.is_set():
            self._lost = True

    def _mine(self) -> QuerySet[Batch]:
        return Batch.objects.filter(pk=self.batch.pk, state=self.job.working, lease_token=self.batch.lease_token)
