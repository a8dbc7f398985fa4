"""Process trees: finding the descendants of a process, and killing them."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any


def descendants_of(pid: int) -> list[int]:
    """Return the process's children and all of their descendants."""
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
    """Kill a process and all of its descendants that still run."""
    for pid in [] if process.poll() is not None else [process.pid, *descendants_of(process.pid)]:
        kill(pid)
