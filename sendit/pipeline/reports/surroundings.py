"""What a deployment has around its batches, as records: the watcher, the broker, the folders that are no batch yet."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sendit.errors import ServiceDown
from sendit.ground.daemon import Holder, PidFile
from sendit.keys import fingerprint
from sendit.pipeline.intake.contenders import Contender, routes, unknown
from sendit.pipeline.intake.folders import is_finished
from sendit.pipeline.intake.presence import watcher_pid_file
from sendit.pipeline.record import pauses
from sendit.pipeline.workforce import choice
from sendit.projects.composition import Projects
from sendit.projects.site import Site
from sendit.receiving.presence import listener_pid_file

ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".iso")
ENTRIES_LOOKED_AT = 100
"""So many entries of a folder tell whether it holds only folders."""

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
    """What is in the data folders and is no batch, counted."""

    being_written: int = 0
    marked_failed: int = 0
    not_taken: int = 0
    missing: int = 0
    """Data folders that are not there."""
    files: int = 0
    """Files beside the study folders, which no batch takes."""
    archives: int = 0
    """Those of them that are archives by their names."""
    links: int = 0
    """Symbolic links beside the study folders, which nothing follows."""
    of_folders: int = 0
    """Folders that are not taken yet and hold nothing but several folders: one study, or several that are none."""

    def __add__(self, other: FolderCounts) -> FolderCounts:
        names = (field.name for field in dataclasses.fields(self))
        return FolderCounts(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True, slots=True)
class Installation:
    """Which VAR this is, and the fingerprint of its keys: another one means other pseudonyms."""

    var: str
    keys: str


def installation(site: Site) -> Installation:
    """The VAR and keys that a process with these settings uses."""
    return Installation(str(site.var), fingerprint(site.secrets_folder))


def delivery_is_paused() -> bool:
    """Whether somebody has paused delivery."""
    return pauses.is_on()


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


def folders(projects: Projects) -> FolderCounts:
    """What is in the data folders of all projects, counted and not named."""
    return sum((_in(place, names) for place, names in routes(projects.data_folders).items()), FolderCounts())


def _in(place: str, projects: Sequence[str]) -> FolderCounts:
    try:
        with os.scandir(place) as scan:
            items = [item for item in scan if not item.name.startswith(".")]
    except OSError:
        return FolderCounts(missing=1)
    names = [item.name for item in items if item.is_dir(follow_symlinks=False)]
    files = [item.name.lower() for item in items if item.is_file(follow_symlinks=False)]
    paths = [os.path.join(place, name) for name in names if is_finished(name)]
    finished = [Contender(path, 0, project) for path in paths for project in projects]
    new = {contender.path for contender in unknown(finished)}
    return FolderCounts(
        being_written=sum(os.path.splitext(name)[1].lower().startswith(".tmp") for name in names),
        marked_failed=sum(name.lower().endswith(".err") for name in names),
        not_taken=len(new),
        files=len(files),
        archives=sum(name.endswith(ARCHIVES) for name in files),
        links=sum(item.is_symlink() for item in items),
        of_folders=sum(map(_holds_only_folders, new)),
    )


def _holds_only_folders(path: str) -> bool:
    try:
        with os.scandir(path) as scan:
            kinds = [item.is_dir(follow_symlinks=False) for item in islice(scan, ENTRIES_LOOKED_AT)]
    except OSError:
        return False
    return len(kinds) > 1 and all(kinds)


@dataclass(frozen=True, slots=True)
class Space:
    """The free space of a disk."""

    free_bytes: int
    total_bytes: int


def space(folder: Path) -> Space | None:
    """Of the disk that a folder is on; None where it does not say."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return Space(usage.free, usage.total)
