"""What may go, and when: leftovers of attempts that ended, and, if the settings say so, what identifies.

Originals go last and only when everything says that they are not needed: the batch is DONE without an error, every file
of it was delivered, the store's bytes are the archive's, and the folder holds what was processed. Files that a rule
withheld may be the only ones of their kind, so their folder goes only where the caller includes such folders. Each
removal may be cut short at any moment and done again. Nothing is removed while it is being looked for: the caller
applies what it was shown.
"""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from sendit.durable import sync
from sendit.errors import DataFault, Misconfigured, SenditError
from sendit.pipeline.intake import growth
from sendit.pipeline.intake.folders import NOT_THE_ONLY_COPY, Entry, fingerprint, list_folder
from sendit.pipeline.record import deliveries, history
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Event, Image, Outcome
from sendit.pipeline.record.processes import is_known_dead
from sendit.pipeline.record.states import TERMINAL, Job, State
from sendit.pipeline.stages.removing import stored_crc32c
from sendit.ports import ObjectStore
from sendit.projects.composition import Projects
from sendit.projects.site import Site


@dataclass(frozen=True, slots=True)
class Removal:
    """Something that may go: `apply` removes it for an actor and says why it could not, or nothing."""

    what: str
    batch: int
    files: int
    bytes_: int
    apply: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that would go but for a doubt, which a person should look at."""

    what: str
    batch: int
    why: str


@dataclass(frozen=True, slots=True)
class WithheldOriginals:
    """Originals that stay because a rule withheld files of them, which exist nowhere else."""

    batch: int
    files: int
    """How many of the folder's files were withheld."""


def plan(
    projects: Projects, older_than: timedelta, *, include_withheld: bool = False, now: datetime | None = None
) -> Iterator[Removal | Kept | WithheldOriginals]:
    """Everything that may go; of a batch, what tells where its originals are goes last.

    Outbox folders go at any age; originals and identifiers of batches that were delivered longer ago than that.
    """
    site = projects.site
    yield from _outboxes(site.outbox_folder)
    for batch in _delivered_before((now or timezone.now()) - older_than, projects):
        yield from _of_batch(batch, projects, include_withheld)


def withheld(projects: Projects, older_than: timedelta, *, now: datetime | None = None) -> Iterator[WithheldOriginals]:
    """The folders that `include_withheld` adds to the plan."""
    for batch in _delivered_before((now or timezone.now()) - older_than, projects):
        is_to_go = _policy(batch.project, projects).originals == "delete"
        if is_to_go and (files := _withheld_files(batch)) and _Places.of(batch).exist():
            yield WithheldOriginals(batch.pk, files)


# ---------------------------------------------------------------------------------------------- outbox

_DRAFT = re.compile(r"\.(\d+)\.[0-9a-f]+\.tmp")


def _outboxes(outbox: Path) -> Iterator[Removal]:
    """Outbox folders of batches that need none, and drafts that no living worker writes.

    A draft is listed before its batch is asked about: its worker either still holds the batch then, or is gone.
    """
    for path in sorted(_listed(outbox)):
        draft = _DRAFT.fullmatch(path.name)
        key = draft[1] if draft else path.name
        if key.isascii() and key.isdigit():
            may_go = _may_lose_draft if draft else _may_lose_outbox
            if may_go(Batch.objects.filter(pk=int(key)).first()):
                what = "draft of the outbox" if draft else "outbox"
                yield Removal(what, int(key), *_size(path), partial(_remove_outbox, path, int(key), may_go))


