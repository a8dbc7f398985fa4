"""The doorbells of Celery's workers, a queue for each job: a message says that there may be work, and nothing else.

What there is to do is in the database alone. A ring that is lost is made up for by the next one, which beat rings
within a second. A queue in which a ring waits is not rung again: whoever reads it works until nothing is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import redis
from django.conf import settings
from kombu.exceptions import OperationalError as TransportError

from sendit.errors import Misconfigured, ServiceDown
from sendit.pipeline.record.states import Job

QUEUES = {Job.PROCESS: "process", Job.DELIVER: "deliver"}


def ring(job: Job) -> None:
    """Wake a worker that does this job.

    Raises
    ------
    ServiceDown
        `BrokerDown`: everything waits in the database.
    """
    if not is_rung(QUEUES[job]):
        with broker():
            _send(QUEUES[job])


def is_rung(queue: str) -> bool:
    """Whether a ring waits that no worker has heard yet. Raises ServiceDown."""
    with broker() as client:
        return bool(client.llen(queue))


def rings() -> dict[str, int]:
    """How many messages wait in the broker, by queue; ServiceDown where it does not answer."""
    with broker() as client:
        return {queue: int(client.llen(queue)) for queue in QUEUES.values()}


@contextmanager
def broker() -> Iterator[redis.Redis]:
    """A connection to the broker; whatever it says no with is ServiceDown."""
    try:
        yield _client(settings.SITE.broker)
    except (redis.RedisError, TransportError):
        raise ServiceDown("BrokerDown") from None


@cache
def _client(url: str) -> redis.Redis:
    try:
        return redis.Redis.from_url(url, socket_timeout=4, socket_connect_timeout=4, health_check_interval=10)
    except ValueError:
        raise Misconfigured("BadSetting", subject="SENDIT_BROKER: redis://host/number or rediss://") from None


def _send(queue: str) -> None:
    from sendit.celery import app  # a command that only asks the broker needs no Celery

    with app.producer_pool.acquire(block=True, timeout=4) as producer:
        app.send_task("sendit.work", queue=queue, producer=producer, ignore_result=True)


class Doorbells:
    """What a `Supervisor` is to local workers; Celery's are looked after elsewhere."""

    def __init__(self, jobs: tuple[Job, ...]) -> None:
        self._jobs = jobs

    def __enter__(self) -> Doorbells:
        return self

    def __exit__(self, *_: object) -> None:
        """Others go on."""

    def is_working(self) -> bool:
        """As far as is known here."""
        return True

    def wake(self) -> None:
        """Ring for all jobs. Raises ServiceDown."""
        for job in self._jobs:
            ring(job)
