"""Lists of batches, and all about one, as records: what a page, an API or a command shows.

Nothing here identifies, except what `identified` returns, which is wrapped. A list is read page by page, each from
where the last one ended; a page takes as long with a million batches as with a hundred.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from typing import Any

from django.db.models import QuerySet

from sendit.deid.recipe.recipe import Recipe
from sendit.errors import CODES
from sendit.phi import Phi
from sendit.pipeline.record import history, kept_recipes
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Delivery, Event, Image, Outcome
from sendit.pipeline.record.states import DeliveryState, State

STATES = tuple(State)

CHUNK = 250
"""Batches whose codes or rules are looked up in one statement."""

LOOKED_THROUGH = 4 * CHUNK
"""A page by code or by rule ends after so many batches, full or not; the next one goes on from there."""


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Which batches are asked for; all of what is given must hold."""

    state: str = ""
    has_error: bool = False
    code: str = ""
    """An error's code that the batch or one of its files has."""
    rule: str = ""
    """A rule that withholds one of its files."""
    projects: frozenset[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Found from `since` on, and before `until`."""


@dataclass(frozen=True, slots=True)
class BatchError:
    """An error of a batch: so many of its files have it, or the batch itself."""

    code: str
    tag: str
    count: int
    stage: str

    @property
    def sentences(self) -> str:
        """What happened, and what to do next."""
        return sentences(self.code)


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """One batch in a list."""

    batch: int
    project: str
    item_suid: str
    """The study's pseudonym; blank until the identity service has answered."""
    state: State
    has_error: bool
    found: int
    delivered: int
    filtered: int
    in_review: int
    errored: int
    input_bytes: int
    created_at: datetime
    changed_at: datetime
    delivered_at: datetime | None
    waits_for: str
    not_before: datetime
    attempts: int
    errors: tuple[BatchError, ...]

    @property
    def is_withdrawn(self) -> bool:
        """Whether its study was taken back."""
        return self.state is State.WITHDRAWN


@dataclass(frozen=True, slots=True)
class Page:
    """Batches, the newest first, and where the next page begins."""

    batches: tuple[BatchSummary, ...]
    before: int | None
    """The next page has batches of lower keys than this; None where this page is the last."""


@dataclass(frozen=True, slots=True)
class BatchEvent:
    """One line of a batch's history."""

    at: datetime
    name: str
    fields: dict[str, Any]
    actor: str
    """Who caused it; blank for workers."""

    def fields_for(self, sees_identifiers: bool) -> dict[str, Any]:
        """The fields; a reason that a person typed may identify, and is for those who see identifiers."""
        if sees_identifiers or self.name not in history.WITH_REASON:
            return self.fields
        return {name: value for name, value in self.fields.items() if name != "reason"}


@dataclass(frozen=True, slots=True)
class WithheldFiles:
    """Files of a batch that were not delivered for one reason, by their numbers."""

    outcome: Outcome
    reason: str
    """The rule or the error's code."""
    tag: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BatchRecipe:
    """By which recipe a batch was de-identified; blank before."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class BatchDelivery:
    """One archive of a batch, on its way to one destination; `uri` is blank until it is there."""

    part: int
    generation: int
    destination: str
    state: DeliveryState
    attempts: int
    code: str
    """What it waits for, or why the destination refuses it."""
    object_name: str
    uri: str
    images: int
    size_bytes: int
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class BatchReport:
    """Everything about a batch that does not identify."""

    summary: BatchSummary
    recipe: BatchRecipe
    deliveries: tuple[BatchDelivery, ...]
    events: tuple[BatchEvent, ...]
    withheld: tuple[WithheldFiles, ...]


@dataclass(frozen=True, slots=True)
class Identified:
    """What identifies in a report: the folder's path, and the files' names in the order of their numbers."""

    folder: Phi[str] | None
    """None after a purge."""
    names: Phi[list[str]]


def sentences(code: str) -> str:
    """What a code means, and what to do next."""
    entry = CODES.get(code)
    return f"{entry.what} {entry.then}" if entry else "A code of another version of sendit."


def recipe_of(batch: int) -> Recipe | None:
    """The recipe by which the batch was processed; None where none was kept."""
    found = Batch.objects.filter(pk=batch).values_list("recipe_sha256", flat=True).first()
    return kept_recipes.find(found) if found else None


# ---------------------------------------------------------------------------------------------- lists


def page(which: BatchFilter = BatchFilter(), before: int | None = None, size: int = 50) -> Page:
    """The newest batches that a filter lets through, from the key `before` downwards."""
    batches = _candidates(which, before)
    if not (which.code or which.rule):
        found = [*batches[: size + 1]]
        return Page(_summaries(found[:size]), found[size - 1].pk if len(found) > size else None)
    matching: list[Batch] = []
    looked, last = 0, None
    while looked < LOOKED_THROUGH:
        chunk = [*(batches if last is None else batches.filter(pk__lt=last))[:CHUNK]]
        matching += islice(_matching(chunk, which), size - len(matching))
        if len(matching) == size:
            return Page(_summaries(matching), matching[-1].pk)
        if len(chunk) < CHUNK:
            return Page(_summaries(matching), None)
        looked, last = looked + CHUNK, chunk[-1].pk
    return Page(_summaries(matching), last)


def total() -> int:
    """How many batches there are."""
    return Batch.objects.count()


def key_above(which: BatchFilter, here: Page, size: int) -> int | None:
    """The key with which the page before this one begins: its batches have lower keys; None where that is the first."""
    first = here.batches[0].batch if here.batches else 0
    above = _candidates(which, None).filter(pk__gt=first).order_by("pk").values_list("pk", flat=True)[size : size + 1]
    return next(iter(above), None)


def those(batches: Iterable[int], projects: frozenset[str] | None = None) -> Page:
    """The batches with these keys, the newest first, as far as they are of these projects."""
    return Page(_summaries(_candidates(BatchFilter(projects=projects), None).filter(pk__in=list(batches))), None)


def _candidates(which: BatchFilter, before: int | None) -> QuerySet[Batch]:
    """What an index finds; whoever has a code has an error."""
    batches = Batch.objects.order_by("-pk")
    if before is not None:
        batches = batches.filter(pk__lt=before)
    if which.state:
        batches = batches.filter(state=which.state)
    if which.projects is not None:
        batches = batches.filter(project__in=which.projects)
    if which.since:
        batches = batches.filter(pk__gte=_first_found_from(which.since))
    if which.until:
        batches = batches.filter(pk__lt=_first_found_from(which.until))
    return batches.filter(has_error=True) if which.has_error or which.code else batches


def _first_found_from(moment: datetime) -> int:
    """The lowest key of a batch found at that moment or later: keys grow with time, so twenty looks find it."""
    keys = Batch.objects.order_by("pk")
    low, high = 0, (keys.values_list("pk", flat=True).last() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        found = keys.filter(pk__gte=middle).values_list("pk", "created_at").first()
        if found is None or found[1] >= moment:
            high = middle
        else:
            low = found[0] + 1
    return low


def _matching(chunk: list[Batch], which: BatchFilter) -> Iterator[Batch]:
    if which.code:
        chunk = [batch for batch in chunk if any(error["code"] == which.code for error in batch.errors)]
    if which.rule:
        # The outcome is not asked for: by the index of all files of the rule the answer would take longer each day.
        withheld = Image.objects.filter(
            batch__in=[batch.pk for batch in chunk if batch.filtered or batch.in_review], rule=which.rule
        )
        keys = set(withheld.order_by().values_list("batch", flat=True).distinct())
        chunk = [batch for batch in chunk if batch.pk in keys]
    yield from chunk


def _summaries(batches: Iterable[Batch]) -> tuple[BatchSummary, ...]:
    return tuple(map(_summary, batches))


def _summary(batch: Batch) -> BatchSummary:
    return BatchSummary(
        batch=batch.pk,
        project=batch.project,
        item_suid=batch.item_suid,
        state=State(batch.state),
        has_error=batch.has_error,
        found=batch.found,
        delivered=batch.delivered,
        filtered=batch.filtered,
        in_review=batch.in_review,
        errored=batch.errored,
        input_bytes=batch.input_bytes,
        created_at=batch.created_at,
        changed_at=batch.changed_at,
        delivered_at=batch.delivered_at,
        waits_for=batch.waits_for,
        not_before=batch.not_before,
        attempts=batch.attempts,
        errors=tuple(
            BatchError(error["code"], error.get("tag", ""), error.get("count", 0), error.get("stage", ""))
            for error in batch.errors
        ),
    )


# ---------------------------------------------------------------------------------------------- one batch


def report(batch: int) -> BatchReport | None:
    """All about one batch; None where there is none of that key."""
    found = Batch.objects.filter(pk=batch).first()
    if found is None:
        return None
    recipe = BatchRecipe(found.recipe_name, found.recipe_sha256)
    return BatchReport(
        _summary(found), recipe, tuple(_deliveries(batch)), tuple(_events(batch)), tuple(_withheld(batch))
    )


def _deliveries(batch: int) -> Iterator[BatchDelivery]:
    for row in Delivery.objects.filter(batch=batch).order_by("generation", "part", "pk"):
        yield BatchDelivery(
            part=row.part,
            generation=row.generation,
            destination=row.destination,
            state=DeliveryState(row.state),
            attempts=row.attempts,
            code=row.code,
            object_name=row.object_name,
            uri=row.uri,
            images=row.images,
            size_bytes=row.size_bytes,
            delivered_at=row.delivered_at,
        )


def of_same_study(batch: int) -> list[int]:
    """The keys of other batches with the same study pseudonym."""
    found = Batch.objects.filter(pk=batch).values_list("item_suid", flat=True).first()
    if not found:
        return []
    return list(Batch.objects.filter(item_suid=found).exclude(pk=batch).order_by("pk").values_list("pk", flat=True))


def _events(batch: int) -> Iterator[BatchEvent]:
    for event in Event.objects.filter(batch=batch).order_by("pk"):
        yield BatchEvent(event.at, event.name, event.fields, event.actor)


def _withheld(batch: int) -> Iterator[WithheldFiles]:
    """Files that were not delivered, those of one reason together."""
    withheld = Image.objects.filter(batch=batch).exclude(outcome=Outcome.DELIVERED)
    ordered = withheld.order_by("outcome", "code", "rule", "tag", "number")
    for (outcome, reason, tag), images in groupby(
        ordered, key=lambda image: (image.outcome, image.code or image.rule, image.tag)
    ):
        yield WithheldFiles(Outcome(outcome), reason, tag, tuple(image.number for image in images))


def identified(batch: int) -> Identified:
    """The folder and the names of a batch's files; nothing of one that was purged."""
    row = BatchIdentifiers.objects.filter(batch=batch).first()
    if row is None:
        return Identified(None, Phi([]))
    return Identified(row.path, Phi(row.files.reveal() or []))


def accession_numbers(batches: Iterable[int]) -> dict[int, Phi[str]]:
    """The names of batches' folders, which are accession numbers as a rule; those that were purged are left out."""
    rows = BatchIdentifiers.objects.filter(batch__in=list(batches))
    return {row.pk: Phi(folder["uid"]) for row in rows if (folder := row.folder.reveal())}


def meant_by(identity: str) -> list[int]:
    """The keys of the batches that somebody may mean, by key, by the folder's name, or by the study's pseudonym.

    `pk:` or `uid:` before it says which, for an accession number may look like a primary key.
    """
    kind, colon, rest = identity.partition(":")
    if not colon or kind not in ("pk", "uid"):
        kind, rest = "", identity
    by_key = _by_key(rest) if kind != "uid" else []
    by_uid = Batch.objects.for_uid(rest) if kind != "pk" else Batch.objects.none()
    return [*by_key, *(batch.pk for batch in by_uid)] or _by_study(identity)


def meant_without_identifiers(identity: str) -> list[int]:
    """The same for somebody who must not learn whether an accession number is known here: by key or by pseudonym."""
    return _by_key(identity.removeprefix("pk:")) or _by_study(identity)


def _by_key(text: str) -> list[int]:
    is_key = text.isascii() and text.isdigit() and len(text) < 19
    return [batch.pk for batch in Batch.objects.filter(pk=int(text))] if is_key else []


def _by_study(item_suid: str) -> list[int]:
    return [batch.pk for batch in Batch.objects.filter(item_suid=item_suid).exclude(item_suid="")]
