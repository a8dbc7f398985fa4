"""The thread of a process that renews its leases."""

from __future__ import annotations

import os
import threading
import time
from typing import Protocol

from sendit.ground import database


class Renewed(Protocol):
    """A lease, as far as it is renewed."""

    renewed_at: float

    @property
    def lease_seconds(self) -> float:
        """How long it lasts without a renewal."""
        ...

    def renew(self) -> None:
        """Let it last from now on."""
        ...


class Keeper:
    """The one thread of a process that renews its leases, each after a third of its time.

    The thread starts with the first lease and sleeps while there is nothing to renew: a batch that is done within a
    third of its lease costs it nothing.
    """

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._leases: set[Renewed] = set()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._wakes_at = float("inf")
        self._pause_seconds = 0.0

    def keep(self, lease: Renewed) -> None:
        """Renew the lease in time, from now on."""
        self._leases.add(lease)
        self._pause_seconds = lease.lease_seconds / 3
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="keeper of leases", daemon=True)
            self._thread.start()
        elif _due_at(lease) < self._wakes_at:
            self._woken.set()

    def let_go(self, lease: Renewed) -> None:
        """Leave the lease alone."""
        self._leases.discard(lease)

    def _run(self) -> None:
        while True:
            self._wakes_at = time.monotonic() + self._pause_seconds
            self._wakes_at = min([self._wakes_at, *map(_due_at, list(self._leases))])
            self._woken.wait(self._wakes_at - time.monotonic())
            self._woken.clear()
            due = [lease for lease in list(self._leases) if _due_at(lease) <= time.monotonic()]
            for lease in due:
                lease.renew()
            if due:
                database.forget()


def _due_at(lease: Renewed) -> float:
    return lease.renewed_at + lease.lease_seconds / 3


KEEPER = Keeper()
