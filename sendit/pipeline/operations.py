"""What a person may do to batches: one function each. Each writes into the history who did it.

Commands, pages and the API call these and render what comes back. An actor is `COMMAND`, or a user's name; it stands in
the history and not in the logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.db.models import Q

from sendit.confirmations.filing import Account, Decision
from sendit.confirmations.models import Kind, Request
from sendit.ground import daemon, service
from sendit.phi import Phi
from sendit.pipeline import approving, cleaning, crosswalks, finding, taking_back
from sendit.pipeline.cleaning import Kept, Removal, WithheldOriginals
from sendit.pipeline.crosswalks import Asked, NamedBy
from sendit.pipeline.intake import contenders, growth
from sendit.pipeline.intake.contenders import Added
from sendit.pipeline.intake.presence import watcher_pid_file
from sendit.pipeline.intake.rest import Unrest
from sendit.pipeline.record import clock, deliveries, history, pauses, studies
from sendit.pipeline.record.decisions import Boxes, boxes_of
from sendit.pipeline.record.deliveries import DELIVER
from sendit.pipeline.record.history import COMMAND
from sendit.pipeline.record.models import Batch, Image, Outcome, Study
from sendit.pipeline.record.states import RETRYABLE, SCREENABLE, STOPPED, Job, State
from sendit.pipeline.reviewing import MOST_MASKS, Reviewed, is_mask, review
from sendit.pipeline.taken_back import Remade, Withdrawal
from sendit.pipeline.taking_back import NOTHING_YET
from sendit.projects.composition import Projects
from sendit.projects.project import DataFolder
from sendit.receiving.presence import listener_pid_file

__all__ = [
    "COMMAND",
    "MOST_MASKS",
    "Account",
    "Added",
    "Asked",
    "Boxes",
    "Cleaned",
    "Decision",
    "Kind",
    "NamedBy",
    "Remade",
    "Retried",
    "Reviewed",
    "Screened",
    "Unrest",
    "Withdrawal",
    "boxes_of",
    "clean_up",
    "decide_request",
    "file_approval",
    "file_crosswalk",
    "go_on_withdrawing",
    "is_mask",
    "is_retryable",
    "opted_out",
    "pause_delivery",
    "pause_project",
    "queue_folders",
    "queue_of",
    "readmit",
    "redeliver",
    "resume_delivery",
    "resume_project",
    "retry",
    "retry_empty",
    "retry_stopped",
    "review",
    "screen_again",
    "sealed_crosswalk",
    "start_listener",
    "start_watcher",
    "stop_listener",
    "stop_watcher",
    "studies_of",
    "withdraw",
    "withdraw_meant",
    "withdraw_opted_out",
    "withheld_by",
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


def queue_of(names: Iterable[str], projects: Projects, settle_seconds: float, limit: int | None, actor: str) -> Added:
    """Queue the finished folders of several projects, as `queue_folders` does for each."""
    added = Added(0, ())
    for name in names:
        folders = projects.of(name).project.data_folders
        still = None if limit is None else limit - added.number - added.grown
        added += queue_folders(folders, name, settle_seconds, still, actor)
    return added


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


@dataclass(frozen=True, slots=True)
class Screened:
    """How many files of a batch are screened again; none where it has no such file, or is not delivered."""

    batch: int
    files: int


def retry(batch: int, actor: str) -> Retried | None:
    """Queue a batch again as if it were new, if a person may retry its state; None where there is no such batch."""
    found = Batch.objects.filter(pk=batch).first()
    if found is None:
        return None
    was = State(found.state)
    return Retried(batch, was, was in RETRYABLE and _queue_again(found, was, actor))


def _queue_again(batch: Batch, was: State, actor: str) -> bool:
    """False where another process was faster."""
    if deliveries.is_kept_for_retry(batch):
        return _deliver_again(batch, was, actor)
    now = clock.now()
    with transaction.atomic():
        if not batch.move(Job.PROCESS.waiting, queued_at=now, not_before=now, **NOTHING_YET):
            return False
        history.record_by(actor, "batch.queued", batch.pk)
        Image.objects.filter(batch=batch).exclude(_delivered(batch)).delete()
        history.record_by(actor, "batch.retried", batch.pk, state=was)
    return True


def _deliver_again(batch: Batch, was: State, actor: str) -> bool:
    """The archive is at one of its destinations already: it goes as it is to those that refused it."""
    errors = [entry for entry in batch.errors if entry["stage"] != DELIVER]
    with transaction.atomic():
        if not batch.move(
            Job.DELIVER.waiting, not_before=clock.now(), errors=errors, has_error=bool(errors), attempts=0, waits_for=""
        ):
            return False
        deliveries.reopen(batch.pk)
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
    """Retry every batch that cannot go on by itself; with a code, only those that have it."""
    stopped = Batch.objects.filter(state__in=STOPPED).order_by("pk")
    for key in list(stopped.values_list("pk", flat=True)):  # at once, for they leave while they are gone through
        batch = stopped.filter(pk=key).first()
        if batch and (code is None or any(error["code"] == code for error in batch.errors)):
            retried = retry(key, actor)
            if retried:
                yield retried


def retry_empty(actor: str) -> Iterator[Retried]:
    """Retry every batch that is EMPTY."""
    for key in list(Batch.objects.filter(state=State.EMPTY).order_by("pk").values_list("pk", flat=True)):
        retried = retry(key, actor)
        if retried:
            yield retried


def screen_again(batch: int, reason: str, actor: str, rule: str = "") -> Screened:
    """Have the withheld files of a delivered batch looked at again: what passes now goes out as the next part.

    Parameters
    ----------
    rule : str, optional
        Only the files that this rule withholds.
    """
    now = clock.now()
    with transaction.atomic():
        found = Batch.objects.select_for_update().filter(pk=batch, state__in=SCREENABLE).first()
        if found is None:
            return Screened(batch, 0)
        withheld = Image.objects.filter(batch=batch).exclude(outcome=Outcome.DELIVERED)
        files = withheld.filter(rule=rule) if rule else withheld
        count = files.count()
        if count and found.move(Job.PROCESS.waiting, queued_at=now, not_before=now, folder_changes=0):
            files.delete()
            history.record_reason(actor, reason, "batch.screened_again", batch, files=count)
    return Screened(batch, count)


def withheld_by(rule: str) -> list[int]:
    """The delivered batches of which the rule withholds a file."""
    found = Image.objects.filter(outcome=Outcome.FILTERED, rule=rule, batch__state__in=SCREENABLE)
    return sorted(set(found.values_list("batch", flat=True)))


# ---------------------------------------------------------------------------------------------- studies taken back


def withdraw(batch: int, reason: str, projects: Projects, actor: str) -> Withdrawal:
    """Take the study of a batch back: its archives, rows and reports go, and it stays out until it is readmitted."""
    return taking_back.withdraw_batch(batch, reason, projects, actor)


def withdraw_meant(line: Phi[str], reason: str, projects: Projects, actor: str) -> list[Withdrawal]:
    """The same of all studies that a pseudonym, a folder's name or an accession number means."""
    meant = finding.meant_by_line(line, projects)
    return [
        *(taking_back.withdraw_study(study, reason, projects, actor) for study in meant.studies),
        *(taking_back.withdraw_batch(batch, reason, projects, actor) for batch in meant.batches),
    ]


