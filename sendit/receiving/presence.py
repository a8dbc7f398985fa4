"""Where the listener says that it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sendit.ground.daemon import PidFile


def listener_pid_file(var: Path) -> PidFile:
    """Return the pid file of the listener of this VAR."""
    return PidFile(var / "listener.pid", "Listener")


def local_socket(var: Path) -> Path:
    """Return the socket by which other processes of this host hand images to the listener."""
    return var / "listener.sock"


@contextmanager
def short_name(path: Path) -> Iterator[str]:
    """Name a socket in a few bytes for as long as the context lasts: the system allows no more than 107."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
