"""The watcher: finished folders become batches as they come, and the workforce works on them, for ever.

A thin loop around three that decide: `settling` (which folder is finished), `folder_events` (when to look), `aftercare`
(which was written to when it was too late). Whatever goes wrong in a round is said in the log, and the next round
tries again.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

from sendit.errors import BrokenPromise, DataFault, Misconfigured, ServiceDown
from sendit.ground import database, events
from sendit.pipeline.intake import growth
from sendit.pipeline.intake.aftercare import Aftercare
from sendit.pipeline.intake.contenders import Contender, admit, routes, unknown
from sendit.pipeline.intake.folder_events import FolderEvents
from sendit.pipeline.intake.folders import fingerprint, is_finished, list_folder
from sendit.pipeline.intake.open_files import FileId, open_for_writing
from sendit.pipeline.intake.settling import Content, FolderTracker, Sighting
from sendit.pipeline.record.history import WATCHER
from sendit.projects.composition import Projects

IDLE_SECONDS = 0.25
"""How long a round waits for a folder's event."""

WAKE_SECONDS = 1.0
"""How often the workers are woken though nothing was found: a batch may be due again, or its worker dead."""

AGAIN_SECONDS = 5.0
"""How often, at the least, a folder is looked at until it settles."""

OPEN_SECONDS = 1.0
"""For how long it is taken as known which files are open for writing: to ask takes tens of milliseconds."""

SLICE_SECONDS = 0.2
"""How long a round may take folders in before the workers are woken."""

PAUSE_SECONDS = 30.0
"""How long a pool rests whose workers only die."""


class Workforce(Protocol):
    """Who works on what the watcher finds."""

    def is_working(self) -> bool:
        """Whether workers are there, as far as this process has to see to it."""

    def wake(self) -> None:
        """Say that there may be work."""


