"""What the pipeline knows: Batch, Delivery, Image, BatchIdentifiers, Event.

BatchIdentifiers is the one table with identifiers, encrypted. No other column may hold a value, a name or a path from
a study folder: a batch is its primary key, a file its number.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, models
from django.db.models import F, Q
from django.utils import timezone

from sendit.errors import BrokenPromise
from sendit.ground.phi_field import PhiField, digest
from sendit.phi import Phi
from sendit.pipeline.record import statements
from sendit.pipeline.record.states import COUNTED, FIRST, LEGAL, VOID, WORKING, DeliveryState, State
from sendit.projects.project import DEFAULT

# A migration keeps what it was made with: plain words, not members of an enum that may change.
_COUNTED = [state.value for state in COUNTED]
_WORKING = [state.value for state in WORKING]
_VOID = [state.value for state in VOID]


class BatchQuerySet(models.QuerySet["Batch"]):
    """Ways to ask for batches."""

    def for_uid(self, uid: str) -> BatchQuerySet:
        """The batches whose folder is named `uid`; several where several data folders have one of that name."""
        return self.filter(uid_digest=digest(os.fsencode(uid)))

    def counts(self) -> dict[State, int]:
        """How many batches stand in each state. Most are DONE, and are not counted one by one."""
        others = [state for state in State if state is not State.DONE]
        grouped = self.filter(state__in=others).order_by().values_list("state").annotate(models.Count("id"))
        found = dict.fromkeys(State, 0) | {State(state): count for state, count in grouped}
        found[State.DONE] = max(0, self.count() - sum(found.values()))
        return found

    def take_oldest(
        self, waiting: State, due: str, moment: datetime, hosts: Sequence[str] = (), project: str = "", **values: Any
    ) -> Batch | None:
        """Write `values` into the batch that has waited longest in a state, and return it.

        Of those whose `not_before` is `due` ("<=" or ">") by comparison with the moment, whose archive one of the
        hosts has, where any are named, and which are of the project, where one is named. One statement chooses the
        batch and takes it, and counts the attempt. Where the database can, a batch that another process is about to
        take is passed over without waiting.
        """
        table = self.model._meta.db_table
        skip = " FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
        here = f" AND host IN ({', '.join(['%s'] * len(hosts))})" if hosts else ""
        here += " AND project = %s" if project else ""
        oldest = (
            f"SELECT id FROM {table} WHERE state = %s AND not_before {due} %s{here}"
            f" ORDER BY not_before, id LIMIT 1{skip}"
        )
        taken = f"{statements.assignments(self.model, tuple(values))}, attempts = attempts + 1"
        sql = f"UPDATE {table} SET {taken} WHERE id = ({oldest}) AND state = %s RETURNING *"
        terms = statements.prepared(self.model, {"state": waiting, "not_before": moment})
        own = [project] if project else []
        found = list(self.raw(sql, [*statements.prepared(self.model, values), *terms, *hosts, *own, terms[0]]))
        return found[0] if found else None


class Study(models.Model):
    """A study of a project. Whatever has its pseudonym is of it, from whichever folder it comes."""

    project = models.CharField(max_length=64)
    item_suid = models.CharField(max_length=128)
    entity_suid = models.CharField(max_length=128, default="")
    uid_digests = models.JSONField(default=list)
    """Keyed digests of its Study Instance UIDs."""
    generation = models.PositiveSmallIntegerField(default=1)
    """How often it was made; the archives and rows of earlier generations are removed when those of this one stand."""
    longest_shift_days = models.PositiveIntegerField(null=True)
    """MAX_DATE_SHIFT_DAYS when the first part of its generation was made; null of a study of an earlier version."""
    withdrawn_at = models.DateTimeField(null=True)
    """Since when nothing of it may leave; null of a study that may."""
    held_by = models.BigIntegerField(null=True)
    """The key of the batch that was at work on it last; it holds the study as long as it is processed."""

    class Meta:
        constraints = [models.UniqueConstraint(name="study_of_project", fields=["project", "item_suid"])]
        indexes = [models.Index(name="study_of_patient", fields=["entity_suid"])]

    def __str__(self) -> str:
        return f"study {self.pk}"


class Batch(models.Model):
    """One study folder, on its way."""

    state = models.CharField(max_length=16, default=FIRST.value)
    created_at = models.DateTimeField(default=timezone.now)
    queued_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    processed_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(default=timezone.now)

    project = models.CharField(max_length=64, default=DEFAULT, db_default=DEFAULT)
    folder_digest = models.CharField(max_length=64)
    uid_digest = models.CharField(max_length=64, db_index=True)
    fingerprint = models.CharField(max_length=64, default="")
    host = models.CharField(max_length=64, default="", db_default="")
    """The host that made what waits for delivery, and has it; blank where nothing does, or any host may have it."""
    input_bytes = models.BigIntegerField(default=0)

    # who works on it, and when it may be taken (again)
    lease_token = models.CharField(max_length=100, default="")
    lease_expires_at = models.DateTimeField(null=True)
    not_before = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    waits_for = models.CharField(max_length=40, default="")
    """The code of what postponed it: a service that is down, a full disk."""
    postponements = models.PositiveSmallIntegerField(default=0)
    folder_changes = models.PositiveSmallIntegerField(default=0)

    # what became of its files: found = delivered + filtered + in_review + errored, from DONEPROCESSING on
    found = models.PositiveIntegerField(default=0)
    delivered = models.PositiveIntegerField(default=0)
    filtered = models.PositiveIntegerField(default=0)
    in_review = models.PositiveIntegerField(default=0, db_default=0)
    review_since = models.DateTimeField(null=True)
    """Since when images of it have been waiting for a person; null where none does."""
    errored = models.PositiveIntegerField(default=0)
    has_error = models.BooleanField(default=False)
    errors = models.JSONField(default=list)
    """A list of {"code", "tag", "count", "stage"}; tag as "GGGG,EEEE" or ""."""

    # the study, its pseudonyms, the recipe and what was made
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="batches", null=True)
    entity_suid = models.CharField(max_length=128, default="")
    item_suid = models.CharField(max_length=128, default="")
    recipe_name = models.CharField(max_length=255, default="")
    recipe_sha256 = models.CharField(max_length=64, default="")
    project_sha256 = models.CharField(max_length=64, default="", db_default="")
    """The fingerprint of its project as it was; blank in rows of earlier versions."""
    archive_bytes = models.BigIntegerField(default=0)
    """Of all archives that were made of the batch; `Delivery` has each."""

    objects = BatchQuerySet.as_manager()

    known_folder: Phi[str] | None = None
    """The folder's path, once it has been read; not a column."""
    last_delivered = (0, 0)
    """Images and bytes of the archive that this process has just delivered; not a column."""

    class Meta:
        constraints = [
            models.UniqueConstraint(name="batch_folder_of_project", fields=["folder_digest", "project"]),
            models.CheckConstraint(name="batch_state", condition=Q(state__in=[state.value for state in State])),
            models.CheckConstraint(
                name="batch_accounting",
                condition=~Q(state__in=_COUNTED)
                | Q(found=F("delivered") + F("filtered") + F("in_review") + F("errored")),
            ),
            models.CheckConstraint(
                name="batch_leased_while_worked_on",
                condition=Q(state__in=_WORKING, lease_expires_at__isnull=False)
                | (~Q(state__in=_WORKING) & Q(lease_token="", lease_expires_at__isnull=True)),
            ),
        ]
        indexes = [
            models.Index(name="batch_by_state", fields=["state", "id"]),
            models.Index(name="batch_by_delivery", fields=["delivered_at"]),
            models.Index(name="batch_with_error", fields=["id"], condition=Q(has_error=True)),
            # Not partial by state: SQLite does not use such an index where the state is a bound parameter.
            models.Index(name="batch_waiting", fields=["state", "not_before", "id"]),
            models.Index(name="batch_of_project", fields=["project", "state", "not_before", "id"]),
            models.Index(name="batch_list_of_project", fields=["project", "id"]),
            models.Index(name="batch_of_study", fields=["item_suid"]),
            models.Index(name="batch_in_review", fields=["review_since"], condition=Q(review_since__isnull=False)),
            models.Index(name="batch_leased", fields=["state", "lease_expires_at"]),
        ]

    def __str__(self) -> str:
        return f"batch {self.pk}"

    @property
    def uid(self) -> Phi[str]:
        """The folder's name: an accession number as a rule, so an identifier."""
        return Phi(self.identifiers.folder.reveal()["uid"])

    @property
    def folder(self) -> Phi[str]:
        """The folder's absolute path."""
        return self.identifiers.path

    def move(self, target: State, **results: Any) -> bool:
        """Move to `target` and write `results` in one compare-and-set statement; False where another was faster.

        A batch under a lease is moved only while it still carries the token that this object was read with.
        """
        source = State(self.state)
        if (source, target) not in LEGAL:
            raise BrokenPromise("IllegalMove", subject=f"{source} to {target}")
        values = {"state": target, "changed_at": timezone.now(), **results}
        if target not in WORKING:
            values |= {"lease_token": "", "lease_expires_at": None}
        mine = {"id": self.pk, "state": source, "lease_token": self.lease_token}
        if statements.update(Batch, values, mine) != 1:
            return False
        for name, value in values.items():
            setattr(self, name, value)
        return True


