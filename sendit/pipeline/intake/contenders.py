"""New folders become batches, each once. Where is looked is WIRE 2's choice; what a folder holds is not asked."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from sendit.errors import Misconfigured
from sendit.phi import Phi
from sendit.pipeline.intake.folders import has_settled, is_finished
from sendit.pipeline.record import history, statements
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Image
from sendit.pipeline.record.phi_field import digest
from sendit.pipeline.record.states import Job

CHUNK = 500
"""Folders looked up in one statement."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A finished folder that may become a batch."""

    path: str
    modified_at: float

    @property
    def folder_digest(self) -> str:
        """What its batch is looked up by."""
        return digest(os.fsencode(self.path))


def data_folders(subfolder: str | None = None) -> list[str]:
    """Where study folders are looked for: `subfolder`, else DATA_INPUT_FOLDERS, else DATA_BASE/DATA_SUBFOLDER.

    Relative ones are below DATA_BASE. Raises Misconfigured("NoSuchFolder") with the setting's name.
    """
    return [_existing(setting, path) for setting, path in places(subfolder)]


def places(subfolder: str | None = None) -> list[tuple[str, str]]:
    """The same, whether they are there or not: the setting's name and the path of each."""
    if subfolder:
        named = [("--subfolder", subfolder)]
    elif settings.DATA_INPUT_FOLDERS:
        named = [("SENDIT_DATA_INPUT_FOLDERS", folder) for folder in settings.DATA_INPUT_FOLDERS]
    else:
        name = "SENDIT_DATA_SUBFOLDER" if settings.DATA_SUBFOLDER else "SENDIT_DATA_BASE"
        named = [(name, settings.DATA_SUBFOLDER)]
    return [(setting, os.path.realpath(os.path.join(settings.DATA_BASE, folder))) for setting, folder in named]


def _existing(setting: str, path: str) -> str:
    if not (os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK)):
        raise Misconfigured("NoSuchFolder", subject=setting)
    return path


def contenders(folder: str) -> list[Contender]:
    """The finished folders in a data folder, oldest first. A link to a folder is none."""
    return sorted(_finished(folder), key=lambda found: (found.modified_at, os.fsencode(found.path)))


def _finished(folder: str) -> Iterator[Contender]:
    with os.scandir(folder) as scan:
        for item in scan:
            try:
                if is_finished(item.name) and item.is_dir(follow_symlinks=False):
                    yield Contender(item.path, item.stat(follow_symlinks=False).st_mtime)
            except OSError:  # gone, or not ours to see, between two looks
                continue


def unknown(found: Iterable[Contender]) -> Iterator[Contender]:
    """Those that are no batch yet, in their order."""
    waiting = list(found)
    for start in range(0, len(waiting), CHUNK):
        chunk = {contender.folder_digest: contender for contender in waiting[start : start + CHUNK]}
        known = set(Batch.objects.filter(folder_digest__in=list(chunk)).values_list("folder_digest", flat=True))
        yield from (contender for key, contender in chunk.items() if key not in known)


def add(contender: Contender) -> Batch | None:
    """A queued batch for the folder, or None where there is one already or the folder is still being written to."""
    return admit(contender) if has_settled(contender.path, settings.SETTLE_SECONDS) else None


def admit(contender: Contender) -> Batch | None:
    """A queued batch for a folder that is known to be finished, or None where there is one already."""
    uid, now = os.path.basename(contender.path), timezone.now()
    try:
        with transaction.atomic():
            batch = Batch.objects.create(
                folder_digest=contender.folder_digest,
                uid_digest=digest(os.fsencode(uid)),
                state=Job.PROCESS.waiting,  # the first state would be seen by nobody: it is one transaction
                queued_at=now,
                not_before=now,
            )
            nothing = dict.fromkeys(("files", "extracted", "request", "response"), Phi(None))
            folder = Phi({"uid": uid, "path": contender.path})
            statements.insert(BatchIdentifiers, {"batch": batch.pk, "folder": folder, **nothing})
            history.record_all(batch.pk, ("batch.found", {}), ("batch.queued", {}))
    except IntegrityError:  # another process was faster
        return None
    return batch


def queue(batch: Batch, **terms: Any) -> bool:
    """Put a batch into the queue, as new. False where another was faster."""
    now = timezone.now()
    anew = {
        "queued_at": now,
        "not_before": now,
        "attempts": 0,
        "postponements": 0,
        "folder_changes": 0,
        "waits_for": "",
    }
    with transaction.atomic(savepoint=False):  # which would cost two round trips where a transaction is under way
        if not batch.move(Job.PROCESS.waiting, **anew, **terms):
            return False
        history.record("batch.queued", batch.pk)
    return True


NOTHING_YET: dict[str, Any] = {
    "found": 0, "delivered": 0, "filtered": 0, "errored": 0, "has_error": False, "errors": [], "processed_at": None,
}  # fmt: skip


def retry(batch: Batch) -> bool:
    """Put a batch in ERROR or EMPTY into the queue, as if it were new. False where another was faster."""
    state = batch.state
    with transaction.atomic():
        if not queue(batch, **NOTHING_YET):
            return False
        Image.objects.filter(batch=batch).delete()
        history.record("batch.retried", batch.pk, state=state)
    return True


def add_up_to(limit: int | None, folders: Iterable[str]) -> int:
    """Queue new folders, oldest first in each data folder in turn; returns how many.

    One that was written to just now is asked again after SETTLE_SECONDS, once.
    """
    waiting = [contender for folder in folders for contender in unknown(contenders(folder))]
    added, unsettled = _add_all(waiting, limit)
    if unsettled and added != limit:
        time.sleep(settings.SETTLE_SECONDS)
        added += _add_all(unsettled, None if limit is None else limit - added)[0]
    return added


def _add_all(waiting: Iterable[Contender], limit: int | None) -> tuple[int, list[Contender]]:
    added, left = 0, []
    for contender in waiting:
        if added == limit:
            break
        if add(contender):
            added += 1
        else:
            left.append(contender)
    return added, left
