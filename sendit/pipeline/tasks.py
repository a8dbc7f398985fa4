"""Celery's tasks: a batch's primary key in, nothing out; and what a Celery worker needs of Django and the database.

A worker that is asked to end, or whose parent is no more, puts its batches back at once.
"""

from __future__ import annotations

import gc
import logging
import mmap
import os
import time
from contextlib import suppress
from typing import Any

from celery import Task, signals
from django.conf import settings
from django.db import connections

from sendit.celery import app
from sendit.errors import ServiceDown
from sendit.pipeline import database, dispatch, events, logs, worker, workforce
from sendit.pipeline.leases import Job, Observer
from sendit.pipeline.models import Batch
from sendit.pipeline.runner import attempt
from sendit.pipeline.states import State

PAUSE_SECONDS = 0.5
"""How often a database that is away is asked whether it is back."""


@app.task(name="sendit.process")
def process(batch: int) -> None:
    """Process one batch, if it can be claimed."""
    _do(batch, Job.PROCESS)


@app.task(name="sendit.deliver")
def deliver(batch: int) -> None:
    """Deliver one batch, if it can be claimed."""
    _do(batch, Job.DELIVER)


@app.task(name="sendit.dispatch")
def send(queue: str) -> None:
    """Send what is in the database and has no message under way: lost ones, and the batches of dead workers."""
    (job,) = (job for job, name in dispatch.QUEUES.items() if name == queue)
    with suppress(ServiceDown, *database.AWAY):  # the next one comes in a second
        database.reconnect()
        if job in workforce.jobs():
            dispatch.dispatch(job)
    connections.close_all()


TASKS: dict[Job, Task[[int], None]] = {Job.PROCESS: process, Job.DELIVER: deliver}


def _do(batch: int, job: Job) -> None:
    """While the database is away, nothing else can be done either, so the message is kept until it is back."""
    is_blind = False
    with suppress(ServiceDown):  # without the broker its mark lapses by itself
        dispatch.begun(job, batch)
    while not SHUTDOWN.must_stop():
        try:
            database.reconnect()
            _pass_on(attempt(batch, job, SHUTDOWN))
            break
        except database.AWAY:
            if not is_blind:
                events.log("worker.blind", code="DatabaseDown")
            is_blind = True
            time.sleep(PAUSE_SECONDS)
    if is_blind:
        events.log("worker.sees", code="DatabaseDown")
    connections.close_all()


def _pass_on(left: Batch | None) -> None:
    """A batch that was processed is delivered next: at once, rather than when somebody looks."""
    if left and left.state == State.DONEPROCESSING and Job.DELIVER in workforce.jobs():
        with suppress(ServiceDown):
            dispatch.send(Job.DELIVER, left.pk)


class Shutdown(Observer):
    """Whether a worker was asked to end: said by its first process, heard by all that it forks."""

    def __init__(self) -> None:
        self._said = mmap.mmap(-1, 1)
        self._parent = 0

    def say(self, **_: Any) -> None:
        """Ask."""
        self._said[0] = 1

    def remember_parent(self) -> None:
        """In a forked process: whose end is a reason to stop."""
        self._parent = os.getppid()

    def must_stop(self) -> bool:
        """Whether anybody asked, or nobody is left to ask."""
        return self._said[0] == 1 or (self._parent != 0 and os.getppid() != self._parent)


SHUTDOWN = Shutdown()


# ------------------------------------------------------------------------------------------ a worker's life


@signals.setup_logging.connect
def _speak(**_: Any) -> None:
    """Our events go to standard error; of Celery's own messages, which may quote, only that there was one."""
    logs.speak(settings.LOG_FORMAT)
    consumer = logging.getLogger("celery.worker.consumer")
    consumer.handlers, consumer.propagate = [BrokerHandler()], False
    consumer.setLevel(logging.INFO)


class BrokerHandler(logging.Handler):
    """Hears of Celery's consumer whether it has its broker."""

    def __init__(self) -> None:
        super().__init__()
        self._is_blind = False

    def emit(self, record: logging.LogRecord) -> None:
        """Say when it begins and when it is over."""
        if record.levelno >= logging.WARNING and "onnect" in str(record.msg):
            if not self._is_blind:
                events.log("worker.blind", code="BrokerDown")
            self._is_blind = True
        elif str(record.msg).startswith("Connected to") and self._is_blind:
            events.log("worker.sees", code="BrokerDown")
            self._is_blind = False


@signals.worker_init.connect
def _wait_for_database(**_: Any) -> None:
    """Before any process is forked; and what is forked inherits no connection."""
    database.ready_or_exit("worker.blind", "worker.sees")
    database.disconnect()


@signals.worker_process_init.connect
def _be_ready(**_: Any) -> None:
    SHUTDOWN.remember_parent()
    worker.warm_up()
    gc.collect()
    gc.freeze()  # what is there by now stays: it is not looked through again with every batch


@signals.worker_ready.connect
def _say_started(**_: Any) -> None:
    events.log("worker.started", pid=os.getpid())


signals.worker_shutting_down.connect(SHUTDOWN.say)


@signals.worker_shutdown.connect
def _say_stopped(**_: Any) -> None:
    events.log("worker.stopped", pid=os.getpid())
