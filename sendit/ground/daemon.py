"""A process that outlives its terminal: a locked pid file, a start that waits until it is up, a stop that waits until
it is gone. Knows nothing of folders, batches or Django.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

from sendit.errors import Misconfigured

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a pid file, and how long ago it last said that it is alive."""

    pid: int
    silent_seconds: float


class PidFile:
    """One process at a time: a file with a pid in it, locked for as long as that process lives.

    The lock, not the number, says whether the process lives: the kernel drops it with the process, however that ends,
    so a stale file and a pid that now belongs to a stranger are both harmless. The file is never removed, for two
    processes could then each hold a lock on a file of that name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def acquire(self) -> int | None:
        """Take the file, or raise Misconfigured("WatcherRuns"). Returns the pid of a holder that ended uncleanly."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _lock(handle):
            pid = _pid(handle)
            os.close(handle)
            raise Misconfigured("WatcherRuns", subject=f"pid {pid or 'unknown'}")
        left_behind = _pid(handle)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle = handle
        os.register_at_fork(after_in_child=self._close)
        return left_behind

    def beat(self) -> None:
        """Say that the holder is alive: the file's time of change is now."""
        if self._handle is not None:
            os.utime(self._handle)

    def release(self) -> None:
        """Give the file back, empty: a clean end."""
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
            self._close()

    def _close(self) -> None:
        """In a forked child too: what outlives the watcher must not hold the watcher's lock."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def holder(self) -> Holder | None:
        """Who holds the file now; None when no process does, whatever the file says."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            pid = None if _lock(handle, fcntl.LOCK_SH) else _pid(handle)
            return Holder(pid, max(0.0, time.time() - os.fstat(handle).st_mtime)) if pid else None
        finally:
            os.close(handle)

    def left_behind(self) -> int | None:
        """The pid that a process left in the file which ended without giving it back."""
        try:
            return int(self.path.read_text()) if self.holder() is None else None
        except (FileNotFoundError, ValueError):
            return None

    def ensure_free(self) -> None:
        """Raise Misconfigured("WatcherRuns") where a process holds the file."""
        holder = self.holder()
        if holder:
            raise Misconfigured("WatcherRuns", subject=f"pid {holder.pid}")


class LogFile(RotatingFileHandler):
    """A log that is renamed when it is full, and opened anew when told, for those who rename it themselves."""

    def __init__(self, path: Path, max_bytes: int = 10_000_000, old_files: int = 9) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(path, maxBytes=max_bytes, backupCount=old_files, encoding="utf-8")
        self._is_to_reopen = False

    def reopen(self) -> None:
        """Before the next line; safe in a signal's handler."""
        self._is_to_reopen = True

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line."""
        if self._is_to_reopen:
            self._is_to_reopen = False
            self.close()
        super().emit(record)


def _lock(handle: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Lock it, or say that another holds it; one who only looks (`holder`) shares it for a moment, so try thrice."""
    for pause_seconds in (0.02, 0.05, 0.0):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            return True
        time.sleep(pause_seconds)
    return False


def _pid(handle: int) -> int | None:
    text = os.pread(handle, 32, 0).strip()
    return int(text) if text.isdigit() else None


def launch(command: Sequence[str], timeout_seconds: float = 60) -> int | None:
    """Start `command` in a session of its own, with `--ready-fd N` added.

    Returns its pid once it has said that it is up (`say_ready`); until then its standard error is ours. None when it
    ended, or said nothing for `timeout_seconds`.
    """
    ready, tell = os.pipe()
    child = subprocess.Popen(
        [*command, "--ready-fd", str(tell)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=(tell,),
    )
    os.close(tell)
    try:
        if _hears(ready, timeout_seconds):
            return child.pid
    finally:
        os.close(ready)
    _end(child)
    return None


def _hears(ready: int, timeout_seconds: float) -> bool:
    """Whether a byte comes before the other end is closed."""
    os.set_blocking(ready, False)
    ends_at = time.monotonic() + timeout_seconds
    while time.monotonic() < ends_at:
        with contextlib.suppress(BlockingIOError):
            return os.read(ready, 1) != b""
        time.sleep(POLL_SECONDS)
    return False


def _end(child: subprocess.Popen[bytes]) -> None:
    """A child that is not up is not left half up."""
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def say_ready(handle: int) -> None:
    """In the launched process: it is up, and has no terminal any more."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    os.write(handle, b"\n")
    os.close(handle)


def stop(pid_file: PidFile, timeout_seconds: float) -> int | None:
    """Ask the holder to end (SIGTERM) and wait until it has. Returns its pid, None when no process holds the file.

    Raises Misconfigured("WatcherStops") when it is still ending after `timeout_seconds`.
    """
    holder = pid_file.holder()
    if holder is None:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.kill(holder.pid, signal.SIGTERM)
    ends_at = time.monotonic() + timeout_seconds
    while pid_file.holder() is not None:
        if time.monotonic() > ends_at:
            raise Misconfigured("WatcherStops", subject=f"pid {holder.pid}")
        time.sleep(POLL_SECONDS)
    return holder.pid
