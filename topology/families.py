"""Processes and those that they started: who they are, and their end."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any


def descendants_of(pid: int) -> list[int]:
    """Its children and theirs."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*children, *(grandchild for child in children for grandchild in descendants_of(child))]


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process that may be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def end(process: subprocess.Popen[Any]) -> None:
    """Kill what is still there of a process and of those that it started."""
    for pid in [] if process.poll() is not None else [process.pid, *descendants_of(process.pid)]:
        kill(pid)
