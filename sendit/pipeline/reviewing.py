"""Review: a person releases or rejects images that wait for one. `operations` offers it to others.

A decision is kept by the file's bytes, whatever state its batch is in: it is carried out at once where the batch rests,
and else when the batch comes to rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from django.db import transaction

from sendit.deid.recipe.screen import screen
from sendit.deid.stream.header import Header, read_header
from sendit.deid.stream.sources import FileSource
from sendit.errors import DataFault
from sendit.pipeline.record import carrying_out, clock, decisions, history, studies
from sendit.pipeline.record.decisions import Boxes, Decided, Decision
from sendit.pipeline.record.models import Batch, Image, Outcome
from sendit.pipeline.record.states import GROWING, Job
from sendit.pipeline.reports import images
from sendit.pipeline.stages.screening import is_doubtful
from sendit.projects.composition import Projects

MOST_MASKS = 64
"""More rectangles than these are no description of an image."""
LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What became of a wish to decide about images of one batch, by their numbers."""

    batch: int
    decided: tuple[int, ...] = ()
    forbidden: tuple[int, ...] = ()
    """Neither in review nor withheld by a rule that a person may overrule."""
    gone: tuple[int, ...] = ()
    """The original is not there any more."""
    too_late: tuple[tuple[int, Decided], ...] = ()
    """Somebody else has decided already; that decision stands."""
    is_on_the_move: bool = False
    """A worker has the batch, of which withheld images are to be released: nothing was decided."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a reviewer says of images.

    Attributes
    ----------
    masks : mapping of int to Boxes, optional
        What is blanked in released images, by their numbers. In an image that is not named it is what is proposed.
    """

    decision: Decision
    actor: str
    reason: str
    masks: Mapping[int, Boxes] | None = None


@dataclass(frozen=True, slots=True)
class _File:
    """A file that a person may decide about."""

    digest: bytes
    instance_digest: bytes | None
    proposed: Boxes
    """What is blanked in its output, or would be; nothing of an image that a graylist withholds."""


def review(
    projects: Projects,
    batch: int,
    numbers: Iterable[int],
    word: str,
    actor: str,
    reason: str,
    masks: Mapping[int, Boxes] | None = None,
) -> Reviewed | None:
    """Release or reject images that wait for a person, or that a graylist withholds; None where there is no such batch.

    What is released is de-identified and proven like any other image, with the masks blanked in its pixels. It is
    delivered with its batch, where that waits, or as the study's next part. A decision holds for the bytes of the file,
    also when the batch is processed again. Raises ValueError for masks that are none.
    """
    said = Word(Decision(word), actor, reason, {number: _checked(boxes) for number, boxes in (masks or {}).items()})
    found = Batch.objects.filter(pk=batch).first()
    if found is None:
        return None
    judged = {number: _judged(projects, found, number) for number in dict.fromkeys(numbers)}
    files = {number: file for number, file in judged.items() if isinstance(file, _File)}
    with transaction.atomic():
        late = _decide(found, files, said)
        decided = tuple(number for number in files if number not in late)
        if decided and not _carry_out(found.pk, {number: files[number] for number in decided}, said):
            transaction.set_rollback(True)
            return Reviewed(batch, is_on_the_move=True)
    forbidden = tuple(number for number, why in judged.items() if why == "forbidden")
    gone = tuple(number for number, why in judged.items() if why == "gone")
    return Reviewed(batch, decided, forbidden, gone, tuple(late.items()))


def _checked(boxes: Boxes) -> Boxes:
    if len(boxes) > MOST_MASKS:
        raise ValueError(len(boxes))
    if not all(map(is_mask, boxes)):
        raise ValueError(boxes)
    return boxes


def is_mask(box: tuple[int, int, int, int]) -> bool:
    """Return whether a rectangle has pixels, and no more than an image may have."""
    left, top, right, bottom = box
    return 0 <= left < right <= LARGEST and 0 <= top < bottom <= LARGEST


