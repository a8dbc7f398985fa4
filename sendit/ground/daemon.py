"""A process that outlives its terminal: a locked pid file, a start that waits until the process is up, and a stop that
waits until it has ended. Knows nothing of folders, batches or Django.
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
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from sendit.durable import private
from sendit.errors import Misconfigured

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a pid file, and the time since it last reported that it is alive."""

    pid: int
    silent_seconds: float


class PidFile:
    """A file with a pid in it, locked as long as that process lives, so that only one runs at a time.

    The lock, not the number, says whether the process lives: the kernel drops the lock with the process, however it
    ends. So a stale file is harmless, and so is a pid that now belongs to another program. The file is never removed,
    because two processes could then each hold a lock on a file of that name.
    """

    def __init__(self, path: Path, service: str = "Watcher") -> None:
        self.path, self._service = path, service
        self._handle: int | None = None

    def acquire(self) -> int | None:
        """Take the file, and return the pid that a killed holder left, if any. Raises Misconfigured (`WatcherRuns`)."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _lock(handle):
            pid = _pid(handle)
            os.close(handle)
            raise self._refusal("Runs", pid)
        left_behind = _pid(handle)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle = handle
        os.register_at_fork(after_in_child=self._close)
        return left_behind

    def beat(self) -> None:
        """Report that the holder is alive by setting the file's modification time to now."""
        if self._handle is not None:
            os.utime(self._handle)

    def release(self) -> None:
        """Release the lock and empty the file, which marks a clean end."""
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
            self._close()

    def _close(self) -> None:
        """Close the file; called in forked children too, which must not keep the lock when the watcher ends."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def holder(self) -> Holder | None:
        """Return the process that holds the file, or None if no process does, whatever the file says."""
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
        """Return the pid that a killed process left in the file, or None."""
        try:
            return int(self.path.read_text()) if self.holder() is None else None
        except (FileNotFoundError, ValueError):
            return None

    def ensure_free(self) -> None:
        """Raise Misconfigured("WatcherRuns") if a process holds the file."""
        holder = self.holder()
        if holder:
            raise self._refusal("Runs", holder.pid)

    def stops_slowly(self, pid: int) -> Misconfigured:
        """Return the error that says that the holder has not ended yet."""
        return self._refusal("Stops", pid)

    def _refusal(self, what: str, pid: int | None) -> Misconfigured:
        return Misconfigured(f"{self._service}{what}", subject=f"pid {pid or 'unknown'}")


class LogFile(RotatingFileHandler):
    """A log that is rotated when it is full, and reopened on request, for operators who rotate it themselves."""

    def __init__(self, path: Path, max_bytes: int = 10_000_000, old_files: int = 9) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(path, maxBytes=max_bytes, backupCount=old_files, encoding="utf-8")
        self._is_to_reopen = False

    def reopen(self) -> None:
        """Reopen the file before the next line; safe to call in a signal handler."""
        self._is_to_reopen = True

    def _open(self) -> TextIOWrapper:
        return TextIOWrapper(open(self.baseFilename, "ab", opener=private), encoding=self.encoding)

    def emit(self, record: logging.LogRecord) -> None:
        if self._is_to_reopen:
            self._is_to_reopen = False
            self.close()
        super().emit(record)


def _lock(handle: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Lock the file, or return False if another process holds it. `holder` takes it briefly, so try three times."""
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

    Returns its pid once it has called `say_ready`; until then it writes to our standard error. Returns None if it ended
    before, or did not call it within `timeout_seconds`.
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
    """Return whether a byte arrives before the other end is closed."""
    os.set_blocking(ready, False)
    ends_at = time.monotonic() + timeout_seconds
    while time.monotonic() < ends_at:
        with contextlib.suppress(BlockingIOError):
            return os.read(ready, 1) != b""
        time.sleep(POLL_SECONDS)
    return False


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child that did not come up."""
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def say_ready(handle: int) -> None:
    """Tell the launching process that this one is up, and detach standard error from the terminal."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    os.write(handle, b"\n")
    os.close(handle)


def stop(pid_file: PidFile, timeout_seconds: float) -> int | None:
    """Ask the holder to end (SIGTERM) and wait until it has. Returns its pid, or None if no process holds the file.

    Raises Misconfigured("WatcherStops") if it has not ended after `timeout_seconds`.
    """
    holder = pid_file.holder()
    if holder is None:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.kill(holder.pid, signal.SIGTERM)
    ends_at = time.monotonic() + timeout_seconds
    while pid_file.holder() is not None:
        if time.monotonic() > ends_at:
            raise pid_file.stops_slowly(holder.pid)
        time.sleep(POLL_SECONDS)
    return holder.pid
