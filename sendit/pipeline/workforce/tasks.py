"""Celery's one task, and the life of the worker that runs it: what it needs of Django, the database and the broker.

A worker that is asked to end, or whose parent is no more, puts its batches back at once.
"""

from __future__ import annotations

import gc
import os
from contextlib import suppress
from functools import cache
from typing import Any

from celery import bootsteps, signals
from django.conf import settings

from sendit.celery import app
from sendit.errors import ServiceDown
from sendit.ground import database, events, logs
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import Job
from sendit.pipeline.workforce import choice, doorbell
from sendit.pipeline.workforce.lifeline import Lifeline
from sendit.pipeline.workforce.worker import Worker, warm_up
from sendit.projects.composition import Projects

PROJECTS = Projects(settings.SITE)

LIFELINE = Lifeline()
"""Held by a worker's first process, heard by those that it forks."""


@app.task(name="sendit.work")
def work() -> None:
    """Claim and work until nothing is left."""
    Worker(PROJECTS, jobs(), LIFELINE.has_ended, _ring_again, _pass_on).work()


def jobs() -> tuple[Job, ...]:
    """What this worker does: the jobs whose doorbells it hears."""
    heard = app.amqp.queues.consume_from
    return tuple(job for job in choice.jobs() if doorbell.QUEUES[job] in heard)


def _ring_again() -> None:
    """There was something to claim, so there may be more: the next process looks, too."""
    with suppress(ServiceDown):
        for job in jobs():
            doorbell.ring(job)


def _pass_on(left: Batch) -> None:
    """A batch that was processed is delivered next: here, or by those whose doorbell that is."""
    if left.state == Job.DELIVER.waiting and Job.DELIVER in choice.jobs() and Job.DELIVER not in jobs():
        with suppress(ServiceDown):
            doorbell.ring(Job.DELIVER)


# ------------------------------------------------------------------------------------------ a worker's life


@signals.setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    """Celery need not."""
    _speak()


@cache
def _speak() -> None:
    """Our events go to standard error; Celery's own messages, which may quote, nowhere."""
    logs.speak(settings.SITE.log_format)


@signals.worker_init.connect
def _wait_for_database(**_: Any) -> None:
    """Before any process is forked; and what is forked inherits no connection."""
    _speak()
    database.ready_or_exit("worker.blind", "worker.sees")
    database.disconnect()
    BrokerInSight.look()


@signals.beat_embedded_init.connect
def _hold_nothing(**_: Any) -> None:
    """Beat, where it lives in a worker, is forked too, and would keep the lifeline from ending."""
    LIFELINE.let_go()


@signals.worker_process_init.connect
def _be_ready(**_: Any) -> None:
    LIFELINE.let_go()
    warm_up(PROJECTS)
    gc.collect()
    gc.freeze()  # what is there by now stays: it is not looked through again with every batch


class BrokerInSight(bootsteps.StartStopStep):  # type: ignore[misc]
    """Says in the log when a worker's connection to the broker is lost, and when it is there again."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    is_blind = False

    @classmethod
    def look(cls) -> None:
        """Before there is a connection, which the consumer waits for as long as it takes."""
        try:
            doorbell.rings()
        except ServiceDown:
            cls._say(True)

    def start(self, parent: Any) -> None:
        """Celery's consumer has its connection."""
        self._say(False)

    def stop(self, parent: Any) -> None:
        """It has lost it, unless the worker is about to end."""
        if LIFELINE.is_held:
            self._say(True)

    @classmethod
    def _say(cls, is_blind: bool) -> None:
        if is_blind != cls.is_blind:
            cls.is_blind = is_blind
            events.log("worker.blind" if is_blind else "worker.sees", code="BrokerDown")


app.steps["consumer"].add(BrokerInSight)


@signals.worker_ready.connect
def _say_started(**_: Any) -> None:
    events.log("worker.started", pid=os.getpid())


@signals.worker_shutting_down.connect
def _say_stop(**_: Any) -> None:
    LIFELINE.let_go()


@signals.worker_shutdown.connect
def _say_stopped(**_: Any) -> None:
    events.log("worker.stopped", pid=os.getpid())
