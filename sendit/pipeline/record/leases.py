"""Leases: who works on a batch, for how long, and how a batch whose worker died is taken up again.

A claim, a renewal and the end of a lease are each one compare-and-set statement on the batch's row, by state and token.
A worker that lost its lease can move nothing and overwrite nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from sendit.ground.database import AWAY
from sendit.pipeline.record import clock, history, hosts, pauses, statements
from sendit.pipeline.record.deliveries import DeliveriesWait
from sendit.pipeline.record.keeper import KEEPER
from sendit.pipeline.record.models import Batch, BatchIdentifiers
from sendit.pipeline.record.processes import is_known_dead, new_token
from sendit.pipeline.record.states import Job, State
from sendit.pipeline.record.turns import Turns
from sendit.projects.composition import Projects
from sendit.projects.site import Site

STALL_SECONDS = 1800
"""A worker that makes no progress for so long lets its lease lapse, though its process lives."""

FIRST_DELAY_SECONDS, LAST_DELAY_SECONDS = 5, 600
"""How long a postponed batch waits: the first time, and at most."""

TOLERANCE_SECONDS = 60
"""A moment that is ahead by so much more than can be is no sign of a wrong clock yet."""

MOST_POSTPONEMENTS = 10_000
"""No more are counted: a service may be away for months."""

CHUNK = 500
"""Batches looked up in one statement."""


def delay_seconds(postponements: int) -> float:
    """How long something waits that was postponed so often before."""
    return min(FIRST_DELAY_SECONDS * 2.0 ** min(postponements, 16), LAST_DELAY_SECONDS)


class LeaseLost(Exception):
    """Another worker holds the batch; whatever this one made is void."""


class Stopped(Exception):
    """The worker was asked to stop; the batch goes back."""


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """How long a lease lasts without a renewal, how often a batch is taken up before it is an ERROR, and how long a
    delivery may be delayed."""

    lease_seconds: int
    max_attempts: int
    delivery_delay_hours: float = 0.0
    host: str = ""
    """The host whose worker this is; where it is not said, one host is all there is."""
    host_gone_seconds: float = 3600.0
    turns: Turns | None = None
    """Whose turn it is; where nobody says so, the batch's that has waited longest."""

    @classmethod
    def of_all(cls, projects: Projects) -> LeaseTerms:
        """As the settings say, with the turns of the projects."""
        return replace(cls.of(projects.site), turns=Turns(projects))

    @classmethod
    def of(cls, site: Site) -> LeaseTerms:
        """As the settings say."""
        return cls(
            site.lease_seconds,
            site.max_attempts,
            site.delivery_delay_hours,
            hosts.name_of(site),
            site.host_gone_seconds,
        )

    def hosts(self, job: Job) -> tuple[str, ...]:
        """Whose archives a worker may deliver as they are: its own host's, and those that any host may have."""
        return ("", self.host) if job is Job.DELIVER and self.host else ()

    def latest_start(self, job: Job, now: datetime) -> datetime:
        """A batch that waits for longer than until then was put off by a clock that was ahead."""
        delay_seconds = self.delivery_delay_hours * 3600 if job is Job.DELIVER else 0
        return now + timedelta(seconds=max(delay_seconds, LAST_DELAY_SECONDS) + TOLERANCE_SECONDS)

    def latest_expiry(self, now: datetime) -> datetime:
        """A lease that lasts longer than until then was written by a clock that was ahead."""
        return now + timedelta(seconds=self.lease_seconds + TOLERANCE_SECONDS)

    def is_due(self, job: Job) -> Q:
        """The batches that do not wait for a moment to come, or wait for one that is too far ahead to be right."""
        now = clock.soon()
        return Q(not_before__lte=now) | Q(not_before__gt=self.latest_start(job, now))


USUAL_TERMS = LeaseTerms(lease_seconds=60, max_attempts=3)
"""As they are where no setting says otherwise."""


def claimable(job: Job, limit: int, terms: LeaseTerms = USUAL_TERMS) -> list[int]:
    """Primary keys of batches that a worker may claim now: those of dead workers, then the oldest that wait."""
    return [] if pauses.holds(job) else list(islice(_claimable(job, limit, terms), limit))


def _claimable(job: Job, limit: int, terms: LeaseTerms) -> Iterator[int]:
    yield from _abandoned(job, terms)
    waiting = Batch.objects.filter(terms.is_due(job), state=job.waiting).order_by("not_before", "pk")
    yield from waiting.values_list("pk", flat=True)[:limit]


def _abandoned(job: Job, terms: LeaseTerms) -> Iterator[int]:
    now = clock.now()
    held = Batch.objects.filter(state=job.working).order_by("lease_expires_at")
    for batch in held.only("lease_token", "lease_expires_at"):
        if _is_abandoned(batch, terms, now):
            yield batch.pk