class Delivery(models.Model):
    """One archive of a batch, on its way to one destination; the batch is DONE when all of its deliveries are."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    generation = models.PositiveSmallIntegerField(default=1, db_default=1)
    part = models.PositiveSmallIntegerField(default=1)
    """Archives of one study are numbered in each generation."""
    destination = models.CharField(max_length=255)
    """The name of one of the project's destinations."""
    state = models.CharField(max_length=16, default=DeliveryState.WAITING.value)
    attempts = models.PositiveIntegerField(default=0)
    """Attempts that ended without a delivery; after the first, something may be at the destination."""
    not_before = models.DateTimeField(null=True)
    """When a destination that was down is tried again; null where it may be tried now."""
    postponements = models.PositiveSmallIntegerField(default=0, db_default=0)
    code = models.CharField(max_length=40, default="", db_default="")
    """Why it waits, or why the destination refuses it."""
    loads_rows = models.BooleanField(default=True, db_default=True)
    """Whether the rows are loaded with it: of one destination's delivery for each part."""
    object_name = models.CharField(max_length=1024)
    images = models.PositiveIntegerField(default=0)
    size_bytes = models.BigIntegerField()
    crc32c = models.CharField(max_length=16)
    made_at = models.DateTimeField(null=True)
    """When an archive of these bytes was first made."""
    uri = models.CharField(max_length=2048, default="")
    """Where the destination keeps the archive; blank until it does."""
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="delivery_of_part",
                fields=["batch", "generation", "part", "destination"],
                condition=~Q(state__in=_VOID),
            ),
            models.CheckConstraint(
                name="delivery_state", condition=Q(state__in=[state.value for state in DeliveryState])
            ),
        ]
        indexes = [
            models.Index(name="delivery_of_batch", fields=["batch"]),
            models.Index(name="delivery_by_code", fields=["code"]),
        ]

    def __str__(self) -> str:
        return f"part {self.part} of batch {self.batch_id} to {self.destination}"