class Watcher:
    """Looks and works until it must stop.

    Parameters
    ----------
    projects : Projects
    workforce : callable
        Makes a workforce for as long as a context lasts; another one when its workers only died.
    must_stop : callable
        Asked every round.
    beat : callable
        Called every round: the watcher lives.
    """

    def __init__(
        self,
        projects: Projects,
        workforce: Callable[[], AbstractContextManager[Workforce]],
        must_stop: Callable[[], bool],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._site, self._projects = projects.site, projects
        self._workforce, self._must_stop, self._beat = workforce, must_stop, beat
        self._woken = threading.Event()
        self._opened: frozenset[FileId] = frozenset()
        self._tracker = FolderTracker(self._site.settle_seconds)
        self._aftercare = Aftercare(self._site.settle_seconds)
        self._arrivals: deque[Contender] = deque()
        self._chore: Iterator[None] = iter(())
        self._troubles: set[str] = set()
        self._routes_before: dict[str, list[str]] = {}
        self._opened_at = -OPEN_SECONDS
        self._look_at = self._rescan_at = self._may_look_at = self._wake_at = 0.0

    def wake(self) -> None:
        """Look now; from any thread, but not from a signal's handler, which may find the event's own lock held."""
        self._woken.set()

    def run(self) -> None:
        """Watch; returns when it must stop and every worker has put its batch back."""
        folder_events = FolderEvents(self._places, self.wake, lambda is_well: self._say("NoEvents", is_well))
        folder_events.start()
        events.log("watcher.started", pid=os.getpid(), folders=len(self._places()))
        try:
            while not self._must_stop():
                self._work()
        finally:
            folder_events.stop()
            events.log("watcher.stopped", pid=os.getpid())

    def _work(self) -> None:
        """With one workforce, until it must stop or its workers only die."""
        try:
            with self._workforce() as workers:
                while not self._must_stop():
                    self._round(workers)
        except BrokenPromise as error:
            if error.code != "WorkersDie":
                raise
            self._say(error.code, False)
            self._pause(PAUSE_SECONDS)

    def _round(self, workers: Workforce) -> None:
        self._beat()
        try:
            self._look_if_due()
            self._say("DatabaseDown", True)
        except database.AWAY:
            database.reconnect()
            self._say("DatabaseDown", False)
            self._arrivals.clear()
            self._look_at = 0.0
            self._pause(1)
        workers.is_working()
        self._wake_if_due(workers)
        if not self._arrivals:
            self._woken.wait(min(IDLE_SECONDS, max(0.0, self._look_at - time.monotonic())))

    def _wake_if_due(self, workers: Workforce) -> None:
        """Without a broker, batches are found all the same, and wait."""
        if time.monotonic() < self._wake_at:
            return
        self._wake_at = time.monotonic() + WAKE_SECONDS
        try:
            workers.wake()
            self._say("BrokerDown", True)
        except ServiceDown as error:
            self._say(error.code, False)

    def _pause(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at and not self._must_stop():
            self._beat()
            time.sleep(0.1)

    def _say(self, code: str, is_well: bool) -> None:
        """In the log, when it begins and when it is over."""
        if is_well and code in self._troubles:
            self._troubles.discard(code)
            events.log("watcher.sees", code=code)
        elif not is_well and code not in self._troubles:
            self._troubles.add(code)
            events.log("watcher.blind", code=code)

    # ------------------------------------------------------------------------------------------ looking

    def _look_if_due(self) -> None:
        now = time.monotonic()
        must_look = now >= self._rescan_at
        if must_look:
            self._rescan_at = now + self._site.rescan_seconds
            self._chore = self._aftercare.round()
        if self._woken.is_set():
            self._woken.clear()
            self._look_at = min(self._look_at, max(now, self._may_look_at))
        if must_look or (now >= self._look_at and not self._arrivals):  # what the last look found comes first
            self._look_at = self._rescan_at
            self._arrivals = deque(self._unknown(self._tracker.observe(self._sightings())))
            self._may_look_at = time.monotonic() + 2 * (time.monotonic() - now)  # a huge folder is not all we look at
        self._admit()
        self._do_chore()

    def _admit(self) -> None:
        """Make batches of what is new and finished, for at most a slice of time."""
        began_at, found = time.monotonic(), 0
        if self._arrivals and self._site.settle_seconds and began_at >= self._opened_at + OPEN_SECONDS:
            self._opened, self._opened_at = open_for_writing(), began_at
        while self._arrivals and time.monotonic() < began_at + SLICE_SECONDS:
            found += self._take(self._arrivals.popleft())
        if self._tracker.is_waiting:
            again_seconds = max(IDLE_SECONDS, min(self._site.settle_seconds / 2, AGAIN_SECONDS))
            self._look_at = min(self._look_at, began_at + again_seconds)
        if found:
            self._wake_at = 0.0
            events.log("watcher.found", folders=found, seconds=round(time.monotonic() - began_at, 3))

    def _places(self) -> list[str]:
        return list(self._routes())

    def _routes(self) -> dict[str, list[str]]:
        """The data folders, each with the projects that take its studies."""
        try:
            found = routes(self._projects.data_folders)
            self._say("BadProject", not self._projects.refused)
        except Misconfigured:  # the folder of the projects' files cannot be read, for now
            self._say("BadProject", False)
            return {}
        if found != self._routes_before:
            self._tracker.forget_taken()  # a project that is new takes what is there, too
            self._routes_before = found
        return found

    def _sightings(self) -> dict[str, Sighting]:
        """Every folder in the data folders, as far as those can be listed."""
        seen: dict[str, Sighting] = {}
        is_well = True
        for place in self._places():
            try:
                seen |= _listed(place)
            except OSError:
                is_well = False
        self._say("NoSuchFolder", is_well)
        return seen

    def _unknown(self, paths: list[str]) -> list[Contender]:
        """Those that are no batch yet, oldest first; the others are not asked about again."""
        contenders = sorted(_contenders(paths, self._routes()), key=lambda contender: contender.modified_at)
        new = list(unknown(contenders))
        growth.take_up_all(set(contenders) - set(new), self._site.settle_seconds, None, WATCHER)
        for path in {contender.path for contender in contenders} - {contender.path for contender in new}:
            self._tracker.take(path)
        return new

    def _take(self, contender: Contender) -> bool:
        """Make a batch of it, if it is finished."""
        content = partial(_content, contender.path, self._opened)
        if not self._tracker.is_settled(contender.path, content, time.monotonic()):
            return False
        batch = admit(contender, WATCHER)
        if not self._arrivals or self._arrivals[0].path != contender.path:  # else it is of another project, too
            self._tracker.take(contender.path)
        return batch is not None

    def _do_chore(self) -> None:
        """A little of what has time."""
        ends_at = time.monotonic() + SLICE_SECONDS
        for _ in self._chore:
            if time.monotonic() > ends_at:
                break


def _listed(place: str) -> dict[str, Sighting]:
    with os.scandir(place) as items:
        folders = (item for item in items if item.is_dir(follow_symlinks=False))
        return {item.path: Sighting(item.inode(), is_finished(item.name)) for item in folders}


def _contenders(paths: list[str], projects: Mapping[str, list[str]]) -> Iterator[Contender]:
    """A folder is one of each project whose data folder it is in."""
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:  # gone between two looks
            continue
        for project in projects.get(os.path.dirname(path), ()):
            yield Contender(path, status.st_mtime, project, status.st_ctime)


def _content(folder: str, opened: frozenset[FileId]) -> Content:
    """A folder that cannot be listed settles too: its batch will say why.

    A copy that preserves modification times cannot set the time of change, which is in the stamp.
    """
    try:
        entries = list_folder(folder)
        newest_at = max(
            os.stat(folder).st_mtime, *(max(each.modified_ns, each.changed_ns) / 1e9 for each in entries), 0
        )
    except (OSError, DataFault):
        return Content("unlisted", 0)
    is_open = any(entry.file_id in opened for entry in entries)
    return Content(fingerprint(entries), time.time() - newest_at, is_open)
