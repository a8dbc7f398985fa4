"""New folders become batches, each once; what a folder holds is not asked."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from sendit.errors import Misconfigured
from sendit.ground.events import Fields
from sendit.ground.phi_field import digest
from sendit.phi import Phi
from sendit.pipeline.intake.folders import is_finished
from sendit.pipeline.intake.open_files import FileId, open_for_writing
from sendit.pipeline.intake.rest import Unrest, unrest
from sendit.pipeline.record import clock, history, statements
from sendit.pipeline.record.models import Batch, BatchIdentifiers
from sendit.pipeline.record.states import Job
from sendit.projects.project import DataFolder
from sendit.receiving.arrivals import arrived

CHUNK = 500
"""Folders looked up in one statement."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A finished folder that may become a batch of a project."""

    path: str
    modified_at: float
    project: str
    changed_at: float = 0.0
    """When entries came or went last: unlike the time of modification, nobody can set that."""

    @property
    def folder_digest(self) -> str:
        """What its batch is looked up by."""
        return digest(os.fsencode(self.path))


def existing(folders: Sequence[DataFolder]) -> list[str]:
    """The paths of data folders. Raises Misconfigured("NoSuchFolder") with the setting and the path of one that is not
    there, which are the site's own and identify nobody."""
    return [_existing(folder.named_by, path) for folder, path in zip(folders, places(folders), strict=True)]


def places(folders: Iterable[DataFolder]) -> list[str]:
    """The paths of data folders, whether they are there or not, with links resolved as they are now."""
    return [os.path.realpath(folder.path) for folder in folders]


def routes(folders: Iterable[tuple[str, DataFolder]]) -> dict[str, list[str]]:
    """The path of each data folder, whether it is there or not, with the projects that take its studies."""
    found: dict[str, list[str]] = {}
    for project, folder in folders:
        (place,) = places([folder])
        if project not in found.setdefault(place, []):
            found[place].append(project)
    return found


def _existing(setting: str, path: str) -> str:
    if not (os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK)):
        raise Misconfigured("NoSuchFolder", subject=f"{setting}: {path}")
    return path


def contenders(folder: str, project: str) -> list[Contender]:
    """The finished folders in a data folder, oldest first. A link to a folder is none."""
    return sorted(_finished(folder, project), key=lambda found: (found.modified_at, os.fsencode(found.path)))


def _finished(folder: str, project: str) -> Iterator[Contender]:
    with os.scandir(folder) as scan:
        for item in scan:
            try:
                if is_finished(item.name) and item.is_dir(follow_symlinks=False):
                    status = item.stat(follow_symlinks=False)
                    yield Contender(item.path, status.st_mtime, project, status.st_ctime)
            except OSError:  # gone, or not ours to see, between two looks
                continue


def unknown(found: Iterable[Contender]) -> Iterator[Contender]:
    """Those that are no batch yet, in their order."""
    waiting = list(found)
    if waiting:
        clock.now()  # so that `admit` has it at hand
    for start in range(0, len(waiting), CHUNK):
        chunk = {
            (contender.project, contender.folder_digest): contender for contender in waiting[start : start + CHUNK]
        }
        found_before = Batch.objects.filter(folder_digest__in={digest for _, digest in chunk})
        known = set(found_before.values_list("project", "folder_digest"))
        yield from (contender for key, contender in chunk.items() if key not in known)


def admit(contender: Contender, actor: str = "") -> Batch | None:
    """A queued batch for a folder that is known to be finished, or None where there is one already."""
    uid, now = os.path.basename(contender.path), clock.at_hand()
    try:
        with transaction.atomic():
            batch = Batch.objects.create(
                project=contender.project,
                folder_digest=contender.folder_digest,
                uid_digest=digest(os.fsencode(uid)),
                state=Job.PROCESS.waiting,  # the first state would be seen by nobody: it is one transaction
                queued_at=now,
                not_before=now,
            )
            nothing = dict.fromkeys(("files", "extracted", "request", "response"), Phi(None))
            folder = Phi({"uid": uid, "path": contender.path})
            statements.insert(BatchIdentifiers, {"batch": batch.pk, "folder": folder, **nothing})
            history.record_all(batch.pk, ("batch.found", {}), *_received(contender), ("batch.queued", {}), actor=actor)
    except IntegrityError:  # another process was faster
        return None
    return batch


def _received(contender: Contender) -> Iterator[tuple[str, Fields]]:
    """How the folder arrived, for the history, where the listener made it."""
    received = arrived(contender.folder_digest)
    if received:
        yield "batch.received", {"evidence": received.evidence, "images": received.images}


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A folder that was not taken, and why."""

    path: Phi[str]
    why: Unrest


@dataclass(frozen=True, slots=True)
class Added:
    """How many folders became batches, which were left, and how many batches were queued again for they had grown."""

    number: int
    left: tuple[NotTaken, ...]
    grown: int = 0

    def __add__(self, other: Added) -> Added:
        return Added(self.number + other.number, (*self.left, *other.left), self.grown + other.grown)


def add_up_to(limit: int | None, folders: Iterable[str], project: str, settle_seconds: float, actor: str = "") -> Added:
    """Queue new folders, oldest first in each data folder in turn.

    Those that are still being written are asked again after `settle_seconds`, once.
    """
    waiting = [contender for folder in folders for contender in unknown(contenders(folder, project))]
    added, left = _add_all(waiting, limit, settle_seconds, actor)
    if left and added != limit:
        time.sleep(settle_seconds)
        still = None if limit is None else limit - added
        more, left = _add_all([contender for contender, _ in left], still, settle_seconds, actor)
        added += more
    return Added(added, tuple(NotTaken(Phi(contender.path), why) for contender, why in left))


def _add_all(
    waiting: Iterable[Contender], limit: int | None, settle_seconds: float, actor: str
) -> tuple[int, list[tuple[Contender, Unrest]]]:
    added, left = 0, []
    opened: frozenset[FileId] = open_for_writing() if settle_seconds else frozenset()
    for contender in waiting:
        if added == limit:
            break
        if why := unrest(contender.path, settle_seconds, opened):
            left.append((contender, why))
        elif admit(contender, actor):
            added += 1
    return added, left
