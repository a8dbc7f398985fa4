"""The supervisor of local workers: it keeps their nursery alive, shows what they say and do, and passes a stop on.

It gives no orders: workers claim for themselves, so two supervisors on one database need not know of each other.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from django.conf import settings

from sendit.errors import BrokenPromise
from sendit.ground import events
from sendit.pipeline.record.states import Job
from sendit.pipeline.workforce.bell import Bell
from sendit.pipeline.workforce.call import Call
from sendit.pipeline.workforce.lifeline import Lifeline

POLL_SECONDS = 0.05
"""How often the end of the workers is looked for."""

WORKERS_DIE = 3
"""The exit code of a nursery whose workers only die."""

STOP_SECONDS = 30
"""How long workers may take to put their batches back before they are killed."""

END_SECONDS = 5
"""How long what workers said last is waited for, and how long a nursery may take to kill them."""


class Supervisor:
    """Up to `workers` local processes; a context manager that leaves none behind.

    Parameters
    ----------
    workers : int
        Processes.
    jobs : tuple of Job
        What is worked on, the first kind first.
    limit : int, optional
        So many batches are started, no more.
    waits : bool
        Whether workers that have nothing to do wait for `wake`; otherwise they end.
    """

    def __init__(
        self, workers: int, jobs: tuple[Job, ...] = (Job.PROCESS,), limit: int | None = None, waits: bool = False
    ) -> None:
        self._workers, self._jobs = workers, jobs
        self._call = Call.make(workers, limit)
        self._bell = Bell() if waits else None
        self._lifeline = Lifeline()
        self._said, self._say = os.pipe()
        self._listener = threading.Thread(target=self._listen, name="what workers say", daemon=True)
        self._nursery: subprocess.Popen[bytes] | None = None
        self._deaths, self._done = 0, 0

    def __enter__(self) -> Supervisor:
        events.log("pool.started", workers=self._workers)
        self._listener.start()
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        os.close(self._say)
        self._listener.join(END_SECONDS)  # a worker of a nursery that was killed may still have to put a batch back
        batches = self.done()[2]
        events.log("pool.stopped", batches=batches)
        os.close(self._lifeline.heard)
        if self._bell:
            self._bell.close()

    def done(self) -> tuple[int, int, int]:
        """Images, bytes and batches that the workers have done so far."""
        return self._call.done()

    def begun(self) -> list[int]:
        """The batches that were claimed, where workers end when nothing is left."""
        return self._call.begun()

    def wake(self) -> None:
        """Say that there may be work."""
        if self._bell:
            self._bell.ring()

    def is_working(self) -> bool:
        """Whether workers are there. A nursery that died is replaced.

        Raises
        ------
        BrokenPromise
            `WorkersDie`: they do nothing else.
        """
        code = self._nursery.poll() if self._nursery else 0
        if code:
            self._count_death()
            if code == WORKERS_DIE or self._deaths > settings.SITE.max_attempts:
                raise BrokenPromise("WorkersDie", count=self._deaths)
            self._start()
        return code != 0

    def _count_death(self) -> None:
        """Deaths of the nursery without a batch that was done between them."""
        done = self.done()[2]
        self._deaths = 1 if done > self._done else self._deaths + 1
        self._done = done

    def run(self, must_stop: Callable[[], bool] = lambda: False) -> None:
        """Wait until there is nothing left that may be taken, or until it must stop."""
        while not must_stop() and self.is_working():
            time.sleep(POLL_SECONDS)

    def stop(self, must_hurry: Callable[[], bool] = lambda: False) -> None:
        """Ask every worker to end and wait for it; in a hurry, or after STOP_SECONDS, kill."""
        self._lifeline.let_go()
        ends_at = time.monotonic() + STOP_SECONDS
        while self._nursery and self._nursery.poll() is None:
            if time.monotonic() > ends_at + END_SECONDS:
                os.killpg(self._nursery.pid, signal.SIGKILL)
            elif must_hurry() or time.monotonic() > ends_at:
                self._nursery.terminate()  # it kills its workers, and sees their end
            time.sleep(POLL_SECONDS)

    def _start(self) -> None:
        bell = self._bell.ends if self._bell else ()
        handles = (self._lifeline.heard, self._say, self._call.handle, *bell)
        command = [sys.executable, "-m", "sendit", "work", "--workers", str(self._workers)]
        command += ["--jobs", *(job.name for job in self._jobs), "--files", *map(str, handles)]
        self._nursery = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=handles,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # numpy, where it is installed, starts threads
            process_group=0,  # Ctrl-C is the supervisor's to hear
        )

    def _listen(self) -> None:
        """What workers say is said here; ends when no process is left that could say anything."""
        with open(self._said, encoding="utf-8") as lines:
            for line in lines:
                with suppress(ValueError):  # a line that is none must not silence, and in the end block, the others
                    name, fields = json.loads(line)
                    events.log(name, **fields)
