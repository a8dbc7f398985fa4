"""A command that works on batches until nothing is left: what it shows meanwhile, its closing lines, its exit code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TextIO

from django.conf import settings
from django.db.models import Count

from sendit.errors import CODES
from sendit.ground.commands import NEEDS_A_LOOK
from sendit.ground.terminal import counted
from sendit.pipeline.record.leases import LeaseTerms
from sendit.pipeline.record.models import Batch, BatchQuerySet
from sendit.pipeline.record.states import WAITING, Job, State
from sendit.pipeline.reports.overview import Reason, own_codes
from sendit.pipeline.reports.progress import Tally, shown
from sendit.pipeline.workforce.interrupts import Interrupts
from sendit.pipeline.workforce.supervisor import Supervisor

BATCHES_NAMED = 500


def work_and_sum_up(
    supervisor: Supervisor,
    to_do: int,
    stream: TextIO,
    lines: Callable[[Iterable[str]], None],
    *,
    is_upload: bool = False,
) -> int:
    """Have local workers work until nothing is left or somebody asks them to stop; returns the exit code."""
    tally = Tally(supervisor.done, is_upload=is_upload)
    with Interrupts() as interrupts:
        with shown(tally, to_do, stream, settings.SITE.log_format), supervisor:
            supervisor.run(interrupts.must_stop)
            supervisor.stop(interrupts.must_hurry)
        tally.look()
        ended = states_of(supervisor.begun())
        lines(summary(ended, tally))
    return interrupts.exit_code or exit_code(ended)


def states_of(keys: Sequence[int]) -> dict[int, str]:
    """The states in which the batches stand."""
    chunks = (keys[start : start + BATCHES_NAMED] for start in range(0, len(keys), BATCHES_NAMED))
    return {pk: state for chunk in chunks for pk, state in _states(chunk)}


def _states(keys: Sequence[int]) -> Iterable[tuple[int, str]]:
    return Batch.objects.filter(pk__in=keys).values_list("pk", "state")


def summary(ended: Mapping[int, str], tally: Tally) -> Iterator[str]:
    """What this call did, what is in which state, and what is to be done next."""
    yield f"{counted(len(ended), 'batch', 'batches')} in {tally.seconds:.1f} s: {tally}"
    yield "  ".join(f"{state} {count:,}" for state, count in Batch.objects.counts().items() if count) or "No batch yet."
    yield from _reasons(ended)
    resting = Batch.objects.filter(state=Job.DELIVER.waiting)
    delayed = resting.filter(~LeaseTerms.of(settings.SITE).is_due(Job.DELIVER), waits_for="").count()
    if delayed:
        rest = counted(delayed, "batch rests", "batches rest")
        yield f"{rest} at DONEPROCESSING until a random time: SENDIT_DELIVERY_DELAY_HOURS."
    if due := resting.count() - delayed:
        rest = counted(due, "batch rests", "batches rest")
        yield f"{rest} at DONEPROCESSING; deliver with `sendit upload_finished`."


def _reasons(ended: Mapping[int, str]) -> Iterator[str]:
    """Why batches of this call are errors, and why any batch waits."""
    failed = Batch.objects.filter(pk__in=sorted(ended)[:BATCHES_NAMED], state=State.ERROR)
    codes: dict[str, list[int]] = defaultdict(list)
    for batch, code in own_codes(dict(failed.values_list("pk", "errors"))).items():
        codes[code].append(batch)
    for code, keys in sorted(codes.items(), key=lambda item: -len(item[1])):
        reason = Reason(code, tuple(keys))
        named = f"Batch {keys[0]} is" if len(keys) == 1 else f"{len(keys):,} batches are"
        yield f"{named} in ERROR, {reason.sentences} `{reason.command}`"
    for code, count in _postponed().values_list("waits_for").annotate(Count("pk")):
        yield f"{counted(count, 'batch waits', 'batches wait')}, {_sentences(code)}"


def _postponed() -> BatchQuerySet:
    return Batch.objects.filter(state__in=WAITING).exclude(waits_for="").order_by()


def _sentences(code: str) -> str:
    entry = CODES.get(code)
    return f"{code}: {entry.what} {entry.then}" if entry else f"{code}."


def exit_code(ended: Mapping[int, str]) -> int:
    """0, or 1 where a batch of this call is in ERROR or any waits for something."""
    return NEEDS_A_LOOK if State.ERROR in ended.values() or _postponed().exists() else 0
