"""A pool of local worker processes: orders out, reports in; a worker that dies is replaced. Does no work itself.

Two pools on one database are safe: every order is only a primary key, and the worker that claims it works on it.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
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

END_SECONDS = 5
"""How long the nursery may take to say how a worker ended."""

STOP_SECONDS = 30
"""How long workers may take to put their batches back before they are killed."""


class Nursery:
    """Where workers come from (`nursery.run`), from the pool's side; started when the first is wanted."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._ends: dict[int, int] = {}
        self._rest = b""

    def fork(self) -> socket.socket:
        """A socket with a worker at its other end, as soon as it has come up."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        ours, theirs = socket.socketpair()
        with theirs, contextlib.suppress(BrokenPipeError):  # a nursery that just died: the socket's end will tell
            socket.send_fds(self._control, [b"+"], [theirs.fileno()])
        return ours

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        command = [sys.executable, "-m", "sendit", "work", "--control", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # numpy, where it is installed, starts threads
                process_group=0,  # Ctrl-C is the pool's to hear
            )
        self._control.settimeout(END_SECONDS)

    def exit_code(self, pid: int) -> int | None:
        """How a worker ended, as `subprocess` says it; None where nobody knows."""
        with contextlib.suppress(OSError):
            while pid not in self._ends and (heard := self._control.recv(4096)):
                *lines, self._rest = (self._rest + heard).split(b"\n")
                self._ends.update(map(int, line.split()) for line in lines)  # type: ignore[misc]
        return self._ends.pop(pid, None)

    def close(self) -> None:
        """No more workers."""
        if self._process is not None:
            self._control.close()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Worker:
    """One worker process, from the pool's side."""

    def __init__(self, number: int, channel: socket.socket) -> None:
        self.number, self.channel = number, channel
        self.pid: int | None = None
        self.batch: int | None = None
        self.has_ended = False
        self._rest = b""
        channel.setblocking(False)

    def order(self, job: Job, batch: int) -> None:
        """Send it to work; of one that is dead the channel's end is heard next."""
        self.batch = batch
        with contextlib.suppress(BrokenPipeError):
            self.channel.send(f"{job.name} {batch}\n".encode())

    def heard(self) -> Iterator[list[Any]]:
        """The reports that have come in."""
        try:
            while heard := self.channel.recv(1 << 16):
                self._rest += heard
            self.has_ended = True
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.has_ended = True
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            yield json.loads(line)

    def stop(self) -> None:
        """Ask it to put down its work and end."""
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_WR)

    def kill(self) -> None:
        """End it."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


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
        self._nursery = Nursery()
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
        self._nursery.close()
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
                    worker.kill()
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
        worker = self._workers[number] = Worker(number, self._nursery.fork())
        self._selector.register(worker.channel, selectors.EVENT_READ, worker)
        return worker

    def _hear(self, timeout_seconds: float, is_stopping: bool = False) -> None:
        for key, _ in self._selector.select(timeout_seconds):
            worker: Worker = key.data
            for word, *about in worker.heard():
                self._take(worker, word, about)
            if worker.has_ended:
                self._bury(worker, is_stopping)

    def _take(self, worker: Worker, word: str, about: list[Any]) -> None:
        if word == "ready":
            (worker.pid,) = about
            events.log("worker.started", worker=worker.number, pid=about[0])
        elif word == "progress":
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
        self._selector.unregister(worker.channel)
        worker.channel.close()
        del self._workers[worker.number]
        pid = worker.pid or 0
        code = self._nursery.exit_code(pid) if pid else None
        if is_stopping or code == 0:
            events.log("worker.stopped", worker=worker.number, pid=pid)
            return
        events.log("worker.died", worker=worker.number, pid=pid, signal=max(0, -(code or 0)), code=max(0, code or 0))
        self._deaths += 1
        if self._deaths > self._size * (settings.MAX_ATTEMPTS + 1):
            raise BrokenPromise("WorkersDie", count=self._deaths)
