"""The real commands in real processes, on a var/ of their own, with their memory watched."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from sendit import keys

POLL_SECONDS = 0.02


class CommandFailed(Exception):
    """A command of sendit ended with another exit code than 0."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How long a command took, and the peak resident memory of the fattest process of its tree."""

    seconds: float
    peak_mb: float


def sendit(*arguments: str, var: Path, data: Path, workers: int = 1, may_fail: bool = False) -> Ran:
    """Run one command to its end; with `may_fail` it may say that something needs a look (exit code 1)."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SENDIT_")}
    environment |= {
        "SENDIT_CONFIG": os.devnull,
        "SENDIT_VAR": str(var),
        "SENDIT_DATA_BASE": str(data),
        "SENDIT_WORKERS": str(workers),
        "SENDIT_UPLOAD_WORKERS": str(workers),
        "SENDIT_SETTLE_SECONDS": "0",
        "SENDIT_QUEUE_SETTLE_SECONDS": "0",
    }
    keys.make(var / "secrets")
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "sendit", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watch = _Watch(process.pid)
    said = process.communicate()[0]
    seconds = time.perf_counter() - started
    if process.returncode != 0 and not (may_fail and process.returncode == 1):
        raise CommandFailed(f"sendit {arguments[0]}: exit {process.returncode}: {said[-500:]}")
    return Ran(seconds, watch.stop())


class _Watch(threading.Thread):
    """Follows a process and its descendants; the kernel's high-water mark of each is read until the process ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._over, self._peak_kb = pid, threading.Event(), 0
        self.start()

    def run(self) -> None:
        while not self._over.wait(POLL_SECONDS):
            for pid in _tree(self._pid):
                self._peak_kb = max(self._peak_kb, _high_water_kb(pid))

    def stop(self) -> float:
        """The peak, in MB."""
        self._over.set()
        self.join()
        return self._peak_kb * 1024 / 1e6


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(found for child in children for found in _tree(int(child)))]


def _high_water_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
