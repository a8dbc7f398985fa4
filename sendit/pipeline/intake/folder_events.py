"""Wakes the watcher when an entry of a data folder comes, goes or is renamed, where the operating system tells.

It only wakes: what has changed is for the watcher to look up, so a lost, doubled or unreadable event costs nothing.
Only the data folders themselves are watched, not what is in them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence

import watchfiles

STEP_MS, DEBOUNCE_MS, TIMEOUT_MS = 20, 200, 500
"""An event is told after so long without another, at the latest after so long; without one, we come up for air."""

MISSING_SECONDS = 1.0
"""How often a data folder that is not there is looked for."""

FAILURES, PAUSE_SECONDS = 3, 60.0
"""After so many failures in a row the system cannot tell; it is asked again after a pause."""

Identity = tuple[int, int]


class FolderEvents(threading.Thread):
    """A thread that calls `wake` after every event, and `tell` with whether there will be any, when that changes.

    A folder that is removed and made again, unmounted or mounted has another identity and gets a new watch: an
    operating system does not say that it watches what is not there any more.
    """

    def __init__(
        self, folders: Callable[[], Sequence[str]], wake: Callable[[], None], tell: Callable[[bool], None]
    ) -> None:
        super().__init__(name="folder events", daemon=True)
        self._folders, self._wake, self._tell = folders, wake, tell
        self._over = threading.Event()
        self._failures = 0

    def stop(self) -> None:
        """End soon."""
        self._over.set()

    def run(self) -> None:
        """Watch until stopped."""
        while not self._over.is_set():
            present = self._present()
            if present:
                self._watch(present)
            self._over.wait(self._pause_seconds(present))

    def _watch(self, present: dict[str, Identity]) -> None:
        """Watch these folders until they are not what they were."""
        try:
            for number, changes in enumerate(self._changes(present)):
                if changes or number == 0:  # what came before the watch began was not told
                    self._wake()
                self._recover()
                if self._present() != present or any(path in present for _, path in changes):
                    break  # the folder itself; a new one may have the inode of the old
        except (OSError, RuntimeError) as error:  # too many watches; gone in between; a name that is not UTF-8
            self._failures += "decode" not in str(error)
            if self._failures == FAILURES:
                self._tell(False)
        self._wake()

    def _recover(self) -> None:
        if self._failures >= FAILURES:
            self._tell(True)
        self._failures = 0

    def _changes(self, present: dict[str, Identity]) -> Iterator[set[tuple[watchfiles.Change, str]]]:
        return watchfiles.watch(
            *present,
            watch_filter=None,
            recursive=False,
            step=STEP_MS,
            debounce=DEBOUNCE_MS,
            rust_timeout=TIMEOUT_MS,
            yield_on_timeout=True,
            stop_event=self._over,
        )

    def _pause_seconds(self, present: dict[str, Identity]) -> float:
        if self._failures >= FAILURES:
            return PAUSE_SECONDS
        return 0.0 if present else MISSING_SECONDS

    def _present(self) -> dict[str, Identity]:
        """The folders that are there, with what tells one from another of the same name."""
        return {folder: identity for folder in self._folders() if (identity := _identity(folder))}


def _identity(folder: str) -> Identity | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino
