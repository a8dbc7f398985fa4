"""Deliver every batch that rests at DONEPROCESSING, spread over threads: the work is waiting for disks and networks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from sendit.pipeline.leases import Job, Observer, claimable
from sendit.pipeline.progress import Tally
from sendit.pipeline.runner import attempt

AHEAD = 50
"""Batches that are asked for at a time."""


class Uploads(Observer):
    """One call's deliveries; each batch is tried once."""

    def __init__(self, tally: Tally, must_stop: Callable[[], bool]) -> None:
        self.ended: dict[int, str] = {}
        self._tally, self._must_stop = tally, must_stop
        self._lock = threading.Lock()
        self._next: list[int] = []
        self._tried: set[int] = set()

    def run(self, workers: int) -> None:
        """Deliver until nothing is left that may be taken."""
        with ThreadPoolExecutor(workers, thread_name_prefix="upload") as threads:
            for running in [threads.submit(self._work) for _ in range(workers)]:
                running.result()

    def must_stop(self) -> bool:
        """Whether somebody asked."""
        return self._must_stop()

    def _work(self) -> None:
        try:
            while not self.must_stop() and (batch := self._take()):
                self._deliver(batch)
        finally:
            connection.close()

    def _deliver(self, pk: int) -> None:
        batch = attempt(pk, Job.DELIVER, self)
        if batch:
            self.ended[pk] = batch.state
            self._tally.did(batch.delivered, batch.archive_bytes)

    def _take(self) -> int | None:
        """The oldest batch that no thread of ours has tried."""
        with self._lock:
            if not self._next:
                found = claimable(Job.DELIVER, AHEAD + len(self._tried))
                self._next = [pk for pk in found if pk not in self._tried][:AHEAD]
                self._tried.update(self._next)
            return self._next.pop(0) if self._next else None