class Outcome(models.TextChoices):
    """What became of a file."""

    DELIVERED = "delivered"
    FILTERED = "filtered"
    IN_REVIEW = "in review"
    ERROR = "error"


class Image(models.Model):
    """One file of a batch, known by its number in the folder's sorted listing."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="images", db_index=False)
    number = models.PositiveIntegerField()
    outcome = models.CharField(max_length=9, choices=Outcome.choices)
    rule = models.CharField(max_length=255, default="")
    code = models.CharField(max_length=40, default="")
    tag = models.CharField(max_length=9, default="")
    size_bytes = models.BigIntegerField(default=0)
    member = models.CharField(max_length=255, default="")
    offset = models.BigIntegerField(null=True)
    length = models.BigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, default="")
    part = models.PositiveSmallIntegerField(default=1, db_default=1)
    """In which of the study's archives a delivered image is."""
    # Keyed digests of 16 bytes, kept for ever. Rows are found by their batch, so these columns need no index; they are
    # null in rows of earlier versions.
    file_digest = models.BinaryField(null=True)
    """Of the file's name, size and time: the same as long as nobody writes to the file."""
    instance_digest = models.BinaryField(null=True)
    """Of the SOP Instance UID of a delivered image."""
    content_digest = models.BinaryField(null=True)
    """Of the bytes of a delivered image's file."""
    review_digest = models.BinaryField(null=True)
    """Of the bytes of the file of an image in review: by it the decision about the image is found."""
    proposed = models.JSONField(null=True)
    """Rectangles to blank, as [left, top, right, bottom], of an image in review; those of its output where it has one.
    """

    class Meta:
        constraints = [
            models.UniqueConstraint(name="image_number", fields=["batch", "number"]),
            models.CheckConstraint(
                name="image_outcome_has_its_reason",
                condition=(Q(outcome=Outcome.DELIVERED, rule="", code="", offset__isnull=False) & ~Q(member=""))
                | (Q(outcome=Outcome.FILTERED, code="", member="") & ~Q(rule=""))
                | (Q(outcome=Outcome.IN_REVIEW, code="", review_digest__isnull=False) & ~Q(rule=""))
                | (Q(outcome=Outcome.ERROR, rule="", member="") & ~Q(code="")),
            ),
        ]
        indexes = [
            models.Index(name="image_filtered_by", fields=["rule"], condition=Q(outcome=Outcome.FILTERED)),
            models.Index(name="image_in_review", fields=["batch", "number"], condition=Q(outcome=Outcome.IN_REVIEW)),
            models.Index(
                name="image_in_review_by_file", fields=["review_digest"], condition=Q(outcome=Outcome.IN_REVIEW)
            ),
            models.Index(name="image_errors_by", fields=["code"], condition=Q(outcome=Outcome.ERROR)),
        ]