def _listed(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _may_lose_outbox(batch: Batch | None) -> bool:
    """A worker gives an outbox its name just before it moves its batch: one of a batch at work is needed."""
    return batch is None or (batch.state in TERMINAL and not deliveries.is_kept_for_retry(batch))


def _may_lose_draft(batch: Batch | None) -> bool:
    if batch is None or batch.state != Job.PROCESS.working:
        return True
    return is_known_dead(batch.lease_token) or (batch.lease_expires_at or timezone.now()) < timezone.now()


def _remove_outbox(path: Path, pk: int, may_go: Callable[[Batch | None], bool], actor: str) -> str:
    """With the batch's row locked, so that nobody takes it up, and publishes under that name, meanwhile."""
    with transaction.atomic():
        batch = Batch.objects.select_for_update().filter(pk=pk).first()
        if not may_go(batch):
            return "the batch is taken up again"
        files, bytes_ = _size(path)
        try:
            shutil.rmtree(path)
        except FileNotFoundError:  # its worker was faster
            return ""
        except OSError as error:
            return _refusal(error)
        if batch:
            history.record_by(actor, "batch.outbox_cleaned", pk, files=files, bytes=bytes_)
    return ""


def _size(folder: Path) -> tuple[int, int]:
    sizes = [path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()]
    return len(sizes), sum(sizes)


# ---------------------------------------------------------------------------------------------- originals

CHANGED = "the folder is not what was processed"
CHECKED, DELETED = ".sendit-checked.", ".sendit-deleted."
"""A folder that is to go is first renamed beside itself, so that nobody writes to it unseen while it is compared a last
time, and so that a deletion that was cut short is told from a folder that was changed. Dot-folders are no studies."""


def _policy(project: str, projects: Projects) -> Site:
    """The settings as they are for a project; for one that is gone or refused, as they are for the site."""
    try:
        return projects.of(project).site
    except Misconfigured:
        return projects.site


def _delivered_before(moment: datetime, projects: Projects) -> Iterator[Batch]:
    """Batches that nobody needs to look at any more, and of which something is left to remove."""
    done = Batch.objects.filter(state=State.DONE, has_error=False, delivered_at__lt=moment, identifiers__isnull=False)
    done = done.filter(found=F("delivered") + F("filtered"))  # nothing waits for a decision
    for project in done.order_by().values_list("project", flat=True).distinct():
        policy, of_project = _policy(project, projects), done.filter(project=project)
        if policy.originals != "delete" and policy.identifiers != "purge":
            continue
        if policy.identifiers != "purge":
            since = {"at__gte": OuterRef("processed_at")}
            deleted = Event.objects.filter(batch=OuterRef("pk"), name="batch.originals_deleted", **since)
            of_project = of_project.filter(~Exists(deleted))
        for key in list(of_project.order_by("pk").values_list("pk", flat=True)):
            yield from of_project.filter(pk=key).select_related("identifiers")


def _of_batch(batch: Batch, projects: Projects, include_withheld: bool) -> Iterator[Removal | Kept | WithheldOriginals]:
    policy = _policy(batch.project, projects)
    are_to_go = policy.originals == "delete" and not _others_keep(batch, projects)
    originals = _originals(batch, projects, include_withheld) if are_to_go else None
    if originals:
        yield originals
    if policy.identifiers == "purge" and not isinstance(originals, Kept | WithheldOriginals):
        yield Removal("identifiers", batch.pk, 0, 0, partial(_purge, batch, are_to_go))


def _withheld_files(batch: Batch) -> int:
    """How many files would be lost with the folder, because nobody else has them."""
    kept = Q(outcome=Outcome.DELIVERED) | Q(outcome=Outcome.FILTERED, rule__in=NOT_THE_ONLY_COPY)
    return max(0, batch.found - Image.objects.filter(kept, batch=batch).count())


def _originals(batch: Batch, projects: Projects, include_withheld: bool) -> Removal | Kept | WithheldOriginals | None:
    """What there is to do; nothing where a person was faster."""
    places = _Places.of(batch)
    if places.deleted.exists():
        return Removal("rest of the originals", batch.pk, *_size(places.deleted), partial(_delete, batch, places))
    places.put_back()
    files = 0 if include_withheld else _withheld_files(batch)
    if files and places.folder.exists():
        return WithheldOriginals(batch.pk, files)
    try:
        entries = list_folder(str(places.folder))
    except DataFault as fault:
        return None if fault.code == "FolderGone" else Kept("originals", batch.pk, str(fault))
    doubt = _doubt(batch, fingerprint(entries), projects)
    if doubt:
        return Kept("originals", batch.pk, doubt)
    bytes_ = sum(entry.size_bytes for entry in entries)
    return Removal("originals", batch.pk, len(entries), bytes_, partial(_compare_and_delete, batch, places))


@dataclass(frozen=True, slots=True, repr=False)
class _Places:
    """Where a batch's folder is, or was put on its way out."""

    folder: Path
    checked: Path
    deleted: Path

    @classmethod
    def of(cls, batch: Batch) -> _Places:
        folder, mark = Path(batch.folder.reveal()), batch.folder_digest[:24]
        return cls(folder, folder.with_name(CHECKED + mark), folder.with_name(DELETED + mark))

    def exist(self) -> bool:
        """Whether the folder is at any of them."""
        return any(path.exists() for path in (self.folder, self.checked, self.deleted))

    def put_back(self) -> None:
        """Of one whose comparison was cut short."""
        if self.checked.exists() and not self.folder.exists():
            self.checked.rename(self.folder)
            sync(self.folder.parent)


def _doubt(batch: Batch, content: str, projects: Projects) -> str:
    """Why the originals may still be needed."""
    if content != batch.fingerprint:
        return CHANGED
    if others := _others_need(batch):
        return others
    try:
        stores, standing = projects.of(batch.project).stores, deliveries.standing(batch.pk)
        kept = [(each, store) for each in standing if isinstance(store := stores.of(each.destination), ObjectStore)]
        is_stored = all(stored_crc32c(each, store) == each.crc32c for each, store in kept)
    except SenditError as error:
        return str(error)
    return "" if is_stored else "the store's bytes are not the archive's"


def _others(batch: Batch) -> QuerySet[Batch]:
    """The same folder's batches of other projects."""
    return Batch.objects.filter(folder_digest=batch.folder_digest).exclude(pk=batch.pk)


def _others_keep(batch: Batch, projects: Projects) -> bool:
    """Whether another project takes the folder and keeps its originals."""
    return any(_policy(other.project, projects).originals != "delete" for other in _others(batch).only("project"))


def _others_need(batch: Batch) -> str:
    """Why the folder has to stay for another project for now."""
    for other in _others(batch).only("state", "project", "has_error"):
        if other.state not in TERMINAL or other.has_error:
            return f"project {other.project} is not done with the folder"
    return ""


def _compare_and_delete(batch: Batch, places: _Places, actor: str) -> str:
    """Once out of everybody's way, the folder is compared again: whoever was writing to it is too late, or was seen."""
    if not Batch.objects.filter(pk=batch.pk, state=State.DONE, has_error=False).exists():
        return "the batch is no longer DONE without an error"
    try:
        entries = list_folder(str(places.folder))
        places.folder.rename(places.checked)
        sync(places.folder.parent)
        if fingerprint(entries) != batch.fingerprint or not _is_same(entries, list_folder(str(places.checked))):
            places.put_back()
            entries = list_folder(str(places.folder))
            growth.take_up(batch.pk, fingerprint(entries), actor)
            return CHANGED
        places.checked.rename(places.deleted)
    except (OSError, DataFault) as error:
        return _refusal(error)
    return _delete(batch, places, actor)


def _is_same(before: list[Entry], after: list[Entry]) -> bool:
    """Whether two listings are, but for where links lead: that changes with the folder's name."""
    return [(entry.name, entry.size_bytes, entry.modified_ns) for entry in before] == [
        (entry.name, entry.size_bytes, entry.modified_ns) for entry in after
    ]


def _delete(batch: Batch, places: _Places, actor: str) -> str:
    files, bytes_ = _size(places.deleted)
    try:
        shutil.rmtree(places.deleted)
        sync(places.folder.parent)
    except OSError as error:
        return _refusal(error)
    history.record_by(actor, "batch.originals_deleted", batch.pk, files=files, bytes=bytes_)
    return ""


def _refusal(error: OSError | DataFault) -> str:
    """Without the path."""
    if isinstance(error, DataFault):
        return str(error)
    return f"the operating system says {errno.errorcode.get(error.errno or 0, 'no')}"


# ---------------------------------------------------------------------------------------------- identifiers


def _purge(batch: Batch, originals_are_to_go: bool, actor: str) -> str:
    """What says where originals are is needed as long as these are to be deleted."""
    if originals_are_to_go and _Places.of(batch).exist():
        return "its originals are still there"
    with transaction.atomic():
        BatchIdentifiers.objects.filter(batch=batch).delete()
        history.record_by(actor, "batch.identifiers_purged", batch.pk)
    return ""
