"""When a folder is finished: a pure decision, fed by whoever looks. Knows no clock, no file system, no database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

SURE_SECONDS = 60.0
"""A folder that was written to this long ago by its own times is finished, however far apart two clocks may be."""


@dataclass(frozen=True, slots=True, repr=False)
class Sighting:
    """A folder as a listing shows it: its inode, and whether its name says that it may be taken."""

    inode: int
    is_finished: bool


@dataclass(frozen=True, slots=True, repr=False)
class Content:
    """What a folder holds, as a fingerprint, and how long ago it was last written to by its own times."""

    fingerprint: str
    age_seconds: float
    is_open: bool = False
    """Whether a process holds a file of it open for writing."""


class FolderTracker:
    """Decides which folders may be taken.

    A folder is finished when it was seen under a name of being written (`.tmp*`) and now has another, for so its
    writer says that it is; otherwise when its content has stayed the same for `settle_seconds` and no file of it is
    open for writing. That is measured between two looks: the times of a network share's files are another machine's.

    Parameters
    ----------
    settle_seconds : float
    """

    def __init__(self, settle_seconds: float) -> None:
        self._settle_seconds = settle_seconds
        self._taken: set[str] = set()
        self._being_written: set[int] = set()
        self._said_finished: set[str] = set()
        self._quiet_since: dict[str, tuple[str, float]] = {}

    def observe(self, seen: Mapping[str, Sighting]) -> list[str]:
        """Take in a listing of everything there is; returns the paths that may be taken and are not yet."""
        new = [path for path, sighting in seen.items() if sighting.is_finished and path not in self._taken]
        self._said_finished |= {path for path in new if seen[path].inode in self._being_written}
        self._being_written = {sighting.inode for sighting in seen.values() if not sighting.is_finished}
        self._taken &= seen.keys()
        self._said_finished &= seen.keys()
        self._quiet_since = {path: quiet for path, quiet in self._quiet_since.items() if path in seen}
        return new

    def is_settled(self, path: str, look: Callable[[], Content], now: float) -> bool:
        """Whether a folder that `observe` returned is finished; `now` in seconds, on any clock that only goes on."""
        if path in self._said_finished or not self._settle_seconds:
            return True
        content = look()
        if content.is_open:
            self._quiet_since[path] = ("", now)
            return False
        if content.age_seconds >= max(SURE_SECONDS, self._settle_seconds):
            return True
        fingerprint, since = self._quiet_since.get(path, ("", now))
        if fingerprint != content.fingerprint:
            since = now
        self._quiet_since[path] = (content.fingerprint, since)
        return now - since >= self._settle_seconds

    def take(self, path: str) -> None:
        """It is taken: not to be returned again while it is there."""
        self._taken.add(path)
        self._said_finished.discard(path)
        self._quiet_since.pop(path, None)

    def forget_taken(self) -> None:
        """Return what was taken again, while it is there."""
        self._taken.clear()

    @property
    def is_waiting(self) -> bool:
        """Whether a folder is being looked at until it settles."""
        return bool(self._quiet_since)
