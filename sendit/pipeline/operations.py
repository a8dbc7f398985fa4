"""What a person may do to batches: one function each. Each writes into the history who did it.

Commands, pages and the API call these and render what comes back. An actor is `COMMAND`, or a user's name; it stands in
the history and not in the logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Q

from sendit.ground import daemon, service
from sendit.pipeline import cleaning
from sendit.pipeline.cleaning import Kept, Removal, Withheld
from sendit.pipeline.intake import contenders, growth
from sendit.pipeline.intake.contenders import Added
from sendit.pipeline.intake.presence import watcher_pid_file
from sendit.pipeline.intake.rest import Unrest
from sendit.pipeline.record import clock, history, studies
from sendit.pipeline.record.history import COMMAND
from sendit.pipeline.record.models import Batch, Image, Outcome
from sendit.pipeline.record.states import RETRYABLE, WAITING_FOR_PERSON, Job, State
from sendit.projects.composition import Projects
from sendit.projects.project import DataFolder

__all__ = [
    "COMMAND",
    "Added",
    "Cleaned",
    "Retried",
    "Unrest",
    "clean_up",
    "is_retryable",
    "queue_folders",
    "retry",
    "retry_stopped",
    "start_watcher",
    "stop_watcher",
    "withheld_originals",
]

# ---------------------------------------------------------------------------------------------- queue


def queue_folders(
    folders: Iterable[DataFolder], project: str, settle_seconds: float, limit: int | None, actor: str
) -> Added:
    """Queue the batches whose folders have grown, and make batches of the finished folders that are none yet.

    Returns how many, and what was left. Folders that are still being written are asked again after `settle_seconds`,
    once.

    Raises Misconfigured("NoSuchFolder") where a data folder is not there.
    """
    places = contenders.existing(tuple(folders))
    found = [contender for place in places for contender in contenders.contenders(place, project)]
    grown = growth.take_up_all(found, settle_seconds, limit, actor)
    still = None if limit is None else limit - grown.number
    new = contenders.add_up_to(still, places, project, settle_seconds, actor)
    return Added(new.number, (*grown.left, *new.left), grown.number)


# ---------------------------------------------------------------------------------------------- retry


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of a wish to queue a batch again."""

    batch: int
    was: State
    is_queued: bool

    @property
    def is_retryable(self) -> bool:
        """Whether a batch in that state may be queued again; if it may and is not, another process moved it."""
        return self.was in RETRYABLE


_NOTHING_YET: dict[str, Any] = {
    "found": 0, "delivered": 0, "filtered": 0, "errored": 0, "has_error": False, "errors": [], "processed_at": None,
    "attempts": 0, "postponements": 0, "folder_changes": 0, "waits_for": "",
}  # fmt: skip


def retry(batch: int, actor: str) -> Retried | None:
    """Queue a batch again as if it were new, if a person may retry its state; None where there is no such batch."""
    found = Batch.objects.filter(pk=batch).first()
    if found is None:
        return None
    was = State(found.state)
    return Retried(batch, was, was in RETRYABLE and _queue_again(found, was, actor))


def _queue_again(batch: Batch, was: State, actor: str) -> bool:
    """False where another process was faster."""
    now = clock.now()
    with transaction.atomic():
        if not batch.move(Job.PROCESS.waiting, queued_at=now, not_before=now, **_NOTHING_YET):
            return False
        history.record_by(actor, "batch.queued", batch.pk)
        Image.objects.filter(batch=batch).exclude(_delivered(batch)).delete()
        history.record_by(actor, "batch.retried", batch.pk, state=was)
    return True


def is_retryable(state: State) -> bool:
    """Whether a person may retry a batch in that state."""
    return state in RETRYABLE


def _delivered(batch: Batch) -> Q:
    """The images of the parts that are at a destination."""
    finished = studies.finished_parts(batch.study, batch.pk) if batch.study else set()
    return Q(outcome=Outcome.DELIVERED, part__in=finished)


def retry_stopped(code: str | None, actor: str) -> Iterator[Retried]:
    """Retry every batch that waits for a person; with a code, only those that have it."""
    stopped = Batch.objects.filter(state__in=WAITING_FOR_PERSON).order_by("pk")
    for key in list(stopped.values_list("pk", flat=True)):  # at once, for they leave while they are gone through
        batch = stopped.filter(pk=key).first()
        if batch and (code is None or any(error["code"] == code for error in batch.errors)):
            retried = retry(key, actor)
            if retried:
                yield retried


# ---------------------------------------------------------------------------------------------- clean up


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Something that was or would be removed, or was kept: for a doubt, or for the withheld files in it."""

    item: Removal | Kept | Withheld
    doubt: str


def clean_up(
    projects: Projects,
    older_than: timedelta,
    actor: str,
    *,
    include_withheld: bool = False,
    is_dry_run: bool = False,
    now: datetime | None = None,
) -> Iterator[Cleaned]:
    """Remove what `cleaning.plan` says may go; in a dry run, only say so.

    Folders with files that a rule withheld stay, unless they are included: nobody else may have those files.
    """
    for item in cleaning.plan(projects, older_than, include_withheld=include_withheld, now=now):
        yield Cleaned(item, _doubt(item, "" if is_dry_run else actor))


def _doubt(item: Removal | Kept | Withheld, actor: str) -> str:
    """Why something was kept, after an attempt by the actor to remove it; nothing is attempted without one."""
    match item:
        case Removal():
            return item.apply(actor) if actor else ""
        case Kept():
            return item.why
        case Withheld():
            return ""


def withheld_originals(projects: Projects, older_than: timedelta, *, now: datetime) -> tuple[int, int]:
    """How many folders `clean_up` with `include_withheld` at that moment removes beyond the others, and how many
    withheld files are lost with them."""
    counts = [item.files for item in cleaning.withheld(projects, older_than, now=now)]
    return len(counts), sum(counts)


# ---------------------------------------------------------------------------------------------- the watcher


def start_watcher(var: Path) -> int:
    """Start the watcher in a process of its own and wait until it is up; returns its pid.

    Raises Misconfigured("WatcherRuns") where one runs, and ("WatcherFailed") where it does not come up.
    """
    return service.launch("watcher", watcher_pid_file(var))


def stop_watcher(var: Path, patience_seconds: float) -> int | None:
    """Ask the watcher to stop and wait for its end; returns its pid, or None where no watcher runs."""
    return daemon.stop(watcher_pid_file(var), patience_seconds)