def _is_abandoned(batch: Batch, terms: LeaseTerms, now: datetime) -> bool:
    expires_at = batch.lease_expires_at
    if expires_at is None or is_known_dead(batch.lease_token):
        return True
    return not now < expires_at <= terms.latest_expiry(now)


class Observer:
    """Who hears of progress, and says when to stop; this one neither listens nor speaks."""

    def must_stop(self) -> bool:
        """Whether the work is to be put down."""
        return False

    def did(self, images: int, bytes_: int) -> None:
        """So much more is done."""


NOBODY = Observer()


def claim(pk: int, job: Job, terms: LeaseTerms, observer: Observer = NOBODY) -> Lease | None:
    """A lease on the batch, or None where another was faster or there is nothing to claim.

    The claim counts as an attempt: a batch that kills its workers must not do so for ever. `Lease.is_overtried` says
    when it is enough.
    """
    batch = Batch.objects.filter(pk=pk).first()
    return claim_this(batch, job, terms, observer) if batch else None


def claim_this(batch: Batch, job: Job, terms: LeaseTerms, observer: Observer = NOBODY) -> Lease | None:
    """The same, of a batch as it was read; None where it has changed since."""
    now = clock.now()
    if pauses.holds(job, batch.project) or not _is_at_hand(batch, job, terms):
        return None
    if batch.state == job.waiting and not clock.soon() < batch.not_before <= terms.latest_start(job, now):
        return _take(batch, job, terms, observer)
    if batch.state == job.working and _is_abandoned(batch, terms, now):
        return _take_over(batch, job, terms, observer)
    return None


def claim_oldest(job: Job, terms: LeaseTerms, observer: Observer = NOBODY) -> Lease | None:
    """A lease on the batch that has waited longest of those that may be claimed."""
    if pauses.holds(job):
        return None
    now = clock.now()
    values = {"state": job.working, "changed_at": now, "waits_for": "", **_claim_of(job, terms)}
    with transaction.atomic():
        batch = _taken(job, terms, now, values)
        if batch is None:
            return None
        history.record("batch.claimed", batch.pk, state=job.working, attempt=batch.attempts)
    return Lease(batch, job, terms, observer)


def _taken(job: Job, terms: LeaseTerms, now: datetime, values: dict[str, Any]) -> Batch | None:
    """The batch that has waited longest, of the first project in turn that has one."""
    here = terms.hosts(job)
    for projects in terms.turns.rounds(job) if terms.turns else ([""],):
        for due, moment in (("<=", clock.soon()), (">", terms.latest_start(job, now))):
            for project in projects:
                if batch := Batch.objects.take_oldest(job.waiting, due, moment, here, project, **values):
                    return batch
    return None


def claim_abandoned(job: Job, terms: LeaseTerms, observer: Observer = NOBODY) -> Lease | None:
    """A lease on a batch whose worker is dead or has let its lease lapse."""
    leases = (claim(pk, job, terms, observer) for pk in _abandoned(job, terms))
    return next(filter(None, leases), None)


def claim_of_gone_host(job: Job, terms: LeaseTerms, observer: Observer = NOBODY) -> Lease | None:
    """A lease on a batch whose archive a host has that is gone, so that it is made again."""
    if not terms.hosts(job):
        return None
    others = [host for host in hosts.gone(terms.host_gone_seconds) if host != terms.host]
    waiting = Batch.objects.filter(terms.is_due(job), state=job.waiting, host__in=others) if others else ()
    leases = (claim_this(batch, job, terms, observer) for batch in waiting[:CHUNK])
    return next(filter(None, leases), None)


def _is_at_hand(batch: Batch, job: Job, terms: LeaseTerms) -> bool:
    """Whether this host has what the job needs: the archive, or, of a host that is gone, the originals."""
    here = terms.hosts(job)
    if not here or batch.host in here:
        return True
    if batch.host not in hosts.gone(terms.host_gone_seconds):
        return False
    kept = BatchIdentifiers.objects.filter(batch=batch.pk).only("folder").first()
    return kept is not None and os.path.isdir(kept.path.reveal())


def claim_one_of(keys: Sequence[int], job: Job, terms: LeaseTerms, observer: Observer = NOBODY) -> Lease | None:
    """A lease on one of these batches, if any of them may be claimed."""
    for start in range(0, len(keys), CHUNK):
        some = Batch.objects.filter(pk__in=keys[start : start + CHUNK], state__in=(job.waiting, job.working))
        for batch in some:
            if lease := claim_this(batch, job, terms, observer):
                return lease
    return None