def _judged(projects: Projects, batch: Batch, number: int) -> _File | Literal["forbidden", "gone"]:
    """A file that a person may decide about, or why nobody may."""
    row = Image.objects.filter(batch=batch, number=number).first()
    if row is None:
        return "forbidden"
    try:
        path = images.original(batch.pk, number).reveal()
        if row.outcome == Outcome.IN_REVIEW and row.review_digest is not None:
            proposed = _fewer(_boxes(row.proposed))
            return _File(bytes(row.review_digest), _instance_digest(row, read_header(path)), proposed)
        header = read_header(path)
        with closing(FileSource(path)) as file:
            digest = decisions.digest_of(file.readinto)
        recipe = projects.of(batch.project).recipe
        is_withheld = row.outcome == Outcome.FILTERED and is_doubtful(screen(header, recipe))
        if is_withheld or decisions.of(batch.project, digest) is not None:
            return _File(digest, _instance_digest(row, header), ())
        return "forbidden"
    except DataFault as fault:
        return "gone" if fault.code == "OriginalGone" else "forbidden"
    except OSError:
        return "gone"


def _fewer(boxes: Boxes) -> Boxes:
    """So many rectangles that they may be drawn: neighbours become one, which hides more."""
    left = sorted(boxes, key=lambda box: (box[1], box[0]))
    while len(left) > MOST_MASKS:
        pairs = [_around(one, other) for one, other in pairwise(left)]
        place = min(range(len(pairs)), key=lambda index: _area(pairs[index]) - _area(left[index]))
        left[place : place + 2] = [pairs[place]]
    return tuple(left)


def _around(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, int, int, int]:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _area(box: tuple[int, ...]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _instance_digest(row: Image, header: Header) -> bytes | None:
    if row.instance_digest is not None:
        return bytes(row.instance_digest)
    uid = header.text("SOPInstanceUID")
    return studies.of_instance(uid) if uid else None


def _boxes(proposed: list[list[int]] | None) -> Boxes:
    return tuple((left, top, right, bottom) for left, top, right, bottom in proposed or ())


def _decide(batch: Batch, files: Mapping[int, _File], word: Word) -> dict[int, Decided]:
    """Keep the decisions; return those that were there before."""
    late = {}
    for number, file in files.items():
        masks = (word.masks or {}).get(number, file.proposed) if word.decision is Decision.RELEASE else ()
        earlier = decisions.decide(
            batch.project,
            file.digest,
            word.decision,
            word.actor,
            word.reason,
            instance_digest=file.instance_digest,
            masks=masks,
        )
        if earlier is not None:
            late[number] = earlier
    return late


def _carry_out(batch: int, files: Mapping[int, _File], word: Word) -> bool:
    """Do at once what may be done at once; False where withheld images are of a batch that a worker has."""
    locked = Batch.objects.select_for_update().get(pk=batch)
    withheld = Image.objects.filter(batch=batch, number__in=list(files), outcome=Outcome.FILTERED)
    if withheld.exists() and not _carry_out_withheld(locked, list(withheld), word):
        return False
    masked = sum(bool((word.masks or {}).get(number)) for number in files)
    said = {Decision.RELEASE: "released", Decision.REJECT: "rejected"}[word.decision]
    history.record_by(
        word.actor, "batch.reviewed", batch, **{said: len(files)}, **({"masked": masked} if masked else {})
    )
    carrying_out.carry_out(locked)
    for other in _others(batch, files):
        carrying_out.carry_out(Batch.objects.select_for_update().get(pk=other))
    return True


def _others(batch: int, files: Mapping[int, _File]) -> list[int]:
    """Other batches in which the same files are in review."""
    rows = carrying_out.with_files([file.digest for file in files.values()]).exclude(batch=batch)
    return sorted(set(rows.values_list("batch", flat=True)))


def _carry_out_withheld(batch: Batch, withheld: list[Image], word: Word) -> bool:
    """The same of images that a graylist withholds where nothing waits for a person."""
    rows, now = Image.objects.filter(pk__in=[row.pk for row in withheld]), clock.now()
    if word.decision is Decision.REJECT:
        rows.update(rule=decisions.rule_of(word.reason))
        return batch.state in (*GROWING, Job.PROCESS.waiting)
    if batch.state in GROWING and not batch.move(Job.PROCESS.waiting, queued_at=now, not_before=now, folder_changes=0):
        return False
    rows.update(file_digest=None)  # so that the file is looked at again
    return batch.state == Job.PROCESS.waiting
