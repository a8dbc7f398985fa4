"""One image of a batch: what became of it, its de-identified bytes, its original, and the two headers.

What identifies is wrapped, and only `original` and `comparison` return it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from django.db.models import QuerySet

from sendit.errors import DataFault
from sendit.phi import Phi
from sendit.pipeline.files.deid_files import Deidentification
from sendit.pipeline.files.preview import Change, Preview, PreviewRow, preview
from sendit.pipeline.record import decisions, deliveries
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Image, Outcome
from sendit.pipeline.stages.archive import read_member
from sendit.pipeline.stages.identity import variables
from sendit.pipeline.stages.outbox import Outbox
from sendit.ports import IdentityResponse, Pseudonym
from sendit.projects.composition import Projects
from sendit.projects.project import IdentityNames

__all__ = [
    "Change",
    "Contact",
    "ImageSummary",
    "Preview",
    "PreviewRow",
    "comparison",
    "contacts",
    "image",
    "original",
    "output",
]


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """What became of a file of a batch; `before` and `after` are the numbers of its neighbours."""

    batch: int
    number: int
    outcome: Outcome
    reason: str
    """The rule or the error's code; blank where it was delivered."""
    tag: str
    size_bytes: int
    before: int | None
    after: int | None
    proposed: str = ""
    """What a reviewer may have blanked, as it is written; what is blanked, where an output waits in the archive."""
    is_waiting: bool = False
    """Whether it waits for a person's word."""
    has_waiting_output: bool = False
    """Whether its output waits in its batch's archive, for reviewers only."""

    @property
    def has_output(self) -> bool:
        """Whether a de-identified image was made of it."""
        return self.outcome is Outcome.DELIVERED


@dataclass(frozen=True, slots=True)
class Contact:
    """An image in a list."""

    number: int
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image in a list of all batches' images; its times are those of its batch."""

    id: int
    batch: int
    number: int
    outcome: Outcome
    reason: str
    member: str
    """Its name in the archive; blank where it is in none."""
    found_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class ImagePage:
    """Images, the newest first, and where the next page begins."""

    images: tuple[ImageRow, ...]
    before: int | None


def page(batch: int | None, before: int | None, size: int) -> ImagePage:
    """The newest images of all batches or of one, from the key `before` downwards."""
    rows = _rows(batch)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk").select_related("batch")[: size + 1])
    return ImagePage(tuple(map(_row, found[:size])), found[size - 1].pk if len(found) > size else None)


def key_above(batch: int | None, here: ImagePage, size: int) -> int | None:
    """The key with which the page before this one begins; None where that is the first."""
    first = here.images[0].id if here.images else 0
    above = _rows(batch).filter(pk__gt=first).order_by("pk").values_list("pk", flat=True)[size : size + 1]
    return next(iter(above), None)


def total(batch: int | None = None) -> int:
    """How many images there are, of all batches or of one."""
    return _rows(batch).count()


def _rows(batch: int | None) -> QuerySet[Image]:
    return Image.objects.all() if batch is None else Image.objects.filter(batch=batch)


def _row(row: Image) -> ImageRow:
    outcome, reason = Outcome(row.outcome), row.rule or row.code
    about = row.batch
    return ImageRow(row.pk, about.pk, row.number, outcome, reason, row.member, about.created_at, about.changed_at)


def image(batch: int, number: int) -> ImageSummary | None:
    """Return what became of a file; None where the batch has none of that number."""
    images = Image.objects.filter(batch=batch)
    found = images.filter(number=number).first()
    if found is None:
        return None
    numbers = images.values_list("number", flat=True)
    return ImageSummary(
        batch,
        number,
        Outcome(found.outcome),
        found.rule or found.code,
        found.tag,
        found.size_bytes,
        numbers.filter(number__lt=number).order_by("-number").first(),
        numbers.filter(number__gt=number).order_by("number").first(),
        decisions.text_of(found.proposed or ()),
        found.outcome == Outcome.IN_REVIEW and not _is_decided(found),
        found.outcome == Outcome.IN_REVIEW and bool(found.member),
    )


def _is_decided(image: Image) -> bool:
    digest = bytes(image.review_digest or b"")
    return decisions.of(image.batch.project, digest) is not None


