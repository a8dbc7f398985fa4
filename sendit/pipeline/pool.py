"""A pool of local worker processes: orders out, reports in; a worker that dies is replaced. Does no work itself.

Two pools on one database are safe: every order is only a primary key, and the worker that claims it works on it.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings

from sendit.errors import BrokenPromise
from sendit.pipeline import events
from sendit.pipeline.leases import Job, claimable

POLL_SECONDS = 0.5
"""How often the database is asked for work while workers are idle."""

STOP_SECONDS = 30
"""How long workers may take to put their batches back before they are killed."""


class Worker:
    """One worker process, from the pool's side."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.batch: int | None = None
        self._rest = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sendit", "work"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is the pool's to hear
        )
        assert self.process.stdin and self.process.stdout
        self.orders, self.reports = self.process.stdin, self.process.stdout
        os.set_blocking(self.reports.fileno(), False)

    def order(self, job: Job, batch: int) -> None:
        """Send it to work; one that is dead is noticed when its reports end."""
        self.batch = batch
        try:
            self.orders.write(f"{job.name} {batch}\n".encode())
            self.orders.flush()
        except BrokenPipeError:
            self.batch = None

    def heard(self) -> Iterator[list[Any]]:
        """The reports that have come in."""
        *lines, self._rest = (self._rest + (self.reports.read() or b"")).split(b"\n")
        for line in lines:
            yield json.loads(line)

    def stop(self) -> None:
        """Ask it to put down its work and end."""
        self.process.terminate()
        with contextlib.suppress(BrokenPipeError):
            self.orders.close()


class Pool:
    """Up to `workers` local processes; a context manager that leaves none behind.

    Parameters
    ----------
    workers : int
        Processes; started when there is work for them.
    jobs : tuple of Job
        What is worked on, the first kind first.
    limit : int, optional
        So many batches are started, no more.
    on_progress : callable, optional
        Called with images and bytes done since the last call.
    """

    def __init__(
        self,
        workers: int,
        jobs: tuple[Job, ...] = (Job.PROCESS,),
        limit: int | None = None,
        on_progress: Callable[[int, int], None] = lambda images, bytes_: None,
    ) -> None:
        self._size, self._jobs, self._limit, self._on_progress = workers, jobs, limit, on_progress
        self._workers: dict[int, Worker] = {}
        self._selector = selectors.DefaultSelector()
        self._started: set[int] = set()
        self._ended: dict[int, str] = {}
        self._deaths = 0
        self._asked_at = float("-inf")

    def __enter__(self) -> Pool:
        events.log("pool.started", workers=self._size)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._selector.close()
        events.log("pool.stopped", batches=len(self._ended))

    @property
    def ended(self) -> dict[int, str]:
        """The state in which each batch was left that this pool worked on."""
        return dict(self._ended)

    @property
    def is_busy(self) -> bool:
        """Whether any worker is at work."""
        return any(worker.batch is not None for worker in self._workers.values())

    def run(self, must_stop: Callable[[], bool] = lambda: False) -> None:
        """Work until there is nothing left that may be taken, or until it must stop."""
        is_working = True
        while is_working and not must_stop():
            was_busy = self.is_busy  # the last batch's end within a tick is no reason not to ask for the next one
            is_working = self.tick() or was_busy

    def warm_up(self) -> None:
        """Start every worker that is not there, so that the next batch does not wait for one to start."""
        for number in self._numbers():
            if number not in self._workers:
                self._start(number)

    def tick(self, timeout_seconds: float = POLL_SECONDS) -> bool:
        """Give out work, then hear reports for at most so long; whether any work was given out."""
        given = self._give_out()
        self._hear(timeout_seconds if self.is_busy or given else 0)
        return given

    def stop(self, must_hurry: Callable[[], bool] = lambda: False) -> None:
        """Ask every worker to end and wait for it; in a hurry, or after STOP_SECONDS, kill."""
        for worker in self._workers.values():
            worker.stop()
        ends_at = time.monotonic() + STOP_SECONDS
        while self._workers:
            if must_hurry() or time.monotonic() > ends_at:
                for worker in self._workers.values():
                    worker.process.kill()
            self._hear(0.1, is_stopping=True)

    def _give_out(self) -> bool:
        """One question to the database for all idle workers."""
        free = self._size - sum(worker.batch is not None for worker in self._workers.values())
        if not free:
            return False
        given = 0
        for job, batch in self._orders(free):
            self._idle_worker().order(job, batch)
            self._started.add(batch)
            given += 1
        return given > 0

    def _orders(self, free: int) -> Iterator[tuple[Job, int]]:
        at_work = {worker.batch for worker in self._workers.values()}
        for job in self._jobs:
            for batch in claimable(job, free + len(at_work)):
                if free and batch not in at_work and self._may_start(batch):
                    free -= 1
                    yield job, batch

    def _may_start(self, batch: int) -> bool:
        return self._limit is None or batch in self._started or len(self._started) < self._limit

    def _idle_worker(self) -> Worker:
        for worker in self._workers.values():
            if worker.batch is None:
                return worker
        return self._start(next(number for number in self._numbers() if number not in self._workers))

    def _numbers(self) -> range:
        return range(1, self._size + 1)

    def _start(self, number: int) -> Worker:
        worker = self._workers[number] = Worker(number)
        self._selector.register(worker.reports, selectors.EVENT_READ, worker)
        events.log("worker.started", worker=number, pid=worker.process.pid)
        return worker

    def _hear(self, timeout_seconds: float, is_stopping: bool = False) -> None:
        for key, _ in self._selector.select(timeout_seconds):
            worker: Worker = key.data
            for word, *about in worker.heard():
                self._take(worker, word, about)
            if worker.process.poll() is not None:
                self._bury(worker, is_stopping)

    def _take(self, worker: Worker, word: str, about: list[Any]) -> None:
        if word == "progress":
            self._on_progress(*about)
        elif word == "event":
            name, fields = about
            events.log(name, **fields)
        elif word == "done":
            batch, state = about
            worker.batch = None
            self._deaths = 0
            if state:
                self._ended[batch] = state
            else:
                self._started.discard(batch)

    def _bury(self, worker: Worker, is_stopping: bool) -> None:
        """Forget a worker that ended. What it worked on is claimable at once: its lease names a dead process."""
        self._selector.unregister(worker.reports)
        worker.reports.close()
        del self._workers[worker.number]
        pid, code = worker.process.pid, worker.process.returncode
        if is_stopping or not code:
            events.log("worker.stopped", worker=worker.number, pid=pid)
            return
        events.log("worker.died", worker=worker.number, pid=pid, signal=max(0, -code), code=max(0, code))
        self._deaths += 1
        if self._deaths > self._size * (settings.MAX_ATTEMPTS + 1):
            raise BrokenPromise("WorkersDie", count=self._deaths)
