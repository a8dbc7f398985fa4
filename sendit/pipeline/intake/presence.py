"""Where the watcher says that it runs."""

from __future__ import annotations

from pathlib import Path

from sendit.ground.daemon import PidFile


def watcher_pid_file(var: Path) -> PidFile:
    """Which process the watcher of this VAR is."""
    return PidFile(var / "watcher.pid")
