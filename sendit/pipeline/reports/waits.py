"""Batches that wait for a moment to come: how many, for what, and from when until when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Min

from sendit.pipeline.record import clock
from sendit.pipeline.record.leases import LeaseTerms
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import Job, State


@dataclass(frozen=True, slots=True)
class Wait:
    """Batches in a state that wait for the same thing; `code` is blank where a setting delays their delivery."""

    state: State
    code: str
    batches: int
    first_at: datetime
    last_at: datetime


def waits(terms: LeaseTerms) -> Iterator[Wait]:
    """What waits for a moment that is ahead, and is not taken before."""
    for job in Job:
        now = clock.soon()
        later = Batch.objects.filter(
            state=job.waiting, not_before__gt=now, not_before__lte=terms.latest_start(job, now)
        ).order_by("waits_for")
        alike = later.values("waits_for").annotate(
            batches=Count("pk"), first_at=Min("not_before"), last_at=Max("not_before")
        )
        for row in alike:
            yield Wait(job.waiting, row["waits_for"], row["batches"], row["first_at"], row["last_at"])
