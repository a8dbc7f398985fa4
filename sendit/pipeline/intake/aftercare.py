"""Folders that were written to after their batch was done: the batch is queued again, and delivers what is new."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, cycle, islice

from sendit.errors import DataFault
from sendit.pipeline.intake import growth
from sendit.pipeline.intake.folders import fingerprint, list_folder
from sendit.pipeline.intake.open_files import open_for_writing
from sendit.pipeline.intake.rest import unrest
from sendit.pipeline.record.history import WATCHER
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import State

NEWEST = 1000
"""So many batches, the newest that were delivered and the newest that are EMPTY, are looked after."""

LISTINGS = 10
"""So many folders are listed in a round though their own time of change is the old one: files in sub-folders, and files
written in place, do not show in it. They take turns."""


@dataclass(slots=True, repr=False)
class _Kept:
    """What is remembered of a batch between rounds; nothing of one that has no identifiers any more."""

    path: str
    fingerprint: str
    unchanged_ns: int
    is_changing: bool = False
    """Whether it was seen with another content, and is looked at until it has settled."""


class Aftercare:
    """Looks after the newest finished batches' folders, round after round.

    Parameters
    ----------
    settle_seconds : float
        How long nobody must have written to a folder before what is new in it is taken up.
    """

    def __init__(self, settle_seconds: float) -> None:
        self._settle_seconds = settle_seconds
        self._kept: dict[int, _Kept | None] = {}
        self._turn = 0

    def round(self) -> Iterator[None]:
        """Look at each folder; one is done with at every step, so that the caller may do something else in between."""
        self._remember()
        in_turn = self._in_turn()
        for pk, kept in list(self._kept.items()):
            if kept and (kept.is_changing or pk in in_turn or _was_touched(kept)):
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
                self._kept[batch.pk] = _Kept(batch.folder.reveal(), batch.fingerprint, _ns(batch.processed_at))

    def _in_turn(self) -> set[int]:
        keys = sorted(self._kept)
        if not keys:
            return set()
        self._turn = (self._turn + LISTINGS) % len(keys)
        return set(islice(cycle(keys), self._turn, self._turn + LISTINGS))

    def _check(self, pk: int, kept: _Kept) -> None:
        try:
            changed_ns = _changed_ns(kept.path)
            entries = list_folder(kept.path)
        except (OSError, DataFault):  # gone: cleaned up, by us or by a person
            return
        content = fingerprint(entries)
        if content == kept.fingerprint:
            kept.unchanged_ns = max(kept.unchanged_ns, changed_ns)
        elif not entries or not _has_settled(kept.path, self._settle_seconds):
            kept.is_changing = bool(entries)
        else:
            growth.take_up(pk, content, WATCHER)
            del self._kept[pk]  # what is to be remembered of it is another when it is done again


def _has_settled(folder: str, settle_seconds: float) -> bool:
    return unrest(folder, settle_seconds, open_for_writing() if settle_seconds else frozenset()) is None


def _changed_ns(folder: str) -> int:
    """When entries came or went last; a copy that preserves times sets one of these, and cannot set the other."""
    status = os.stat(folder)
    return max(status.st_mtime_ns, status.st_ctime_ns)


def _was_touched(kept: _Kept) -> bool:
    """Whether entries came or went since."""
    try:
        return _changed_ns(kept.path) > kept.unchanged_ns
    except OSError:
        return False


def _newest(state: State, order: str) -> Iterator[int]:
    yield from Batch.objects.filter(state=state).order_by(order).values_list("pk", flat=True)[:NEWEST]


def _ns(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1e9) if moment else 0
