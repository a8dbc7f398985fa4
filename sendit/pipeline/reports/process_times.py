"""The table of processing times that programs of the field read (WIRE 2): one row a batch, no identifiers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from sendit.pipeline.record.models import Batch, Event
from sendit.pipeline.record.states import TERMINAL, Job

MEGABYTE = 1_000_000

COLUMNS = (
    "batch_id", "status", "size_mb", "start_time", "finish_time", "total_time_sec", "total_time_min",
    "queued_time", "wait_sec", "delivered_time", "found", "delivered", "filtered", "errored", "has_error",
    "images_per_sec", "mb_per_sec", "attempts", "archive_mb", "in_review",
)  # fmt: skip
"""The first seven are what programs of the field read; their names and order stay."""


def process_times() -> Iterator[tuple[str, ...]]:
    """One row a batch, in the order of `COLUMNS`; what a batch has not come to yet is blank."""
    fields = [field.name for field in dataclasses.fields(_Times)]
    claims = Event.objects.filter(batch=OuterRef("pk"), name__in=CLAIMS, fields__state=Job.PROCESS.working)
    number = Subquery(claims.order_by().values("batch").annotate(number=Count("pk")).values("number"))
    batches = Batch.objects.order_by("pk").annotate(claims=Coalesce(number, 0))
    for values in batches.values_list(*fields).iterator(chunk_size=2000):
        yield tuple(_text(value) for value in _Times(*values).row())


CLAIMS = ("batch.claimed", "batch.taken_over")
"""Events of a worker that takes a batch up."""


@dataclass(slots=True)
class _Times:
    """What `COLUMNS` are made of; its fields are Batch's. A row of a million is not made into a model."""

    pk: int
    state: str
    queued_at: datetime | None
    started_at: datetime | None
    processed_at: datetime | None
    delivered_at: datetime | None
    changed_at: datetime
    input_bytes: int
    archive_bytes: int
    found: int
    delivered: int
    filtered: int
    errored: int
    in_review: int
    has_error: bool
    claims: int

    def row(self) -> tuple[object, ...]:
        """The values of `COLUMNS`."""
        finished_at = self._finished_at()
        seconds = _seconds(self.started_at, finished_at)
        megabytes = self.input_bytes / MEGABYTE
        return (
            self.pk,
            self.state,
            megabytes,
            self.started_at,
            finished_at,
            seconds,
            None if seconds is None else seconds / 60,
            self.queued_at,
            _seconds(self.queued_at, self.started_at),
            self.delivered_at,
            self.found,
            self.delivered,
            self.filtered,
            self.errored,
            self.has_error,
            self.delivered / seconds if seconds else None,
            megabytes / seconds if seconds else None,
            self.claims,
            self.archive_bytes / MEGABYTE,
            self.in_review,
        )

    def _finished_at(self) -> datetime | None:
        """When processing ended: with an archive, or, in a state that is never left, without one."""
        return self.processed_at or (self.changed_at if self.state in TERMINAL and self.started_at else None)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    """None where a clock was set back between the two, too."""
    if start is None or end is None or end < start:
        return None
    return (end - start).total_seconds()


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.3f}"
        case datetime():
            return value.isoformat(timespec="seconds")
        case _:
            return str(value)
