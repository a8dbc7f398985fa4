"""Files that are complete under their name or absent, whenever the machine stops. Knows no Django, no DICOM."""

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
    """Turn OSError into ServiceDown, `NoSpace` or `DiskRefused`, without the path that it names."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ServiceDown("NoSpace", subject=subject) from None
        raise ServiceDown("DiskRefused", subject=f"{subject}, {errno.errorcode.get(error.errno or 0, '?')}") from None


def private(path: str, flags: int) -> int:
    """Open a file that only its owner can read and write; an opener for `open`."""
    return os.open(path, flags, 0o600)


def read_only(path: str, flags: int) -> int:
    """Open a file that its owner can read and nobody can write to once it is closed; an opener for `open`."""
    return os.open(path, flags, 0o400)


def draft_of(path: Path) -> Path:
    """Return a hidden temporary name beside `path` that no other writer uses."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")


@contextmanager
def locked(path: Path, *, shared: bool = False, patience_seconds: float | None = None) -> Iterator[None]:
    """Hold the file's lock, exclusively or shared. The kernel releases it however the process ends.

    The lock file is never removed: if it were, two processes could each hold the lock of a file of that name.

    Raises
    ------
    TimeoutError
        Another process held the lock for `patience_seconds`. If this is None, the call waits without limit.
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
    """Create the folder and its parents, for the owner only. Returns the folders to `sync` to make them durable."""
    if folder.is_dir():
        return []
    above = make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    return [*above, folder.parent]


def make_shared_folder(folder: Path) -> list[Path]:
    """As `make_folder`, but whatever the umask its group may list a new one; one that is there keeps its mode."""
    made = make_folder(folder)
    if made:
        folder.chmod(0o750)
    return made


def sweep_drafts(path: Path) -> None:
    """Remove drafts that killed writers of `path` left behind. A live writer finds its draft gone and starts over."""
    for name in os.listdir(path.parent):
        if name.startswith(f".{path.name}.") and name.endswith(".tmp"):
            path.with_name(name).unlink(missing_ok=True)


def place(draft: Path, path: Path) -> None:
    """Rename a finished draft to `path`; its bytes are durable before the rename, its name after it."""
    sync(draft)
    os.rename(draft, path)
    sync(path.parent)


def write_new(path: Path, content: bytes) -> None:
    """Write a file under a name that nothing has yet; if there is something by then, it stays."""
    draft = draft_of(path)
    try:
        with open(draft, "xb") as stream:
            stream.write(content)
        sync(draft)
        with suppress(FileExistsError):
            os.link(draft, path)
        sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def forget_time(*paths: Path) -> None:
    """Set the modification time of files and folders that recipients read to 0; those of other users are left alone."""
    for path in paths:
        with suppress(PermissionError):
            os.utime(path, (0, 0))


def sync(*paths: Path) -> None:
    """Call fsync on files and folders; on a disk each call takes a few milliseconds."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