@dataclass(frozen=True, slots=True)
class OptedOut:
    """A batch of somebody who opted out and whose study is not withdrawn."""

    batch: int
    project: str
    state: State


def opted_out(projects: Projects) -> Iterator[OptedOut]:
    """What `withdraw_opted_out` would take back."""
    for study in finding.of_opted_out(projects):
        for batch in Batch.objects.filter(study=study).order_by("pk"):
            yield OptedOut(batch.pk, batch.project, State(batch.state))


def withdraw_opted_out(reason: str, projects: Projects, actor: str) -> Iterator[Withdrawal]:
    """The same of all studies of patients who opted out."""
    for study in finding.of_opted_out(projects):
        yield taking_back.withdraw_study(study, reason, projects, actor)


def go_on_withdrawing(reason: str, projects: Projects, actor: str) -> Iterator[Withdrawal]:
    """Remove what earlier withdrawals could not."""
    for study in studies.not_removed():
        yield taking_back.withdraw_study(study, reason, projects, actor)


def readmit(batch: int, reason: str, actor: str) -> Remade | None:
    """Let a withdrawn study in again, as its next generation; None where the batch's study is not withdrawn."""
    found = Batch.objects.filter(pk=batch, state=State.WITHDRAWN).first()
    if found is None:
        return None
    if found.study_id is None:
        return taking_back.readmit_batch(found, reason, actor)
    return taking_back.make_again(found.study_id, reason, actor)


