"""Messages for Celery: for each of the oldest batches that may be claimed, one that is under way, and no more.

How many wait in the broker is bounded, whatever waits in the database, so a broker is never full of our own messages.
That a message is under way is remembered in the broker too, so both are lost together, and the batch is sent again at
once; of a message that a dead worker took along the mark lapses, as a lease does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import TracebackType

import redis
from django.conf import settings
from kombu.exceptions import OperationalError as TransportError

from sendit.errors import Misconfigured, ServiceDown
from sendit.pipeline.leases import Job, claimable

AHEAD = 200
"""So many messages wait in the broker for each job, at most; workers on several hosts read a few tens a second."""

QUEUES = {Job.PROCESS: "process", Job.DELIVER: "deliver"}


def dispatch(job: Job) -> int:
    """Send what is to be sent, once half of what may wait has gone; returns the number of messages.

    Raises
    ------
    ServiceDown
        `BrokerDown`: everything waits in the database.
    """
    with broker() as client:
        room = AHEAD - int(client.llen(QUEUES[job]))
        if room < AHEAD // 2:  # enough for now
            return 0
        fresh = _mark(client, job, _unmarked(client, job, claimable(job, AHEAD))[:room])
        _send(job, fresh)
    return len(fresh)


def send(job: Job, batch: int) -> None:
    """Send one batch now, if there is room; else its turn comes. Raises ServiceDown."""
    with broker() as client:
        with client.pipeline(transaction=False) as pipeline:
            pipeline.llen(QUEUES[job])
            pipeline.set(_mark_of(job, batch), 1, nx=True, ex=settings.LEASE_SECONDS)
            waiting, is_new = pipeline.execute()
        if is_new and waiting < AHEAD:
            _send(job, [batch])
        elif is_new:
            client.delete(_mark_of(job, batch))


def begun(job: Job, batch: int) -> None:
    """Its message was read: from now on the batch's row alone says whether it needs another."""
    with broker() as client:
        client.delete(_mark_of(job, batch))


def depths() -> dict[str, int]:
    """How many messages wait in the broker, by queue; ServiceDown where it does not answer."""
    with broker() as client:
        return {queue: int(client.llen(queue)) for queue in QUEUES.values()}


@contextmanager
def broker() -> Iterator[redis.Redis]:
    """A connection to the broker; whatever it says no with is ServiceDown."""
    try:
        yield _client(settings.BROKER)
    except (redis.RedisError, TransportError):
        raise ServiceDown("BrokerDown") from None


@cache
def _client(url: str) -> redis.Redis:
    try:
        return redis.Redis.from_url(url, socket_timeout=4, socket_connect_timeout=4, health_check_interval=10)
    except ValueError:
        raise Misconfigured("BadSetting", subject="SENDIT_BROKER: redis://host/number or rediss://") from None


def _unmarked(client: redis.Redis, job: Job, batches: list[int]) -> list[int]:
    marks = client.mget([_mark_of(job, batch) for batch in batches]) if batches else []
    return [batch for batch, mark in zip(batches, marks, strict=True) if mark is None]


def _mark(client: redis.Redis, job: Job, batches: list[int]) -> list[int]:
    """Of the batches those that had no mark; they have one now, and no other process gets them too."""
    with client.pipeline(transaction=False) as pipeline:
        for batch in batches:
            pipeline.set(_mark_of(job, batch), 1, nx=True, ex=settings.LEASE_SECONDS)
        return [batch for batch, is_new in zip(batches, pipeline.execute(), strict=True) if is_new]


def _mark_of(job: Job, batch: int) -> str:
    return f"sendit:sent:{QUEUES[job]}:{batch}"


def _send(job: Job, batches: list[int]) -> None:
    """A batch whose message was refused keeps its mark until that lapses."""
    from sendit.celery import app  # a command that only asks the broker needs no Celery
    from sendit.pipeline.tasks import TASKS

    with app.producer_pool.acquire(block=True, timeout=4) as producer:
        for batch in batches:
            TASKS[job].apply_async((batch,), producer=producer)


class Dispatcher:
    """What a `Pool` is to local processes: gives the batches of some jobs to Celery's, whenever it is asked to.

    Its own hands are always free.
    """

    is_busy = False

    def __init__(self, jobs: tuple[Job, ...]) -> None:
        self._jobs = jobs

    def __enter__(self) -> Dispatcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Others go on."""

    def warm_up(self) -> None:
        """Celery's workers are up, or are not."""

    def tick(self, timeout_seconds: float) -> bool:
        """Send; whether anything was sent."""
        return sum([dispatch(job) for job in self._jobs]) > 0
