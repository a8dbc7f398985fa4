"""One attempt at one batch: claim it, do the work, and decide by the kind of error whose move is next.

The one place that catches everything: whatever goes wrong, the batch ends up in a state, and no message of a foreign
exception, which may quote a value, is stored or logged.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

from django.db import transaction

from sendit.errors import BrokenPromise, DataFault, SenditError, ServiceDown, place_of
from sendit.ground import database, events
from sendit.ground.database import AWAY
from sendit.pipeline.intake.folders import FolderChanged
from sendit.pipeline.record import clock, deliveries, history, project_bindings
from sendit.pipeline.record.deliveries import DeliveriesWait
from sendit.pipeline.record.hosts import MadeElsewhere
from sendit.pipeline.record.leases import (
    FIRST_DELAY_SECONDS,
    NOBODY,
    Lease,
    LeaseLost,
    LeaseTerms,
    Observer,
    Stopped,
    claim,
)
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import Job
from sendit.pipeline.record.studies import StudyWithdrawn
from sendit.pipeline.stages import delivering, processing
from sendit.pipeline.stages.outbox import Outbox
from sendit.pipeline.stages.work import Work
from sendit.projects.composition import Ports, Projects

PAUSE_SECONDS = 0.5
"""How often a database that is away is asked whether it is back."""

RUN: dict[Job, Callable[[Work, Ports], None]] = {Job.PROCESS: processing.process, Job.DELIVER: delivering.deliver}
WITHDRAW: dict[Job, Callable[[Work, Ports], None]] = {
    Job.PROCESS: processing.withdraw,
    Job.DELIVER: delivering.withdraw,
}
FAIL: dict[Job, Callable[..., None]] = {Job.PROCESS: processing.fail, Job.DELIVER: delivering.fail}


def attempt(pk: int, job: Job, projects: Projects, observer: Observer = NOBODY) -> Batch | None:
    """Do the job for one batch, if it can be claimed; returns the batch as it is left, None where it was not ours.

    Raises
    ------
    OperationalError
        The database itself was away or full for longer than the lease.
    """
    lease = claim(pk, job, LeaseTerms.of(projects.site), observer)
    return run(lease, projects) if lease else None


def run(lease: Lease, projects: Projects) -> Batch | None:
    """Do the lease's job for its batch; returns the batch as it is left, None where the lease was lost.

    Raises
    ------
    OperationalError
        As `attempt`.
    """
    with lease, closing(Work(lease, Outbox(projects.site.outbox_folder))) as work:
        try:
            _try_while_it_answers(work, lease.job, projects)
        except LeaseLost:
            events.log("batch.lease_lost", lease.batch.pk, state=lease.job.working)
            return None
    return lease.batch


def _try_while_it_answers(work: Work, job: Job, projects: Projects) -> None:
    try:
        _try(work, job, projects)
    except AWAY:
        _give_back_when_it_answers(work, job)


def _try(work: Work, job: Job, projects: Projects) -> None:
    try:
        if work.lease.is_overtried:
            raise DataFault("TooManyAttempts")
        RUN[job](work, _ports(work, job, projects))
    except AWAY:
        raise
    except StudyWithdrawn:
        work.lease.recall()
        _withdraw(work, job, projects)
    except (LeaseLost, Stopped, FolderChanged, MadeElsewhere, DeliveriesWait, ServiceDown) as cause:
        _give_back(work, job, cause)
    except SenditError as error:
        work.lease.recall()
        FAIL[job](work, error, **({"subject": error.subject} if error.subject else {}))
    except Exception as error:  # noqa: BLE001 - the one place that catches everything
        work.lease.recall()
        FAIL[job](work, BrokenPromise("UnexpectedFailure"), failure=type(error).__name__, place=place_of(error))


def _ports(work: Work, job: Job, projects: Projects) -> Ports:
    """What the batch's project works with; what makes pseudonyms is refused where they would be others than before."""
    ports = projects.of(work.batch.project)
    if job is Job.PROCESS:
        project_bindings.ensure_bound(ports, projects)
    return ports


