"""What an operator asks the database, as records: how many, how old, how fast, what was withheld and why.

Every question is answered from an index or from a bounded number of rows, so that a million batches take no longer
than a hundred. No record holds an identifier; a batch is its primary key, a file its number.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from operator import itemgetter
from typing import Any

from django.db import connection
from django.db.models import BooleanField, Count, QuerySet, Sum
from django.db.models.expressions import RawSQL

from sendit.errors import CODES
from sendit.pipeline.record import clock, studies
from sendit.pipeline.record.models import Batch, Event, Image, Outcome
from sendit.pipeline.record.states import STOPPED, TERMINAL, WAITING, WITH_ARCHIVE, WORKING, State
from sendit.pipeline.reports import totals

RECENT_FILES = 200_000
"""Rules and codes of files are counted over so many of the newest files."""

RECENT_BATCHES = 1_000
"""Codes of batches are counted over so many of the newest in ERROR, and of the newest elsewhere."""

RECENT = timedelta(hours=1)
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Oldest:
    """The batch that has stood in a state for longest, by its primary key."""

    state: State
    batch: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Throughput:
    """What `batches` batches amounted to, in `seconds`."""

    batches: int
    images: int
    input_bytes: int
    seconds: float

    @property
    def images_per_second(self) -> float:
        """Images delivered, not files found."""
        return self.images / self.seconds if self.seconds else 0.0

    @property
    def megabytes_per_second(self) -> float:
        """Megabytes (10⁶ bytes) of input."""
        return self.input_bytes / MEGABYTE / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Reason:
    """A code and where it was met, with what its table says of it."""

    code: str
    stopped: tuple[int, ...] = ()
    """Batches that are in ERROR for it, the newest first."""
    others: tuple[int, ...] = ()
    """Batches that are not, and have it, on a file as a rule; the newest first."""
    files: int = 0
    """Files that have it, of batches that are not in ERROR."""

    @property
    def batches(self) -> int:
        """How many batches have it."""
        return len(self.stopped) + len(self.others)

    @property
    def what(self) -> str:
        """What happened."""
        return CODES[self.code].what if self.code in CODES else "A code of another version of sendit."

    @property
    def then(self) -> str:
        """What to do next."""
        return CODES[self.code].then if self.code in CODES else ""

    @property
    def sentences(self) -> str:
        """`NoSpace: The disk is full. Free some; the work is taken up again.`"""
        return f"{self.code}: {self.what} {self.then}".strip()

    @property
    def command(self) -> str:
        """The command to go on with: to see the file where a file is wrong, to retry where a service was."""
        keys = self.stopped or self.others
        is_of_file = self.code in CODES and CODES[self.code].kind == "DataFault"
        if self.stopped and not is_of_file:
            return f"sendit retry --code {self.code}"
        return f"sendit batch_logs {keys[0]} --reveal" if keys else ""


@dataclass(frozen=True, slots=True)
class InReview:
    """Images that wait for a person, and for how long the oldest of them has."""

    images: int
    batches: int
    oldest: int | None = None
    """The batch that it is of."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Overview:
    """One glance."""

    at: datetime
    states: dict[State, int]
    with_errors: int
    postponed: dict[str, int]
    lapsed: int
    oldest: tuple[Oldest, ...]
    in_review: InReview
    last_hour: Throughput
    latest: Throughput
    withheld: tuple[tuple[str, int], ...]
    reasons: tuple[Reason, ...]
    files_errored: dict[str, int]
    """Files by their code, also those of batches in ERROR."""
    not_removed: int
    """Studies that were withdrawn and of which something may still be at a destination."""
    is_whole_history: bool
    """Whether `withheld` and `reasons` are of all files, not of the newest only."""

    @property
    def needs_a_look(self) -> bool:
        """Whether a batch cannot go on until a person retries it."""
        return any(self.states[state] for state in STOPPED)


