"""Where the listener says that it runs."""

from __future__ import annotations

from pathlib import Path

from sendit.ground.daemon import PidFile


def listener_pid_file(var: Path) -> PidFile:
    """Return the pid file of the listener of this VAR."""
    return PidFile(var / "listener.pid", "Listener")
