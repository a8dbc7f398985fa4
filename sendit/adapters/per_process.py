"""A client that each process makes for itself, because connections do not survive a fork."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

Client = TypeVar("Client")


class PerProcess(Generic[Client]):
    """Makes a client on first use in each process. If two threads make one each, the later one is kept."""

    def __init__(self, make: Callable[[], Client]) -> None:
        self._make = make
        self._made: tuple[int, Client] | None = None

    def get(self) -> Client:
        """Return this process's client."""
        if self._made is None or self._made[0] != os.getpid():
            self._made = (os.getpid(), self._make())
        return self._made[1]
