"""What all of the history amounts to: counters that only grow, whichever of many processes is asked.

Counted from `Event`, which is only added to. What was counted is kept in one row, so that only what came since is read.
Events become visible out of their order, so an event is counted for good only when all before it must be there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.utils import timezone

from sendit.ground.database import AWAY
from sendit.pipeline.record.models import Batch, Event
from sendit.pipeline.record.site_models import Totals

SETTLED = timedelta(minutes=2)
"""No transaction is open for so long after it has written an event."""

SURELY_COMMITTED, MANY_BATCHES = timedelta(hours=1), 10_000
"""Batches older than that are all there, those with lower keys too; fewer are not worth a row's rewriting."""

BUCKETS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)
"""Upper bounds of durations, in seconds."""

Count = tuple[str, ...]
Counts = defaultdict[Count, float]


def totals() -> Counts:
    """How much of each thing there has been, since the beginning."""
    row = _row()
    counts = Counts(float, {tuple(count): number for *count, number in row.counts})
    _count_in(counts, row.through, row.noted)
    _move_on(row, counts)
    _count_in(counts, row.noted, None)
    return counts


def batches() -> tuple[int, int]:
    """A key, and how many batches have it or a lower one; counted on where many have come since."""
    through, number = Totals.objects.filter(pk=1).values_list("batches_through", "batches").first() or (0, 0)
    newest = Batch.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    if newest - through < MANY_BATCHES:
        return through, number
    old = Batch.objects.filter(created_at__lt=timezone.now() - SURELY_COMMITTED)
    then = old.order_by("-pk").values_list("pk", flat=True).first() or 0
    if then - through < MANY_BATCHES:
        return through, number
    total = number + Batch.objects.filter(pk__gt=through, pk__lte=then).count()
    with suppress(*AWAY):  # full, or a standby: it is counted on another time
        Totals.objects.filter(pk=_row().pk, batches_through=through).update(batches_through=then, batches=total)
    return then, total


def _count_in(counts: Counts, after: int, through: int | None) -> None:
    """The events after one and up to another."""
    events = Event.objects.filter(pk__gt=after, name__in=COUNTED)
    if through is not None:
        events = events.filter(pk__lte=through)
    for name, fields in events.order_by().values_list("name", "fields").iterator(chunk_size=5000):
        for count, number in _counts(name, fields):
            counts[count] += number


COUNTED = (
    "batch.found",
    "batch.processed",
    "batch.empty",
    "batch.failed",
    "batch.delivered",
    "batch.released",
    "batch.taken_over",
    "batch.folder_grew",
    "batch.withdrawn",
    "batch.made_again",
)


def _counts(name: str, fields: Mapping[str, Any]) -> Iterator[tuple[Count, float]]:
    yield (name,), 1
    match name:
        case "batch.processed":
            yield ("images", "delivered"), fields["images"]
            yield ("images", "error"), fields["errors"]
            yield ("input_bytes",), fields["bytes"]
            for stage in ("import", "identify", "deidentify"):
                yield from _duration(stage, fields.get(f"{stage}_seconds"))
        case "batch.delivered":
            yield ("delivered_images",), fields["images"]
            yield ("delivered_bytes",), fields["bytes"]
            yield from _duration("deliver", fields.get("deliver_seconds"))
        case "batch.failed":
            yield ("failed", str(fields.get("code", ""))), 1
        case "batch.released":
            yield ("released", str(fields.get("reason", ""))), 1
        case "batch.taken_over":
            yield ("lease_expiries", str(fields.get("state", ""))), 1
    if name in ("batch.processed", "batch.empty"):
        yield ("images", "filtered"), fields["filtered"]
        if fields.get("in_review"):
            yield ("images", "in review"), fields["in_review"]


def _duration(stage: str, seconds: float | None) -> Iterator[tuple[Count, float]]:
    """One observation; events of an older version have none."""
    if seconds is not None:
        yield ("seconds", stage), seconds
        bucket = bisect_left(BUCKETS, seconds)
        yield ("bucket", stage, str(BUCKETS[bucket]) if bucket < len(BUCKETS) else "+Inf"), 1


def _row() -> Totals:
    """The row; a first one has everything that is surely there to count for good."""
    old = Event.objects.filter(at__lt=timezone.now() - timedelta(hours=1)).order_by("-pk").first()
    first = {"noted": old.pk if old else 0, "noted_at": timezone.now() - 2 * SETTLED}
    return Totals.objects.get_or_create(pk=1, defaults=first)[0]


def _move_on(row: Totals, settled: Counts) -> None:
    """One of several wins; the others' work was the same."""
    now = timezone.now()
    if row.noted_at > now - SETTLED:
        return
    newest = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    Totals.objects.filter(pk=row.pk, through=row.through, noted=row.noted).update(
        through=row.noted,
        counts=[[*count, number] for count, number in sorted(settled.items())],
        noted=newest,
        noted_at=now,
    )