def nothing() -> Phi[None]:
    """What an identified field holds before there is anything to hold, and after a purge."""
    return Phi(None)


class BatchIdentifiers(models.Model):
    """Everything identified about a batch: the folder, its files, what was extracted, asked and answered."""

    batch = models.OneToOneField(Batch, on_delete=models.PROTECT, related_name="identifiers", primary_key=True)
    folder = PhiField()
    """{"uid": folder name, "path": absolute path}"""
    files = PhiField(default=nothing)
    """Relative names in the order of the Image numbers, from 1."""
    extracted = PhiField(default=nothing)
    """{"study": {keyword: value}}: what the identity request was made of."""
    request = PhiField(default=nothing)
    response = PhiField(default=nothing)
    searched = PhiField(default=nothing, null=True)  # type: ignore[misc]  # a `Phi` of None where it is null
    """[kind, text] of each identifier that was found in the headers: a later part of the study is searched for them."""

    @property
    def path(self) -> Phi[str]:
        """The folder's absolute path."""
        return Phi(self.folder.reveal()["path"])

    def __str__(self) -> str:
        return f"identifiers of batch {self.pk}"


class ReviewDecision(models.Model):
    """What a reviewer decided about a file, known by a keyed digest of its bytes; the first decision stands."""

    project = models.CharField(max_length=64)
    digest = models.BinaryField(max_length=16)
    instance_digest = models.BinaryField(null=True)
    """Of the SOP Instance UID: whether anything was decided about an image is known without reading its file."""
    decision = models.CharField(max_length=8)
    actor = models.CharField(max_length=150)
    at = models.DateTimeField(default=timezone.now)
    reason = PhiField()
    """What the reviewer typed, which may identify."""
    rule = models.CharField(max_length=255, default="", db_default="")
    """What withholds a rejected image, as reports name it."""
    masks = models.JSONField(null=True)
    """Rectangles that are blanked in a released image, as [left, top, right, bottom]; no other pixel is changed."""

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_decision_for_a_file", fields=["project", "digest"]),
            models.CheckConstraint(name="review_decision", condition=Q(decision__in=["release", "reject"])),
        ]
        indexes = [models.Index(name="decision_of_instance", fields=["project", "instance_digest"])]

    def __str__(self) -> str:
        return f"decision {self.pk}"


class EventQuerySet(models.QuerySet["Event"]):
    """History is only added to."""

    def update(self, **values: Any) -> int:
        """Refuse."""
        raise BrokenPromise("HistoryIsAppendOnly")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refuse."""
        raise BrokenPromise("HistoryIsAppendOnly")


class Event(models.Model):
    """One line of a batch's history; names and fields are those of `events.EVENTS`."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="events", null=True)
    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=150, db_default="")
    """Who caused it: "command", "watcher", or a user's name; blank for workers, and in lines of earlier versions."""
    name = models.CharField(max_length=60)
    fields = models.JSONField(default=dict)

    objects = EventQuerySet.as_manager()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add it; a line that stands is not changed."""
        if self.pk is not None:
            raise BrokenPromise("HistoryIsAppendOnly")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse."""
        raise BrokenPromise("HistoryIsAppendOnly")