def _withdraw(work: Work, job: Job, projects: Projects) -> None:
    """The study is out; where what was delivered of it cannot be removed now, it is tried again later."""
    try:
        WITHDRAW[job](work, projects.of(work.batch.project))
    except (LeaseLost, Stopped, ServiceDown) as cause:
        if work.batch.state == job.working:
            _give_back(work, job, cause)
    except SenditError as error:
        if work.batch.state == job.working:
            FAIL[job](work, error)


def _give_back(work: Work, job: Job, cause: Exception) -> None:
    """What may pass by itself: the batch waits, and is taken up again."""
    if isinstance(cause, LeaseLost):
        raise cause
    if isinstance(cause, FolderChanged):
        _queue_again(work, job)
    elif isinstance(cause, MadeElsewhere):
        _make_again(work, job)
    elif isinstance(cause, Stopped):
        _record_release(work, job, "stopped", work.lease.release)
    elif isinstance(cause, DeliveriesWait):
        _release_until(work, job, cause)
    elif isinstance(cause, ServiceDown):
        _postpone(work, job, cause.code)


def _release_until(work: Work, job: Job, cause: DeliveriesWait) -> None:
    """Each destination that was tried has counted that itself."""
    with transaction.atomic():
        seconds = work.lease.wait(cause)
        history.record("batch.released", work.batch.pk, state=job.working, reason=cause.code, seconds=seconds)


def _postpone(work: Work, job: Job, code: str) -> None:
    _record_release(work, job, code, lambda: work.lease.postpone(code))


def _give_back_when_it_answers(work: Work, job: Job) -> None:
    """The database was away: whether what it did last stands, the row's token will tell, once it can be read."""
    ends_at = time.monotonic() + work.lease.terms.lease_seconds
    while True:
        try:
            database.reconnect()
            work.lease.recall()
            _postpone(work, job, "DatabaseDown")
            return
        except AWAY:
            if time.monotonic() > ends_at or work.lease.must_stop():
                raise
            time.sleep(PAUSE_SECONDS)


def _record_release(work: Work, job: Job, reason: str, release: Callable[[], float | None]) -> None:
    with transaction.atomic():
        delay_seconds = release() or 0
        _count_attempt(work, job)
        history.record("batch.released", work.batch.pk, state=job.working, reason=reason, seconds=delay_seconds)


def _count_attempt(work: Work, job: Job) -> None:
    """A delivery that did not come to its end may have left something at its destination."""
    if job is Job.DELIVER:
        deliveries.count_attempt(work.batch.pk)


def _make_again(work: Work, job: Job) -> None:
    """The host that has the archive is gone: the batch is queued, to be made to the same bytes."""
    host = work.batch.host
    with transaction.atomic():
        work.lease.release(attempts=0)
        _count_attempt(work, job)
        history.record("batch.host_gone", work.batch.pk, state=job.working, host=host)
        if not work.batch.move(Job.PROCESS.waiting, not_before=clock.now(), host=""):
            raise LeaseLost


def _queue_again(work: Work, job: Job) -> None:
    """The folder was written to: what was made of it is void. Too often, and a person must look."""
    changes = work.batch.folder_changes + 1
    if changes >= work.lease.terms.max_attempts:
        FAIL[job](work, DataFault("FolderKeepsChanging", count=changes))
        return
    delay = timedelta(seconds=FIRST_DELAY_SECONDS)
    with transaction.atomic():
        work.lease.release(attempts=0)
        _count_attempt(work, job)
        history.record("batch.folder_changed", work.batch.pk, state=job.working, changes=changes)
        terms = {"folder_changes": changes, "not_before": clock.now() + delay}
        if job is Job.PROCESS:
            Batch.objects.filter(pk=work.batch.pk, state=Job.PROCESS.waiting).update(**terms)
        elif not work.batch.move(Job.PROCESS.waiting, **terms):
            raise LeaseLost
