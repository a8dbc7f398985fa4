"""Files that are whole under their name or not there at all, whenever the machine stops. Knows no Django, no DICOM."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sendit.errors import ServiceDown

LOCK_POLL_SECONDS = 0.02
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def disk(subject: str) -> Iterator[None]:
    """Turns what the operating system says into ServiceDown, `NoSpace` or `DiskRefused`, without the path it names."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ServiceDown("NoSpace", subject=subject) from None
        raise ServiceDown("DiskRefused", subject=f"{subject}, {errno.errorcode.get(error.errno or 0, '?')}") from None


def private(path: str, flags: int) -> int:
    """An opener for `open`: only the owner reads and writes the file."""
    return os.open(path, flags, 0o600)


def read_only(path: str, flags: int) -> int:
    """An opener for `open`: once closed, nobody writes the file, and only the owner reads it."""
    return os.open(path, flags, 0o400)


def draft_of(path: Path) -> Path:
    """A temporary name beside `path`, hidden, and no other writer's."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")


@contextmanager
def locked(path: Path, *, shared: bool = False, patience_seconds: float | None = None) -> Iterator[None]:
    """Hold the file's lock, alone or together with all who share it; the kernel takes it back however a process ends.

    The file stays: if it were removed, two processes could each hold the lock of a file of that name.

    Raises
    ------
    TimeoutError
        Another process held it for `patience_seconds`; without these there is no end to waiting.
    """
    with open(path, "ab", opener=private) as stream:
        _lock(stream.fileno(), fcntl.LOCK_SH if shared else fcntl.LOCK_EX, patience_seconds)
        yield


def _lock(handle: int, kind: int, patience_seconds: float | None) -> None:
    if patience_seconds is None:
        fcntl.flock(handle, kind)
        return None
    gives_up_at = time.monotonic() + patience_seconds
    while True:
        with suppress(BlockingIOError):
            return fcntl.flock(handle, kind | fcntl.LOCK_NB)
        if time.monotonic() > gives_up_at:
            raise TimeoutError
        time.sleep(LOCK_POLL_SECONDS)


def make_folder(folder: Path) -> list[Path]:
    """The folder with all above it, for the owner only. Returns the folders to `sync`, then it is there for good."""
    if folder.is_dir():
        return []
    above = make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    return [*above, folder.parent]


def sweep_drafts(path: Path) -> None:
    """Remove what killed writers of `path` left behind; a live one finds its draft gone and starts over."""
    for name in os.listdir(path.parent):
        if name.startswith(f".{path.name}.") and name.endswith(".tmp"):
            path.with_name(name).unlink(missing_ok=True)


def place(draft: Path, path: Path) -> None:
    """Give a finished file its name: durable before, durable after."""
    sync(draft)
    os.rename(draft, path)
    sync(path.parent)


def forget_time(*paths: Path) -> None:
    """Give files and folders that recipients read a modification time that tells nothing, where they are ours."""
    for path in paths:
        with suppress(PermissionError):
            os.utime(path, (0, 0))


def sync(*paths: Path) -> None:
    """fsync files and folders, a few milliseconds each on a disk."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