def _claim_of(job: Job, terms: LeaseTerms) -> dict[str, Any]:
    """What a claim of a waiting batch writes into the row."""
    return _lease(terms) | ({"started_at": timezone.now()} if job is Job.PROCESS else {})


def _lease(terms: LeaseTerms) -> dict[str, Any]:
    """A lease of this process, from now on."""
    return {
        "lease_token": new_token(),
        "lease_expires_at": clock.now() + timedelta(seconds=terms.lease_seconds),
    }


def _take(batch: Batch, job: Job, terms: LeaseTerms, observer: Observer) -> Lease | None:
    with transaction.atomic():
        if not batch.move(job.working, waits_for="", attempts=batch.attempts + 1, **_claim_of(job, terms)):
            return None
        history.record("batch.claimed", batch.pk, state=job.working, attempt=batch.attempts)
    return Lease(batch, job, terms, observer)


def _take_over(batch: Batch, job: Job, terms: LeaseTerms, observer: Observer) -> Lease | None:
    """The old token and its moment still stand, or the holder has renewed it and lives."""
    unchanged = {
        "id": batch.pk,
        "state": job.working,
        "lease_token": batch.lease_token,
        "lease_expires_at": batch.lease_expires_at,
    }
    values = {"attempts": batch.attempts + 1, **_lease(terms)}
    with transaction.atomic():
        if statements.update(Batch, values, unchanged) != 1:
            return None
        history.record("batch.taken_over", batch.pk, state=job.working, attempt=values["attempts"])
    for name, value in values.items():
        setattr(batch, name, value)
    return Lease(batch, job, terms, observer)


def _nothing() -> None:
    """What is asked beside what every check asks."""


class Lease:
    """The right to work on a batch; a context manager, in which it is renewed as long as there is progress."""

    def __init__(self, batch: Batch, job: Job, terms: LeaseTerms, observer: Observer) -> None:
        self.batch, self.job, self.terms = batch, job, terms
        self._taken = {name: getattr(batch, name) for name in ("state", "lease_token", "attempts", "postponements")}
        self._observer = observer
        self._ask: Callable[[], None] = _nothing
        self._lost = False
        self._progress_at = self.renewed_at = time.monotonic()

    def __enter__(self) -> Lease:
        KEEPER.keep(self)
        return self

    def __exit__(self, *_: object) -> None:
        KEEPER.let_go(self)

    @property
    def lease_seconds(self) -> float:
        """How long it lasts without a renewal."""
        return self.terms.lease_seconds

    @property
    def is_overtried(self) -> bool:
        """Whether the batch was taken up too often without an end."""
        return self.batch.attempts > self.terms.max_attempts

    def check(self) -> None:
        """Go on? Raises LeaseLost or Stopped; called wherever work can end without harm."""
        self._progress_at = time.monotonic()
        if self._lost:
            raise LeaseLost
        if self.must_stop():
            raise Stopped
        self._ask()

    def also_ask(self, ask: Callable[[], None]) -> None:
        """Call this now, and with every check from now on: it raises where the work may not go on."""
        self._ask = ask
        ask()

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
        self._ask = _nothing
        for name, value in self._taken.items():
            setattr(self.batch, name, value)

    def release(self, **results: Any) -> None:
        """Give the batch back as if it had not been taken."""
        results.setdefault("attempts", self.batch.attempts - 1)
        self.finish(self.job.waiting, **results)

    def postpone(self, code: str) -> float:
        """Give the batch back for a while, longer each time; returns the seconds."""
        seconds = delay_seconds(self.batch.postponements)
        self.release(
            waits_for=code,
            postponements=min(self.batch.postponements + 1, MOST_POSTPONEMENTS),
            not_before=clock.now() + timedelta(seconds=seconds),
        )
        return seconds

    def wait(self, cause: DeliveriesWait) -> float:
        """Give the batch back until a destination is tried again; returns the seconds."""
        until = cause.until or clock.now()
        self.release(waits_for=cause.code, postponements=cause.postponements, not_before=until)
        return max(0.0, round((until - clock.now()).total_seconds(), 1))

    def renew(self) -> None:
        """Extend the lease, in the keeper's thread, unless the worker makes no progress any more."""
        self.renewed_at = time.monotonic()
        if self.renewed_at - self._progress_at >= STALL_SECONDS:
            return
        try:
            expires_at = clock.now() + timedelta(seconds=self.terms.lease_seconds)
            renewed = self._mine().update(lease_expires_at=expires_at)
            hosts.beat(self.terms.host)
        except AWAY:  # or busy: the next time decides
            return
        if renewed != 1:
            self._lost = True

    def _mine(self) -> QuerySet[Batch]:
        return Batch.objects.filter(pk=self.batch.pk, state=self.job.working, lease_token=self.batch.lease_token)
