"""Folders that were written to after their batch was done: noticed, and said once.

Nothing of them is delivered by itself: whether the new files belong to the study is for a person to decide.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, cycle, islice

from django.db import transaction

from sendit.errors import DataFault
from sendit.pipeline.intake.folders import fingerprint, list_folder
from sendit.pipeline.record import history
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import State

CODE = "FolderChangedAfterDelivery"
NEWEST = 1000
"""So many batches, the newest that were delivered and the newest that are EMPTY, are looked after."""

LISTINGS = 10
"""So many folders are listed in a round though their own time of change is the old one: files in sub-folders, and files
written in place, do not show in it. They take turns."""


@dataclass(slots=True, repr=False)
class _Kept:
    """What is remembered of a batch between rounds; nothing of one that has the notice, or no identifiers any more."""

    path: str
    fingerprint: str
    unchanged_ns: int


class Aftercare:
    """Looks after the newest finished batches' folders, round after round."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept | None] = {}
        self._turn = 0

    def round(self) -> Iterator[None]:
        """Look at each folder; one is done with at every step, so that the caller may do something else in between."""
        self._remember()
        in_turn = self._in_turn()
        for pk, kept in list(self._kept.items()):
            if kept and (pk in in_turn or _was_touched(kept)):
                self._check(pk, kept)
            yield

    def _remember(self) -> None:
        """Those that came are added, with one look into BatchIdentifiers; those that left are forgotten."""
        newest = set(chain(_newest(State.DONE, "-delivered_at"), _newest(State.EMPTY, "-pk")))
        self._kept = {pk: kept for pk, kept in self._kept.items() if pk in newest}
        missing = sorted(newest - self._kept.keys())
        self._kept |= dict.fromkeys(missing)
        for start in range(0, len(missing), 500):
            batches = Batch.objects.filter(pk__in=missing[start : start + 500], identifiers__isnull=False)
            for batch in batches.select_related("identifiers"):
                if not _has_notice(batch):
                    self._kept[batch.pk] = _Kept(batch.folder.reveal(), batch.fingerprint, _ns(batch.processed_at))

    def _in_turn(self) -> set[int]:
        keys = sorted(self._kept)
        if not keys:
            return set()
        self._turn = (self._turn + LISTINGS) % len(keys)
        return set(islice(cycle(keys), self._turn, self._turn + LISTINGS))

    def _check(self, pk: int, kept: _Kept) -> None:
        try:
            modified_ns = os.stat(kept.path).st_mtime_ns
            entries = list_folder(kept.path)
        except (OSError, DataFault):  # gone: cleaned up, by us or by a person
            return
        content = fingerprint(entries)
        if content == kept.fingerprint:
            kept.unchanged_ns = max(kept.unchanged_ns, modified_ns)
        else:
            mark_changed(pk, content, len(entries))
            self._kept[pk] = None


def _was_touched(kept: _Kept) -> bool:
    """Whether entries came or went since."""
    try:
        return os.stat(kept.path).st_mtime_ns > kept.unchanged_ns
    except OSError:
        return False


def mark_changed(pk: int, content: str, entries: int) -> bool:
    """Note on a DONE or EMPTY batch that its folder's content is another now; False where that is known, or not so."""
    with transaction.atomic():
        batch = Batch.objects.filter(pk=pk, state__in=(State.DONE, State.EMPTY)).first()
        if batch is None or batch.fingerprint == content or _has_notice(batch):
            return False
        notice = {"code": CODE, "tag": "", "count": max(0, entries - batch.found), "stage": "watch"}
        Batch.objects.filter(pk=pk, state=batch.state).update(has_error=True, errors=[*batch.errors, notice])
        history.record("batch.folder_changed_after_delivery", pk)
    return True


def _has_notice(batch: Batch) -> bool:
    return any(error["code"] == CODE for error in batch.errors)


def _newest(state: State, order: str) -> Iterator[int]:
    yield from Batch.objects.filter(state=state).order_by(order).values_list("pk", flat=True)[:NEWEST]


def _ns(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1e9) if moment else 0
