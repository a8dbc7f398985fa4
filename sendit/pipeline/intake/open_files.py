"""Which files a process of this machine holds open for writing, as far as Linux tells: `/proc/*/fd`.

A copy that stalls, or a file that is filled slowly, looks finished by its times. A process of another user is seen only
by root, and one on another machine by nobody; for those the times decide alone.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
ACCESS_MODE = re.compile(rb"^flags:\s*([0-7]+)", re.MULTILINE)

FileId = tuple[int, int]
"""Device and inode: a name may be another one in the process's own view of the file system."""


def open_for_writing() -> frozenset[FileId]:
    """Return the regular files that any process holds open for writing; none where the system does not tell."""
    return frozenset(_open_for_writing())


def _open_for_writing() -> Iterator[FileId]:
    for process in _listed(PROC):
        if process.isdigit():
            for number in _listed(PROC / process / "fd"):
                if file := _file(PROC / process, number):
                    yield file


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # it has ended, or is another user's
        return []


def _file(process: Path, number: str) -> FileId | None:
    """The regular file behind a descriptor, if it can be written to."""
    link = process / "fd" / number
    try:
        if not os.readlink(link).startswith("/"):  # a pipe or a socket
            return None
        flags = ACCESS_MODE.search((process / "fdinfo" / number).read_bytes())
        if not flags or int(flags[1], 8) & os.O_ACCMODE == os.O_RDONLY:
            return None
        found = os.stat(link)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None
