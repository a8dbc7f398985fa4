"""The closing lines of a command that worked on batches, and its exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from sendit.errors import CODES
from sendit.pipeline.management.shell import NEEDS_A_LOOK, counted
from sendit.pipeline.models import Batch
from sendit.pipeline.progress import Tally
from sendit.pipeline.states import WAITING, State

BATCHES_NAMED = 500


def summary(ended: Mapping[int, str], tally: Tally) -> Iterator[str]:
    """What this call did, what is in which state, and what is to be done next."""
    yield f"{counted(len(ended), 'batch', 'batches')} in {tally.seconds:.1f} s: {tally}"
    yield "  ".join(f"{state} {count:,}" for state, count in Batch.objects.counts().items() if count) or "No batch yet."
    yield from _reasons(ended)
    resting = Batch.objects.filter(state=State.DONEPROCESSING).count()
    if resting:
        rest = counted(resting, "batch rests", "batches rest")
        yield f"{rest} at DONEPROCESSING; deliver with `sendit upload_finished`."


def _reasons(ended: Mapping[int, str]) -> Iterator[str]:
    """Why batches of this call are errors, or wait."""
    batches = Batch.objects.filter(pk__in=sorted(ended)[:BATCHES_NAMED])
    failed = Counter(
        code for batch in batches.filter(state=State.ERROR) for code in {one["code"] for one in batch.errors}
    )
    for code, count in failed.most_common():
        yield f"{counted(count, 'batch', 'batches')} in ERROR, {_sentences(code)} Then: `sendit retry`."
    waiting = Counter(batches.filter(state__in=WAITING).exclude(waits_for="").values_list("waits_for", flat=True))
    for code, count in waiting.most_common():
        yield f"{counted(count, 'batch waits', 'batches wait')}, {_sentences(code)}"


def _sentences(code: str) -> str:
    entry = CODES.get(code)
    return f"{code}: {entry.what} {entry.then}" if entry else f"{code}."


def exit_code(ended: Mapping[int, str]) -> int:
    """0, or 1 where a batch of this call is in ERROR or waits for something."""
    waits = Batch.objects.filter(pk__in=sorted(ended)[:BATCHES_NAMED], state__in=WAITING).exclude(waits_for="").exists()
    return NEEDS_A_LOOK if waits or State.ERROR in ended.values() else 0
