"""The nursery: a process with everything imported and nothing open, from which workers are forked in milliseconds.

It has one thread and no connection, so what it forks is as good as a process of its own. It replaces a worker that
died, or that ended though there is still something to wait for. All that it has of its supervisor are open files: the
lifeline, the pipe for events, the call's shared file, and, where the workers stay and wait, their bell.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType, TracebackType

from sendit.errors import place_of
from sendit.ground import events, logs
from sendit.pipeline.record.leases import Lease, claim_one_of
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import Job
from sendit.pipeline.workforce.bell import MANY_RINGS, Bell
from sendit.pipeline.workforce.call import Call
from sendit.pipeline.workforce.lifeline import Lifeline
from sendit.pipeline.workforce.supervisor import WORKERS_DIE
from sendit.pipeline.workforce.worker import Way, Worker, warm_up
from sendit.projects.composition import Projects

IDLE_SECONDS = 10.0
"""A worker that nobody rings for looks for work all the same, so often."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a nursery is started with."""

    projects: Projects
    workers: int
    jobs: tuple[Job, ...]
    call: Call
    bell: Bell | None = None
    """Where workers that have nothing to do wait; without it they end."""


class Nursery:
    """Keeps so many workers alive until its supervisor lets go of the lifeline, or they have nothing left to do."""

    def __init__(self, orders: Orders, supervisor: Lifeline) -> None:
        self._orders, self._supervisor = orders, supervisor
        self._lifeline = Lifeline()
        self._workers: dict[int, int] = {}
        self._deaths, self._done = 0, 0
        self._heard, self._woken = os.pipe()

    def run(self) -> int:
        """Fork workers and replace them; returns the exit code."""
        os.set_blocking(self._woken, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, self._kill_all)
        signal.set_wakeup_fd(self._woken)
        for number in range(1, self._orders.workers + 1):
            self._fork(number)
        while self._workers:
            if self._supervisor.has_ended():  # also where that was before it was listened for
                self._lifeline.let_go()
            ready, _, _ = select.select([self._heard, *self._ears()], [], [])
            if self._heard in ready:
                os.read(self._heard, MANY_RINGS)
            self._reap()
            if self._deaths > self._orders.workers * (self._orders.projects.site.max_attempts + 1):
                return WORKERS_DIE
        return 0

    def _kill_all(self, number: int, frame: FrameType | None) -> None:
        """The supervisor insists."""
        for pid in self._workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _ears(self) -> list[int]:
        """The lifeline, until its end was heard."""
        return [] if self._supervisor.has_ended() else [self._supervisor.heard]

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._bury(ended[0], os.waitstatus_to_exitcode(ended[1]))

    def _bury(self, pid: int, code: int) -> None:
        """What the worker worked on is claimable at once: its lease names a dead process."""
        number = self._workers.pop(pid)
        is_stopping = self._supervisor.has_ended()
        if code == 0 or is_stopping:
            events.log("worker.stopped", worker=number, pid=pid)
        else:
            events.log("worker.died", worker=number, pid=pid, signal=max(0, -code), code=max(0, code))
            self._count_death()
        if not is_stopping and (code != 0 or self._orders.bell is not None):
            self._fork(number)

    def _count_death(self) -> None:
        """Deaths without a batch that was done between them."""
        done = self._orders.call.done()[2]
        self._deaths = 1 if done > self._done else self._deaths + 1
        self._done = done

    def _fork(self, number: int) -> None:
        pid = os.fork()
        if pid:
            self._workers[pid] = number
            return
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._lifeline.let_go()
        for ours in (self._supervisor.heard, self._heard, self._woken):
            os.close(ours)
        Process(number, self._orders, self._lifeline).live()
        os._exit(0)


class LocalWorker(Worker):
    """Counts what it does; where workers end when nothing is left, it claims no more than the call may begin."""

    def __init__(self, number: int, orders: Orders, has_to_stop: Callable[[], bool]) -> None:
        on_claim = orders.bell.ring if orders.bell else _nothing
        super().__init__(orders.projects, orders.jobs, has_to_stop, on_claim, self._count)
        self._number, self._call, self._is_endless = number, orders.call, orders.bell is not None
        self._call.resume(number)

    def did(self, images: int, bytes_: int) -> None:
        """Count it."""
        self._call.did(self._number, images, bytes_)

    def claim(self, way: Way, job: Job) -> Lease | None:
        """As any worker; when the call has begun all that it may, only batches that it has begun before."""
        if self._is_endless:
            return way(job, self._terms, self)
        return self._call.claim(self._way_for(way, job))

    def _way_for(self, way: Way, job: Job) -> Callable[[Sequence[int] | None], Lease | None]:
        def claim(only: Sequence[int] | None) -> Lease | None:
            return way(job, self._terms, self) if only is None else claim_one_of(only, job, self._terms, self)

        return claim

    def _count(self, left: Batch) -> None:
        self._call.did(self._number, *left.last_delivered, batches=1)


def _nothing() -> None:
    """Workers that end when nothing is left need no bell."""


class Process:
    """One worker process."""

    def __init__(self, number: int, orders: Orders, lifeline: Lifeline) -> None:
        self._number, self._bell, self._lifeline = number, orders.bell, lifeline
        self._projects = orders.projects
        self._was_told = False
        self._worker = LocalWorker(number, orders, self._must_stop)

    def live(self) -> None:
        """Work until there is nothing left, or, with a bell, until it is to stop."""
        signal.signal(signal.SIGTERM, self._hear)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        events.log("worker.started", worker=self._number, pid=os.getpid())
        warm_up(self._projects)
        self._worker.work()
        while self._bell is not None and not self._must_stop():
            self._bell.wait(self._lifeline, IDLE_SECONDS)
            self._worker.work()

    def _must_stop(self) -> bool:
        return self._was_told or self._lifeline.has_ended()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._was_told = True


def speak_into(pipe: int) -> None:
    """Our events and our failures go into the pipe, a line each; nothing that a library says goes anywhere."""
    logs.silence_libraries()
    logging.raiseExceptions = False
    handler = logging.StreamHandler(os.fdopen(pipe, "w", encoding="utf-8"))
    handler.setFormatter(EventLine())
    logger = logging.getLogger("sendit")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    sys.excepthook = _say_failure


class EventLine(logging.Formatter):
    """An event as the supervisor's log takes it in."""

    def format(self, record: logging.LogRecord) -> str:
        """Its name and its fields, in JSON."""
        return json.dumps([record.event, record.fields])  # type: ignore[attr-defined]


def _say_failure(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """In place of a traceback, which quotes: what failed, and where."""
    events.log("worker.failed", failure=kind.__name__, place=place_of(error))


def settle() -> None:
    """Have what is there by now stay, its pages shared; and lead file descriptors 0, 1 and 2 nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    gc.collect()
    gc.freeze()