def overview(now: datetime | None = None) -> Overview:
    """What stands where, how old, how fast, what was withheld and why."""
    now = now or clock.now()
    states, firsts = standing()
    floor = _newest_files_from()
    errored = Counter(dict(_tally(Outcome.ERROR, "code", floor)))
    return Overview(
        at=now,
        states=states,
        with_errors=Batch.objects.filter(has_error=True).count(),
        postponed=_postponed(now),
        lapsed=sum(Batch.objects.filter(state=state, lease_expires_at__lt=now).count() for state in WORKING),
        oldest=tuple(_oldest(firsts, now)),
        in_review=in_review(now),
        last_hour=_throughput(Batch.objects.filter(delivered_at__gt=now - RECENT), RECENT.total_seconds()),
        latest=latest(),
        withheld=tuple(_withheld(floor)),
        reasons=tuple(_reasons(errored)),
        files_errored=dict(errored),
        not_removed=len(studies.not_removed()),
        is_whole_history=floor == 0,
    )


def standing() -> tuple[dict[State, int], dict[State, int]]:
    """How many batches stand in each state, and the first of each state but DONE.

    In a year nearly all are DONE: those are what the others leave of the whole, of which only what is new is counted
    (`totals.batches`). One statement, so that a batch on the move is counted once. The first by key comes with it:
    asked for alone, PostgreSQL would look for it from the first batch of all on, through everything that is DONE.
    """
    table, others = (
        connection.ops.quote_name(Batch._meta.db_table),
        [state for state in State if state is not State.DONE],
    )
    places = ", ".join(["%s"] * len(others))
    sql = f"SELECT state, COUNT(*), MIN(id) FROM {table} WHERE state IN ({places}) GROUP BY state"
    through, known = totals.batches()
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} UNION ALL SELECT '', COUNT(*), 0 FROM {table} WHERE id > %s", [*others, through])
        found = {state: (count, first) for state, count, first in cursor.fetchall()}
    all_of_them = known + found.pop("")[0]
    numbers = {State(state): count for state, (count, _) in found.items()}
    numbers[State.DONE] = all_of_them - sum(numbers.values())
    firsts = {State(state): first for state, (_, first) in found.items()}
    return {state: numbers.get(state, 0) for state in State}, firsts


def _postponed(now: datetime) -> dict[str, int]:
    """How many batches wait for what: a service that is down, a full disk."""
    later = chain.from_iterable(
        Batch.objects.filter(state=state, not_before__gt=now).exclude(waits_for="").values_list("waits_for", flat=True)
        for state in WAITING
    )
    return dict(Counter(later))


def _oldest(firsts: dict[State, int], now: datetime) -> Iterator[Oldest]:
    """In each state that a batch should leave, the first of it; keys grow with time, so the first key is the oldest."""
    changed = dict(Batch.objects.filter(pk__in=firsts.values()).values_list("pk", "changed_at"))
    for state in State:
        if state in firsts and state not in TERMINAL and firsts[state] in changed:
            yield Oldest(state, firsts[state], (now - changed[firsts[state]]).total_seconds())


def in_review(now: datetime) -> InReview:
    """What waits for a person."""
    waiting = Batch.objects.filter(review_since__isnull=False)
    counted = waiting.aggregate(images=Sum("in_review"), batches=Count("pk"))
    first = waiting.order_by("review_since").values_list("pk", "review_since").first()
    if first is None or first[1] is None:
        return InReview(0, 0)
    return InReview(counted["images"], counted["batches"], first[0], (now - first[1]).total_seconds())


def _throughput(batches: QuerySet[Batch], seconds: float) -> Throughput:
    total = batches.aggregate(number=Count("pk"), images=Sum("delivered"), size=Sum("input_bytes"))
    return Throughput(total["number"], total["images"] or 0, total["size"] or 0, seconds)


def delivered_bytes(days: int) -> int:
    """Bytes of the input of all batches that were delivered in the last days."""
    since = clock.now() - timedelta(days=days)
    return Batch.objects.filter(delivered_at__gt=since).aggregate(sum=Sum("input_bytes"))["sum"] or 0


