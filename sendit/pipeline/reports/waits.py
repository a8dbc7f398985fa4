"""Batches that wait for a moment to come, for another host or for a destination: how many, for what, until when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Min

from sendit.pipeline.record import clock
from sendit.pipeline.record.leases import LeaseTerms
from sendit.pipeline.record.models import Batch, Delivery
from sendit.pipeline.record.site_models import Host
from sendit.pipeline.record.states import VOID, DeliveryState, Job, State


@dataclass(frozen=True, slots=True)
class Wait:
    """Batches in a state that wait for the same thing; `code` is blank where a setting delays their delivery."""

    state: State
    code: str
    batches: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Batches that wait for another host, which has their archives."""

    host: str
    batches: int
    silent_seconds: float
    is_gone: bool
    """Whether it has been silent for so long that another host makes them again, where it has the originals."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Archives that a destination has not taken, for one reason."""

    destination: str
    state: DeliveryState
    code: str
    archives: int


def undelivered() -> Iterator[Undelivered]:
    """What waits for destinations that were down, and what destinations refuse."""
    troubled = Delivery.objects.filter(code__gt="").exclude(state__in=VOID).order_by("destination", "state", "code")
    for destination, state, code, archives in troubled.values_list("destination", "state", "code").annotate(
        Count("pk")
    ):
        yield Undelivered(destination, DeliveryState(state), code, archives)


def elsewhere(terms: LeaseTerms) -> Iterator[Elsewhere]:
    """What waits for hosts that have not been heard of for a while, or are not this one."""
    job = Job.DELIVER
    others = Batch.objects.filter(state=job.waiting).exclude(host__in=("", terms.host)).order_by("host")
    now = clock.now()
    seen = dict(Host.objects.values_list("name", "seen_at"))
    for host, batches in others.values_list("host").annotate(batches=Count("pk")):
        silent_seconds = (now - seen.get(host, now)).total_seconds()
        yield Elsewhere(host, batches, silent_seconds, silent_seconds > terms.host_gone_seconds)


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
