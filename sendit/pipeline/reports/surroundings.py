"""What a deployment has around its batches, as records: the watcher, the broker, the folders that are no batch yet."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

from sendit.errors import ServiceDown
from sendit.ground.daemon import Holder, PidFile
from sendit.keys import fingerprint
from sendit.pipeline.intake.contenders import Contender, places, unknown
from sendit.pipeline.intake.folders import is_finished
from sendit.pipeline.intake.presence import watcher_pid_file
from sendit.pipeline.workforce import choice
from sendit.projects.project import Project
from sendit.projects.site import Site
from sendit.receiving.presence import listener_pid_file

SILENT_SECONDS = 120
"""A watcher that has not been heard from for so long hangs, on a network share as a rule."""


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """Whether the watcher or the listener runs."""

    pid: int | None
    silent_seconds: float = 0.0
    died: bool = False

    @property
    def runs(self) -> bool:
        """Whether its process lives."""
        return self.pid is not None

    @property
    def hangs(self) -> bool:
        """Whether it has not been heard from for too long."""
        return self.runs and self.silent_seconds > SILENT_SECONDS


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """Whether it answers, and how many messages wait in it, by queue."""

    answers: bool
    messages: dict[str, int]


@dataclass(frozen=True, slots=True)
class FolderCounts:
    """What waits in the data folders that is no batch: still being written, marked `.err`, finished but not taken."""

    being_written: int = 0
    marked_failed: int = 0
    not_taken: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Installation:
    """Which VAR this is, and the fingerprint of its keys: another one means other pseudonyms."""

    var: str
    keys: str


def installation(site: Site) -> Installation:
    """The VAR and keys that a process with these settings uses."""
    return Installation(str(site.var), fingerprint(site.secrets_folder))


def watcher(var: Path) -> ServiceStatus:
    """The watcher of this VAR, by its pid file."""
    return _status(watcher_pid_file(var))


def listener(var: Path) -> ServiceStatus | None:
    """The listener of this VAR, by its pid file; None where none was ever started."""
    pid_file = listener_pid_file(var)
    return _status(pid_file) if pid_file.path.exists() else None


def _status(pid_file: PidFile) -> ServiceStatus:
    match pid_file.holder():
        case Holder(pid, silent_seconds):
            return ServiceStatus(pid, silent_seconds)
    return ServiceStatus(None, died=pid_file.left_behind() is not None)


def broker() -> BrokerStatus | None:
    """The broker; None where local processes work and there is none."""
    try:
        messages = choice.messages()
    except ServiceDown:
        return BrokerStatus(False, {})
    return None if messages is None else BrokerStatus(True, messages)


def folders(project: Project) -> FolderCounts:
    """The folders of a project, counted and not named."""
    counts = FolderCounts()
    for place in places(project.data_folders):
        try:
            names = [item.name for item in os.scandir(place) if item.is_dir(follow_symlinks=False)]
        except OSError:
            counts = dataclasses.replace(counts, missing=counts.missing + 1)
            continue
        marked = sum(name.lower().endswith(".err") for name in names)
        written = sum(os.path.splitext(name)[1].lower().startswith(".tmp") for name in names)
        finished = [Contender(os.path.join(place, name), 0, project.name) for name in names if is_finished(name)]
        counts = FolderCounts(
            being_written=counts.being_written + written,
            marked_failed=counts.marked_failed + marked,
            not_taken=counts.not_taken + sum(1 for _ in unknown(finished)),
            missing=counts.missing,
        )
    return counts