def studies_of(batches: Iterable[int], project: str = "", recipe: str = "") -> list[int]:
    """The studies of batches, of a project, and of which a batch was made by the recipe of that SHA-256."""
    found = set(Batch.objects.filter(pk__in=list(batches), study__isnull=False).values_list("study", flat=True))
    found |= set(taking_back.of_project(project)) if project else set()
    found |= set(taking_back.with_recipe(recipe)) if recipe else set()
    return sorted(key for key in found if key is not None)


def redeliver(studies: Iterable[int], reason: str, actor: str, *, is_dry_run: bool = False) -> Iterator[Remade]:
    """Make studies again, whole; in a dry run, only say what would be made."""
    for study in studies:
        if not Study.objects.filter(pk=study, withdrawn_at__isnull=False).exists():
            yield taking_back.make_again(study, reason, actor, is_dry_run=is_dry_run)


# ---------------------------------------------------------------------------------------------- clean up


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Something that was or would be removed, or was kept: for a doubt, or for the withheld files in it."""

    item: Removal | Kept | WithheldOriginals
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


def _doubt(item: Removal | Kept | WithheldOriginals, actor: str) -> str:
    """Why something was kept, after an attempt by the actor to remove it; nothing is attempted without one."""
    match item:
        case Removal():
            return item.apply(actor) if actor else ""
        case Kept():
            return item.why
        case WithheldOriginals():
            return ""


def withheld_originals(projects: Projects, older_than: timedelta, *, now: datetime) -> tuple[int, int]:
    """How many folders `clean_up` with `include_withheld` at that moment removes beyond the others, and how many
    withheld files are lost with them."""
    counts = [item.files for item in cleaning.withheld(projects, older_than, now=now)]
    return len(counts), sum(counts)


# ---------------------------------------------------------------------------------------------- delivery


def pause_delivery(actor: str) -> bool:
    """Let no worker begin a delivery until it is resumed; False where it is paused already."""
    return pauses.put(True, actor)


def resume_delivery(actor: str) -> bool:
    """Let workers deliver again; False where it was not paused."""
    return pauses.put(False, actor)


def pause_project(name: str, actor: str) -> bool:
    """Let no worker begin anything for a project until it is resumed; False where it is paused already."""
    return pauses.put_project(name, True, actor)


def resume_project(name: str, actor: str) -> bool:
    """Let workers work for a project again; False where it was not paused."""
    return pauses.put_project(name, False, actor)


# ---------------------------------------------------------------------------------------------- the watcher


def start_watcher(var: Path) -> int:
    """Start the watcher in a process of its own and wait until it is up; returns its pid.

    Raises Misconfigured("WatcherRuns") where one runs, and ("WatcherFailed") where it does not come up.
    """
    return service.launch("watcher", watcher_pid_file(var))


def stop_watcher(var: Path, patience_seconds: float) -> int | None:
    """Ask the watcher to stop and wait for its end; returns its pid, or None where no watcher runs."""
    return daemon.stop(watcher_pid_file(var), patience_seconds)


def start_listener(var: Path) -> int:
    """Start the listener in a process of its own and wait until it is up; returns its pid.

    Raises Misconfigured("ListenerRuns") where one runs, and ("ListenerFailed") where it does not come up.
    """
    return service.launch("listener", listener_pid_file(var))


def stop_listener(var: Path, patience_seconds: float) -> int | None:
    """Ask the listener to stop and wait for its end; returns its pid, or None where no listener runs."""
    return daemon.stop(listener_pid_file(var), patience_seconds)


# ---------------------------------------------------------------------------------------------- what another confirms


def file_crosswalk(projects: Projects, project: str, asked: Asked, account: Account, reason: str) -> Request:
    """Ask which pseudonyms belong to which identifiers; another person confirms it. Raises Misconfigured."""
    return crosswalks.file_crosswalk(projects, project, asked, account, reason)


def sealed_crosswalk(request: int) -> bytes | None:
    """Return a confirmed crosswalk, encrypted to its recipient; None where there is none."""
    return crosswalks.sealed(request)


def file_approval(projects: Projects, project: str, account: Account, reason: str) -> Request:
    """Ask that a project may deliver as it is configured now; another person confirms it. Raises Misconfigured."""
    return approving.file_approval(projects, project, account, reason)


def decide_request(kind: Kind, request: int, actor: str, projects: Projects, *, is_confirmed: bool) -> Decision:
    """Decide about what another person has filed. Raises SenditError where it cannot be carried out: it waits then."""
    if kind is Kind.CROSSWALK:
        return crosswalks.decide(request, actor, projects, is_confirmed=is_confirmed)
    return approving.decide(request, actor, is_confirmed=is_confirmed)