def latest(number: int = 20) -> Throughput:
    """The processed batches that were queued last, over the time from the first one's start to the last one's end.

    Time in which no batch was worked on (a night) is not counted.
    """
    made = [
        list(
            Batch.objects.filter(state=state, processed_at__isnull=False, started_at__isnull=False).order_by(
                "-not_before", "-pk"
            )[:number]
        )
        for state in WITH_ARCHIVE
    ]
    batches = sorted(chain(*made), key=lambda batch: batch.pk)[-number:]
    spans = [(batch.started_at, batch.processed_at) for batch in batches if batch.started_at and batch.processed_at]
    return Throughput(
        len(batches),
        sum(batch.delivered for batch in batches),
        sum(batch.input_bytes for batch in batches),
        _covered_seconds(spans),
    )


def _covered_seconds(spans: list[tuple[datetime, datetime]]) -> float:
    """The length of the union of the spans: workers side by side are counted once."""
    seconds, end = 0.0, None
    for begins, ends in sorted(spans):
        begins = begins if end is None else max(begins, end)
        seconds += max(0.0, (ends - begins).total_seconds())
        end = ends if end is None else max(end, ends)
    return seconds


def _newest_files_from() -> int:
    """The key from which on a file is among the newest; 0 when there are no older ones."""
    keys = Image.objects.order_by("pk").values_list("pk", flat=True)
    floor = (keys.last() or 0) - RECENT_FILES
    return floor if floor > (keys.first() or 0) else 0


def _withheld(floor: int) -> Iterator[tuple[str, int]]:
    """Files by the rule that filtered them, most first."""
    yield from sorted(_tally(Outcome.FILTERED, "rule", floor), key=lambda row: (-row[1], row[0]))


def _reasons(errored: Counter[str]) -> Iterator[Reason]:
    """Codes, with the batches and the files that have them; most batches first.

    A batch in ERROR counts by its own code alone, and its files not at all: they are errors because it is one.
    """
    newest = Batch.objects.order_by("-pk")
    files = errored.copy()
    stopped: dict[str, list[int]] = defaultdict(list)
    others: dict[str, list[int]] = defaultdict(list)
    failed = dict(newest.filter(state=State.ERROR).values_list("pk", "errors")[:RECENT_BATCHES])
    for pk, code in own_codes(failed).items():
        stopped[code].append(pk)
        for error in failed[pk]:
            files[error["code"]] -= error["count"]
    for pk, errors in (
        newest.filter(has_error=True).exclude(state=State.ERROR).values_list("pk", "errors")[:RECENT_BATCHES]
    ):
        for code in {error["code"] for error in errors}:
            others[code].append(pk)
    known = {*stopped, *others, *(code for code, number in files.items() if number > 0)}
    reasons = [Reason(code, tuple(stopped[code]), tuple(others[code]), max(0, files[code])) for code in known]
    yield from sorted(reasons, key=lambda reason: (-reason.batches, -reason.files, reason.code))


def own_codes(failed: Mapping[int, list[dict[str, Any]]]) -> dict[int, str]:
    """The code for which each batch is in ERROR, by the history; `failed` has the errors of each, by its key."""
    keys = list(failed)
    events = Event.objects.filter(batch__in=keys, name="batch.failed").values_list("pk", "batch", "fields")
    told = {batch: fields["code"] for _, batch, fields in sorted(events, key=itemgetter(0))}
    return {pk: told.get(pk) or failed[pk][0]["code"] for pk in keys if pk in told or failed[pk]}


def _tally(outcome: Outcome, field: str, floor: int) -> Iterator[tuple[str, int]]:
    """How many of the newest files have each value of an indexed field.

    It goes from value to value in the index, for there are few values and may be millions of files. The outcome is a
    literal: compared with a bound parameter, SQLite would look up each file to see what the index has said already.
    """
    files, value = Image.objects.filter(RawSQL(f"outcome = '{outcome}'", (), BooleanField())), ""
    while next_values := files.filter(**{f"{field}__gt": value}).order_by(field).values_list(field, flat=True)[:1]:
        value = next_values[0]
        if number := files.filter(pk__gt=floor, **{field: value}).count():
            yield value, number
