"""A worker: claims a batch, works on it, and claims again until nothing is left that may be claimed or it is to stop.

The database's rows are its only orders. Local processes and Celery's tasks are workers alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from django.db import connections

from sendit import parquet
from sendit.errors import SenditError
from sendit.ground import database, events
from sendit.pipeline.record import hosts
from sendit.pipeline.record.leases import (
    Lease,
    LeaseTerms,
    Observer,
    claim_abandoned,
    claim_of_gone_host,
    claim_oldest,
    claim_this,
)
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import Job
from sendit.pipeline.stages.outbox import Outbox
from sendit.pipeline.stages.removing import clear_all_withdrawn
from sendit.pipeline.workforce.runner import run
from sendit.projects.composition import Projects

LOOK_SECONDS = 1.0
"""A look that found nothing is repeated after so long; before that, only when nothing else is found either."""

PAUSE_SECONDS = 0.5
"""How often a database that is away is asked whether it is back."""

Way = Callable[[Job, LeaseTerms, Observer], Lease | None]
"""How a batch is claimed."""

WAYS: tuple[Way, ...] = (claim_abandoned, claim_oldest, claim_of_gone_host)
"""A batch of a dead worker has waited longer than any other; one of a host that is gone costs most."""


def warm_up(projects: Projects) -> None:
    """Load what a first batch would wait for, before its lease begins; what is wrong is said by that batch."""
    for load in (lambda: projects.default.recipe, lambda: projects.default.identity_service):
        with suppress(SenditError, OSError):
            load()
    parquet.load()


class Worker(Observer):
    """Works as long as there is work.

    Parameters
    ----------
    projects : Projects
    jobs : sequence of Job
        What it claims batches for, the first job first.
    has_to_stop : callable
        Whether anybody asked it to stop.
    on_claim, on_left : callable
        Called after the first claim of `work`, for there may be more to claim; and with each batch as it is left.
    """

    def __init__(
        self,
        projects: Projects,
        jobs: Sequence[Job],
        has_to_stop: Callable[[], bool],
        on_claim: Callable[[], None] = lambda: None,
        on_left: Callable[[Batch], None] = lambda batch: None,
    ) -> None:
        self._projects, self._terms = projects, LeaseTerms.of_all(projects)
        self._jobs, self._has_to_stop, self._on_claim, self._on_left = jobs, has_to_stop, on_claim, on_left
        self._look_at = dict.fromkeys([(way, job) for way in WAYS for job in jobs], 0.0)
        self._is_blind, self._cleared_at = False, -float(hosts.BEAT_SECONDS)

    def must_stop(self) -> bool:
        """Whether the work is to be put down."""
        return self._has_to_stop()

    def work(self) -> None:
        """Claim and work until nothing is left, or it is to stop. While the database is away, wait for it.

        Afterwards no connection is held: one that a restart of the server broke meanwhile would be found out at work.
        """
        while not self.must_stop():
            try:
                self._work_off()
                self._see(True)
                break
            except database.AWAY:
                self._see(False)
                database.reconnect()
                time.sleep(PAUSE_SECONDS)
        connections.close_all()

    def _work_off(self) -> None:
        hosts.beat(self._terms.host)
        self._clear_outbox()
        lease = self._next()
        if lease:
            self._on_claim()
        while lease:
            self._see(True)
            left = run(lease, self._projects)
            if left:
                self._on_left(left)
            self._clear_outbox()
            lease = None if self.must_stop() else self._delivery_of(left, lease.job) or self._next()

    def _next(self) -> Lease | None:
        """A lease on any batch that may be claimed; what had nothing a moment ago is asked last."""
        now = time.monotonic()
        for way, job in sorted(self._look_at, key=lambda look: self._look_at[look] > now):
            lease = self.claim(way, job)
            self._look_at[way, job] = 0.0 if lease else now + LOOK_SECONDS
            if lease:
                return lease
        return None

    def _clear_outbox(self) -> None:
        """Remove, once a minute, what this host still has of studies that were withdrawn on another one."""
        now = time.monotonic()
        if now - self._cleared_at >= hosts.BEAT_SECONDS:
            clear_all_withdrawn(Outbox(self._projects.site.outbox_folder), self._terms.host)
            self._cleared_at = now

    def claim(self, way: Way, job: Job) -> Lease | None:
        """A lease on a batch, in one of the ways."""
        return way(job, self._terms, self)

    def _delivery_of(self, left: Batch | None, done: Job) -> Lease | None:
        """A worker that delivers goes on with the batch that it has just processed."""
        if done is Job.PROCESS and left and left.state == Job.DELIVER.waiting and Job.DELIVER in self._jobs:
            return claim_this(left, Job.DELIVER, self._terms, self)
        return None

    def _see(self, is_well: bool) -> None:
        """Say in the log when the database goes away, and when it is back."""
        if is_well == self._is_blind:
            self._is_blind = not is_well
            events.log("worker.sees" if is_well else "worker.blind", code="DatabaseDown")
