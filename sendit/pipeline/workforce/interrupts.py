"""Ctrl-C and its kin: the first asks to stop in good order, the second insists."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """A context manager in which signals are counted, not raised."""

    def __init__(self) -> None:
        self._heard: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        self._before = {number: signal.signal(number, self._hear) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def must_stop(self) -> bool:
        """Whether anybody asked."""
        return bool(self._heard)

    def must_hurry(self) -> bool:
        """Whether anybody asked twice."""
        return len(self._heard) > 1

    @property
    def exit_code(self) -> int:
        """What the shell expects of a process that a signal ended; 0 where none came."""
        return 128 + self._heard[0] if self._heard else 0

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._heard.append(number)