def contacts(batch: int, after: int, size: int) -> list[Contact]:
    """Return the images of a batch that follow a number, in their order."""
    rows = Image.objects.filter(batch=batch, number__gt=after).order_by("number")[:size]
    return [Contact(row.number, Outcome(row.outcome), row.rule or row.code) for row in rows]


# ---------------------------------------------------------------------------------------------- its bytes


def output(projects: Projects, batch: int, number: int, *, is_reviewed: bool = False) -> bytes:
    """Return the de-identified image, by one ranged read of the archive.

    Parameters
    ----------
    is_reviewed : bool, optional
        Whether a reviewer asks, who may see the output of an image in review; it is in the outbox of this host.

    Raises
    ------
    DataFault
        `NotDelivered`: there is no archive with it at the destination.
    ServiceDown, ServiceRefused
        What the store says.
    """
    found = Image.objects.filter(batch=batch, number=number).select_related("batch").first()
    if found is None or found.offset is None or found.length is None:
        raise DataFault("NotDelivered")
    archives = [one for one in deliveries.standing(batch) if one.part == found.part]
    if archives and found.outcome == Outcome.DELIVERED:
        stores, name = projects.of(found.batch.project).stores, archives[-1].object_name
        store = stores.that_has(each.destination for each in archives if each.object_name == name)
        return read_member(partial(store.read, name), found.offset, found.length)[1]
    if not is_reviewed:
        raise DataFault("NotDelivered")
    return _waiting_output(Outbox(projects.site.outbox_folder), found, found.offset, found.length)


def output_sha256(batch: int, number: int) -> str:
    """Return the digest of a de-identified image, which tells it from one that was made of the file before."""
    return Image.objects.filter(batch=batch, number=number).values_list("sha256", flat=True).first() or ""


def _waiting_output(outbox: Outbox, image: Image, offset: int, length: int) -> bytes:
    """What waits for its delivery, if this host has it."""
    for one in deliveries.pending(image.batch_id):
        archive = outbox.of(image.batch_id) / one.object_name.rpartition("/")[2]
        if one.part == image.part and archive.is_file():
            with archive.open("rb") as file:
                return read_member(partial(_read, file), offset, length)[1]
    raise DataFault("NotDelivered")


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def original(batch: int, number: int) -> Phi[Path]:
    """Return where the original is.

    Raises
    ------
    DataFault
        `OriginalGone`: it was cleaned up, or the batch's identifiers were purged.
    """
    row = BatchIdentifiers.objects.filter(batch=batch).first()
    folder = row.folder.reveal() if row else None
    names = (row.files.reveal() if row else None) or []
    if not folder or not 1 <= number <= len(names):
        raise DataFault("OriginalGone")
    path = Path(folder["path"], names[number - 1])
    if not path.is_file() or not _is_inside(path, folder["path"]):
        raise DataFault("OriginalGone")
    return Phi(path)


def _is_inside(path: Path, folder: str) -> bool:
    real = os.path.realpath(folder)
    return os.path.commonpath([real, os.path.realpath(path)]) == real


def comparison(projects: Projects, batch: int, number: int) -> Preview:
    """Return the two headers, element by element, with the rule that decided each; with the batch's own pseudonyms.

    Raises what `original` raises, DataFault where the file cannot be read, and what the identity service raises where
    the batch never got an answer from it.
    """
    path = original(batch, number).reveal()
    ports = projects.of(Batch.objects.get(pk=batch).project)
    names = ports.project.identity
    how = Deidentification(ports.recipe, ports.pseudonyms, ports.identity_service, names, _answered(batch, names))
    return preview(path, how)


def _answered(batch: int, names: IdentityNames) -> Mapping[str, str]:
    """Return the recipe's variables as the identity service answered for this batch; none where it did not."""
    row = BatchIdentifiers.objects.filter(batch=batch).first()
    response = row.response.reveal() if row else None
    if not response or not response.get("items"):
        return {}
    entity, item = map(_pseudonym, (response, response["items"][0]))
    return {name: str(value) for name, value in variables(IdentityResponse(entity, (item,)), names).items()}


def _pseudonym(record: dict[str, Any]) -> Pseudonym:
    return Pseudonym(record["suid"], record["jitter"], record["jittered_timestamp"])
