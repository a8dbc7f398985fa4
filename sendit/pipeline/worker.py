"""A worker process: takes orders (`PROCESS 17`) from its pool on a socket, and tells on it what it does.

The socket's end is the order to stop, whether the pool closes it or dies. Whatever a library writes to standard output
or error goes nowhere.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from sendit import parquet
from sendit.errors import SenditError, place_of
from sendit.pipeline import events, logs, wiring
from sendit.pipeline.leases import Job, Observer
from sendit.pipeline.runner import attempt

REPORT_SECONDS = 0.2


def work(pool: socket.socket) -> None:
    """Follow orders until there are no more."""
    reporter = Reporter(pool)
    _speak_through(reporter)
    reporter.tell("ready", os.getpid())
    warm_up()
    with pool.makefile("r") as orders:
        for order in orders:
            _follow(reporter, *order.split())
            if reporter.must_stop():
                break


def warm_up() -> None:
    """Load what a first batch would wait for, before its lease begins; what is wrong is said by that batch."""
    for load in (wiring.recipe, wiring.identity_service):
        with suppress(SenditError, OSError):
            load()
    parquet.load()


def _follow(reporter: Reporter, job: str, batch: str) -> None:
    left = attempt(int(batch), Job[job], reporter)
    reporter.tell_progress()
    reporter.tell("done", int(batch), left.state if left else "")


class Reporter(Observer):
    """Tells the pool what is done, now and then, and hears when to stop."""

    def __init__(self, pool: socket.socket) -> None:
        self._pool = pool
        self._must_stop = False
        self._images = self._bytes = 0
        self._told_at = 0.0
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def must_stop(self) -> bool:
        """Whether the pool said so, or is no more. Nothing else comes while an order is followed."""
        if not self._must_stop:
            try:
                self._must_stop = not self._pool.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass
            except OSError:
                self._must_stop = True
        return self._must_stop

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
        """One line to the pool; a pool that is no more is a reason to stop."""
        try:
            self._pool.sendall(json.dumps([word, *about]).encode() + b"\n")
        except OSError:
            self._must_stop = True

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._must_stop = True


class PoolHandler(logging.Handler):
    """Events go to the pool, which shows or keeps them."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the event; a record of a library is no event."""
        if hasattr(record, "event"):
            self._reporter.tell("event", record.event, record.fields)  # type: ignore[attr-defined]


def _speak_through(reporter: Reporter) -> None:
    """The pool hears our events and our failures; nobody hears a library."""
    logs.silence_libraries()
    logger = logging.getLogger("sendit")
    logger.handlers, logger.propagate = [PoolHandler(reporter)], False
    logger.setLevel(logging.INFO)
    sys.excepthook = _say_failure


def _say_failure(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """In place of a traceback, which quotes: what failed, and where."""
    events.log("worker.failed", failure=kind.__name__, place=place_of(error))


def close_standard_streams() -> None:
    """File descriptors 0, 1 and 2 lead nowhere from now on."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
