"""Processes that are killed at a named place: before or after the nth call of a function."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from pytest import MonkeyPatch

from sendit.ground.database import disconnect
from tests.support.processes import FORK

BEFORE, AFTER = "before", "after"


def name_of(place: Any) -> str:
    return f"{place[0].__name__.rpartition('.')[2]}.{place[1]}-{place[2]}-{place[3]}" if type(place) is tuple else ""


def killing(owner: Any, name: str, when: str, nth: int) -> Callable[..., Any]:
    """The function, but its nth call is this process's last."""
    function, calls = getattr(owner, name), iter(range(1, 1000))

    def call(*arguments: Any, **options: Any) -> Any:
        is_last = next(calls) == nth
        if is_last and when == BEFORE:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **options)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call


def die_at(place: tuple[Any, str, str, int], deed: Callable[[], object]) -> None:
    """A process that does it and is killed at that place."""
    owner, name, when, nth = place
    function = getattr(owner, name)

    from sendit.pipeline.stages import delivering, processing, removing

    def doing() -> None:
        with MonkeyPatch.context() as patch:
            killer = killing(owner, name, when, nth)
            for module in {owner, processing, delivering, removing}:  # those that have it by name have it too
                if getattr(module, name, None) is function:
                    patch.setattr(module, name, killer)
            deed()

    disconnect()
    worker = FORK.Process(target=doing)
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL, "the process did not come to the place"
