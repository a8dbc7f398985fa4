"""Pulls: lists of studies that people ask for on the page or by the API, and that the listener retrieves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from sendit.receiving.models import Pull, PullState, Retrieval, RetrievalState
from sendit.receiving.retrieving import lines
from sendit.receiving.retrieving.cohort import Wanted
from sendit.receiving.retrieving.lines import CHUNK, Line

HELD = timedelta(hours=1)
"""How long a listener that is gone keeps those of other hosts from its pulls; its own successor goes on at once."""
SHOWN = 100
"""Pulls that are listed."""


@dataclass(frozen=True, slots=True)
class PullReport:
    """A pull, with how many of its lines are in each state. Nothing in it identifies."""

    pk: int
    peer: str
    asked_by: str
    asked_at: datetime
    state: str
    waits_for: str
    wanted: int
    found: int
    waiting: int
    retrieved: int
    missing: int
    incomplete: int


def ask(peer: str, cohort: Iterable[Wanted], asked_by: str, hours: str = "", per_hour: float = 0.0) -> int:
    """Ask for studies; returns the pull's primary key. What the peer has sent before is not asked for again."""
    with transaction.atomic():
        digests = lines.want(peer, cohort)
        pull = Pull.objects.create(peer=peer, asked_by=asked_by, hours=hours, per_hour=per_hour)
        for start in range(0, len(digests), CHUNK):
            pull.lines.add(*Retrieval.objects.filter(peer=peer, wanted_digest__in=digests[start : start + CHUNK]))
    return pull.pk


def stop(key: int) -> bool:
    """Stop a pull after the study that is under way; False where it does not run."""
    return bool(Pull.objects.filter(pk=key, state=PullState.RUNNING).update(state=PullState.STOPPED, waits_for=""))


def go_on(key: int) -> bool:
    """Try again what is missing or incomplete, and what was not tried; False where the pull runs or does not exist."""
    with transaction.atomic():
        ended = Pull.objects.filter(pk=key).exclude(state=PullState.RUNNING)
        if not ended.update(state=PullState.RUNNING, waits_for=""):
            return False
        again = Retrieval.objects.filter(pulls=key).exclude(state=RetrievalState.RETRIEVED)
        again.update(state=RetrievalState.WAITING, attempts=0)
    return True


def report(key: int) -> PullReport | None:
    """Return one pull, or None."""
    return next(iter(_reports(Pull.objects.filter(pk=key))), None)


def reports() -> list[PullReport]:
    """Return the newest pulls."""
    return _reports(Pull.objects.order_by("-pk")[:SHOWN])


def _reports(pulls: Iterable[Pull]) -> list[PullReport]:
    """Count the lines of all these pulls with one question."""
    found = list(pulls)
    counts: dict[int, Counter[str]] = {pull.pk: Counter() for pull in found}
    lines = Retrieval.objects.filter(pulls__in=list(counts)).values_list("pulls", "state").order_by()
    for key, state, number, matched in lines.annotate(all=Count("pk"), found=Count("pk", filter=Q(studies__gt=0))):
        counts[key] += Counter({state: number, "found": matched})
    return [_report(pull, counts[pull.pk]) for pull in found]


def _report(pull: Pull, counts: Counter[str]) -> PullReport:
    return PullReport(
        pull.pk, pull.peer, pull.asked_by, pull.asked_at, pull.state, pull.waits_for, counts.total() - counts["found"],
        counts["found"], *(counts[state] for state in RetrievalState),
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------- for the listener


def take(peer: str, host: str) -> Pull | None:
    """Return the oldest pull from a peer that runs, and hold it for the listener of this host."""
    now = timezone.now()
    running = Pull.objects.filter(peer=peer, state=PullState.RUNNING).order_by("pk")
    for pull in running.filter(Q(host=host) | Q(held_until__lte=now)):
        if hold(pull, host):
            return pull
    return None


def hold(pull: Pull, host: str) -> bool:
    """Go on holding a pull; False where it has stopped, or another host has it."""
    now = timezone.now()
    held = Pull.objects.filter(pk=pull.pk, state=PullState.RUNNING).filter(Q(host=host) | Q(held_until__lte=now))
    return bool(held.update(host=host, held_until=now + HELD))


def next_line(pull: Pull) -> Line | None:
    """Return the line of a pull that is retrieved next: the one that was tried least."""
    rows = Retrieval.objects.filter(pulls=pull, state=RetrievalState.WAITING)
    row = rows.order_by("attempts", "pk").first()
    return lines.line_of(row) if row else None


def say(pull: Pull, waits_for: str) -> None:
    """Note why a pull waits; blank where it does not."""
    Pull.objects.filter(pk=pull.pk).exclude(waits_for=waits_for).update(waits_for=waits_for)


def end(pull: Pull, state: PullState, waits_for: str = "") -> None:
    """Note that nothing more is done for a pull."""
    Pull.objects.filter(pk=pull.pk, state=PullState.RUNNING).update(state=state, waits_for=waits_for)
