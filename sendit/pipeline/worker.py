"""A worker process: takes orders (`PROCESS 17`) on its standard input, says what it does on its standard output.

Both are for its pool alone; whatever a library writes to standard output or error goes nowhere.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from types import FrameType, TracebackType
from typing import Any, TextIO

from sendit.errors import place_of
from sendit.pipeline import events, logs
from sendit.pipeline.leases import Job, Observer
from sendit.pipeline.runner import attempt

REPORT_SECONDS = 0.2


class Reporter(Observer):
    """Tells the pool what is done, now and then; stops when asked to, or when there is no pool any more."""

    def __init__(self, pool: TextIO) -> None:
        self._pool, self._parent = pool, os.getppid()
        self._asked = False
        self._images = self._bytes = 0
        self._told_at = 0.0
        signal.signal(signal.SIGTERM, self._stop)

    def must_stop(self) -> bool:
        """Whether the pool asked, or died."""
        return self._asked or os.getppid() != self._parent

    def did(self, images: int, bytes_: int) -> None:
        """Count, and tell at most five times a second."""
        self._images += images
        self._bytes += bytes_
        if time.monotonic() - self._told_at > REPORT_SECONDS:
            self.tell_progress()

    def tell_progress(self) -> None:
        """Tell what was done since the last time."""
        self.tell("progress", self._images, self._bytes)
        self._images = self._bytes = 0
        self._told_at = time.monotonic()

    def tell(self, word: str, *about: Any) -> None:
        """One line to the pool."""
        if os.getppid() == self._parent:
            self._pool.write(json.dumps([word, *about]) + "\n")
            self._pool.flush()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._asked = True


class PoolHandler(logging.Handler):
    """Events go to the pool, which shows or keeps them."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the event; a record of a library is no event."""
        if hasattr(record, "event"):
            self._reporter.tell("event", record.event, record.fields)  # type: ignore[attr-defined]


def work() -> None:
    """Follow orders until there are no more."""
    orders, pool = _take_pipes()
    logs.silence_libraries()
    reporter = Reporter(pool)
    sys.excepthook = _say_failure
    logger = logging.getLogger("sendit")
    logger.handlers, logger.propagate = [PoolHandler(reporter)], False
    logger.setLevel(logging.INFO)
    reporter.tell("ready")
    for order in orders:
        job, pk = order.split()
        batch = attempt(int(pk), Job[job], reporter)
        reporter.tell_progress()
        reporter.tell("done", int(pk), batch.state if batch else "")
        if reporter.must_stop():
            break


def _take_pipes() -> tuple[TextIO, TextIO]:
    """The pool's pipes, for us alone: file descriptors 0, 1 and 2 lead nowhere from now on."""
    orders = os.fdopen(os.dup(0), "r")
    pool = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    return orders, pool


def _say_failure(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """In place of a traceback, which quotes: what failed, and where."""
    events.log("worker.failed", failure=kind.__name__, place=place_of(error))
