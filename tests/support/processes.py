"""Doing a thing in other processes: at the same time, or killed in the middle."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

FORK = multiprocessing.get_context("fork")


def at_once(*works: Callable[[], object]) -> list[object]:
    """What each returned, or the exception it raised, when all were started together."""
    barrier = FORK.Barrier(len(works))
    pipes = [FORK.Pipe() for _ in works]
    children = [
        FORK.Process(target=_report, args=(barrier.wait, work, there))
        for work, (_, there) in zip(works, pipes, strict=True)
    ]
    for child in children:
        child.start()
    answers = [here.recv() for here, _ in pipes]
    for child in children:
        child.join()
    return answers


def killed_after(seconds: float, work: Callable[[], object]) -> bool:
    """Do it in a child that is killed with SIGKILL after so long; whether it was killed before its end."""
    child = FORK.Process(target=work)
    child.start()
    time.sleep(seconds)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    return child.exitcode == -signal.SIGKILL


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes in a child, which has to begin like any other."""
    child = FORK.Process(target=work)
    began_at = time.monotonic()
    child.start()
    child.join()
    assert child.exitcode == 0
    return time.monotonic() - began_at


def _report(ready: Callable[[], object], work: Callable[[], object], answers: Connection) -> None:
    ready()
    try:
        answers.send(work())
    except Exception as error:  # noqa: BLE001 - it is the answer
        answers.send(error)
