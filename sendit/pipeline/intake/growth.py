"""A folder that was written to after its batch was done: the same batch is queued again, for what is new in it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db import transaction

from sendit.errors import DataFault
from sendit.phi import Phi
from sendit.pipeline.intake.contenders import CHUNK, Added, Contender, NotTaken
from sendit.pipeline.intake.folders import fingerprint, list_folder
from sendit.pipeline.intake.open_files import open_for_writing
from sendit.pipeline.intake.rest import Unrest, unrest
from sendit.pipeline.record import clock, history, statements
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Event
from sendit.pipeline.record.states import GROWING, Job

NEWEST = 1000
"""So many of a data folder's batches are listed, the newest first. Of the others only the folder's own time of change
is looked at, in which files in sub-folders, and files written in place, do not show."""


def take_up(pk: int, content: str, actor: str, folder: str | None = None) -> bool:
    """Queue a finished batch whose folder's content is another now; False where it is not, or is on the move.

    Parameters
    ----------
    folder : str, optional
        The folder's path, which is written down again where it was purged.
    """
    now = clock.now()
    with transaction.atomic():
        batch = Batch.objects.filter(pk=pk, state__in=GROWING).first()
        if batch is None or (batch.fingerprint == content and not came_back(pk)):
            return False
        was = batch.state
        if not batch.move(Job.PROCESS.waiting, queued_at=now, not_before=now, folder_changes=0):
            return False
        if folder is not None and not BatchIdentifiers.objects.filter(batch=pk).exists():
            _write_down(pk, folder)
        history.record_by(actor, "batch.folder_grew", pk, state=was)
    return True


def came_back(pk: int) -> bool:
    """Whether the batch's originals were deleted and nobody has taken up since what is in its folder now."""
    names = Event.objects.filter(batch=pk, name__in=("batch.originals_deleted", "batch.folder_grew"))
    return names.order_by("-pk").values_list("name", flat=True).first() == "batch.originals_deleted"


def _write_down(pk: int, folder: str) -> None:
    nothing = dict.fromkeys(("files", "extracted", "request", "response"), Phi(None))
    place = Phi({"uid": os.path.basename(folder), "path": folder})
    statements.insert(BatchIdentifiers, {"batch": pk, "folder": place, **nothing})


def take_up_all(known: Iterable[Contender], settle_seconds: float, limit: int | None, actor: str) -> Added:
    """Queue the finished batches among these folders that have changed since.

    Those that are still being written are asked again after `settle_seconds`, once.
    """
    taken, left = _take_up(_changed(list(known)), settle_seconds, limit, actor)
    if left and taken != limit:
        time.sleep(settle_seconds)
        still = None if limit is None else limit - taken
        more, left = _take_up(((pk, contender) for pk, contender, _ in left), settle_seconds, still, actor)
        taken += more
    return Added(taken, tuple(NotTaken(Phi(contender.path), why) for _, contender, why in left))


def _take_up(
    changed: Iterable[tuple[int, Contender]], settle_seconds: float, limit: int | None, actor: str
) -> tuple[int, list[tuple[int, Contender, Unrest]]]:
    taken, left = 0, []
    for pk, contender in changed:
        if taken == limit:
            break
        content = content_of(contender.path)
        if not content or (Batch.objects.filter(pk=pk, fingerprint=content).exists() and not came_back(pk)):
            continue
        if why := unrest(contender.path, settle_seconds, open_for_writing() if settle_seconds else frozenset()):
            left.append((pk, contender, why))
        else:
            taken += take_up(pk, content, actor, contender.path)
    return taken, left


def content_of(folder: str) -> str:
    """The fingerprint of what a folder holds; blank where it holds nothing, or may not be listed."""
    try:
        entries = list_folder(folder)
    except DataFault:
        return ""
    return fingerprint(entries) if entries else ""


def _changed(known: list[Contender]) -> Iterator[tuple[int, Contender]]:
    """The finished batches whose folders may have changed, the newest first."""
    found: list[tuple[datetime, int, Contender]] = []
    for start in range(0, len(known), CHUNK):
        by_digest = {(each.project, each.folder_digest): each for each in known[start : start + CHUNK]}
        digests = {digest for _, digest in by_digest}
        batches = Batch.objects.filter(folder_digest__in=digests, state__in=GROWING, processed_at__isnull=False)
        for project, digest, pk, at in batches.values_list("project", "folder_digest", "pk", "processed_at"):
            if (project, digest) in by_digest and at is not None:
                found.append((at, pk, by_digest[project, digest]))
    found.sort(key=lambda one: one[:2], reverse=True)
    for place, (at, pk, contender) in enumerate(found):
        if place < NEWEST or contender.changed_at >= at.timestamp():
            yield pk, contender
