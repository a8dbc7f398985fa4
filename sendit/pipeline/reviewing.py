"""Review: a person releases or rejects images that a graylist withholds. `operations` offers it to others."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from django.db import transaction

from sendit.deid.recipe.screen import screen
from sendit.deid.stream.header import read_header
from sendit.deid.stream.sources import FileSource
from sendit.errors import DataFault
from sendit.pipeline.record import clock, decisions, history
from sendit.pipeline.record.decisions import Decided, Decision
from sendit.pipeline.record.models import Batch, Image, Outcome
from sendit.pipeline.record.states import GROWING, Job
from sendit.pipeline.reports import images
from sendit.pipeline.stages.importing import is_doubtful
from sendit.projects.composition import Projects


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What became of a wish to decide about images of one batch, by their numbers."""

    batch: int
    decided: tuple[int, ...] = ()
    forbidden: tuple[int, ...] = ()
    """Not withheld, or by a rule that nobody may overrule."""
    gone: tuple[int, ...] = ()
    """The original is not there any more."""
    too_late: tuple[tuple[int, Decided], ...] = ()
    """Somebody else has decided already; that decision stands."""
    is_on_the_move: bool = False
    """A worker has the batch: nothing was decided."""


def review(
    projects: Projects, batch: int, numbers: Iterable[int], word: str, actor: str, reason: str
) -> Reviewed | None:
    """Release or reject images that a graylist withholds; None where there is no such batch.

    What is released is de-identified and proven like any other image and delivered as the study's next part. A decision
    holds for the bytes of the file, also when the batch is processed again.
    """
    found, decision = Batch.objects.filter(pk=batch).first(), Decision(word)
    if found is None:
        return None
    if found.state not in GROWING:
        return Reviewed(batch, is_on_the_move=True)
    judged = {number: _judged(projects, found, number) for number in dict.fromkeys(numbers)}
    files = {number: digest for number, digest in judged.items() if isinstance(digest, bytes)}
    with transaction.atomic():
        late = {
            number: earlier
            for number, digest in files.items()
            if (earlier := decisions.decide(found.project, digest, decision, actor, reason)) is not None
        }
        decided = tuple(number for number in files if number not in late)
        if decided and not _carry_out(found, decided, decision, actor):
            transaction.set_rollback(True)
            return Reviewed(batch, is_on_the_move=True)
    forbidden = tuple(number for number, why in judged.items() if why == "forbidden")
    gone = tuple(number for number, why in judged.items() if why == "gone")
    return Reviewed(batch, decided, forbidden, gone, tuple(late.items()))


def _judged(projects: Projects, batch: Batch, number: int) -> bytes | Literal["forbidden", "gone"]:
    """The digest of a file that a person may decide about, or why nobody may."""
    row = Image.objects.filter(batch=batch, number=number, outcome=Outcome.FILTERED).first()
    if row is None:
        return "forbidden"
    try:
        path = images.original(batch.pk, number).reveal()
        verdict = screen(read_header(path), projects.of(batch.project).recipe)
        with closing(FileSource(path)) as file:
            return decisions.digest_of(file.readinto) if is_doubtful(verdict) else "forbidden"
    except DataFault as fault:
        return "gone" if fault.code == "OriginalGone" else "forbidden"
    except OSError:
        return "gone"


def _carry_out(batch: Batch, numbers: tuple[int, ...], decision: Decision, actor: str) -> bool:
    """Have a worker take up what is released, and give what is rejected its rule; False where a worker was faster."""
    rows, now = Image.objects.filter(batch=batch, number__in=numbers), clock.now()
    if decision is Decision.RELEASE:
        if not batch.move(Job.PROCESS.waiting, queued_at=now, not_before=now, folder_changes=0):
            return False
        rows.update(file_digest=None)  # so that the file is looked at again
    else:
        rows.update(rule=decisions.REJECTED)
    counts = {Decision.RELEASE: "released", Decision.REJECT: "rejected"}
    history.record_by(actor, "batch.reviewed", batch.pk, **{counts[decision]: len(numbers)})
    return True
