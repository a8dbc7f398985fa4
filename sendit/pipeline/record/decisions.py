"""What reviewers have decided about images: released or rejected, for the file's bytes, in whatever folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from django.db import IntegrityError, transaction

from sendit.deid.identifiers.descriptors import Cleaner
from sendit.ground.phi_field import short_digest
from sendit.phi import Phi
from sendit.pipeline.record.models import Image, Outcome, ReviewDecision

LABEL = b"reviewed "
BLOCK_BYTES = 1 << 20
REVIEWER = "reviewer: "
REJECTED = f"{REVIEWER}rejected"
"""The rule of an image that a reviewer has rejected for a reason that may identify."""
CHUNK = 500
"""Digests looked up in one statement."""

Boxes = tuple[tuple[int, int, int, int], ...]
"""Rectangles as (left, top, right, bottom)."""


class Decision(StrEnum):
    """What a reviewer says of an image that a person must look at."""

    RELEASE = "release"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision, and whose it is."""

    decision: Decision
    actor: str
    rule: str = REJECTED
    masks: Boxes = ()
    """What is blanked in a released image."""


def boxes_of(text: str) -> Boxes:
    """Return rectangles that were written as `left,top,width,height`, with semicolons between. Raises ValueError."""
    found = []
    for one in filter(None, (part.strip() for part in text.split(";"))):
        left, top, width, height = (int(number) for number in one.split(","))
        found.append((left, top, left + width, top + height))
    return tuple(found)


def text_of(boxes: Iterable[Iterable[int]]) -> str:
    """Return rectangles as they are written."""
    return "; ".join(f"{left},{top},{right - left},{bottom - top}" for left, top, right, bottom in boxes)


def digest_of(read: Callable[[int, memoryview], int]) -> bytes:
    """Return the keyed digest of a file's bytes; `read(offset, block)` fills a block and says how far."""
    whole, block, offset = hashlib.sha256(), memoryview(bytearray(BLOCK_BYTES)), 0
    while count := read(offset, block):
        whole.update(block[:count])
        offset += count
    return short_digest(LABEL + whole.digest())


def rule_of(reason: str) -> str:
    """Return what withholds an image that is rejected for a reason: the reason, if it is made of known words alone.

    A rule stands in reports, metrics and pages for viewers; what a person typed may name somebody.
    """
    said = " ".join(reason.split())
    return f"{REVIEWER}{said}"[:255] if said and Cleaner(()).clean_term(said.lower()) else REJECTED


def are_there(project: str) -> bool:
    """Return whether anything was decided in a project, so that files have to be compared with it."""
    return ReviewDecision.objects.filter(project=project).exists()


def of(project: str, digest: bytes) -> Decided | None:
    """Return what was decided about a file."""
    return of_all(project, [digest]).get(digest)


def of_all(project: str, digests: Iterable[bytes]) -> dict[bytes, Decided]:
    """Return what was decided about files, by their digests."""
    found: dict[bytes, Decided] = {}
    for some in _chunks(digests):
        rows = ReviewDecision.objects.filter(project=project, digest__in=some).defer("reason")
        found |= {bytes(row.digest): _decided(row) for row in rows}
    return found


def about(project: str, instances: Iterable[bytes]) -> set[bytes]:
    """Return those of the SOP Instances, by their digests, of which some file was decided about."""
    found: set[bytes] = set()
    for some in _chunks(instances):
        rows = ReviewDecision.objects.filter(project=project, instance_digest__in=some)
        found |= {bytes(one) for one in rows.values_list("instance_digest", flat=True) if one is not None}
    return found


def decided_rows(project: str, rows: Iterable[Image]) -> list[Image]:
    """Return those of the images that are in review and were decided about."""
    waiting = {
        bytes(row.review_digest): row
        for row in rows
        if row.outcome == Outcome.IN_REVIEW and row.review_digest is not None
    }
    return [waiting[digest] for digest in of_all(project, waiting)] if waiting else []


def decide(
    project: str,
    digest: bytes,
    decision: Decision,
    actor: str,
    reason: str,
    *,
    instance_digest: bytes | None = None,
    masks: Boxes = (),
) -> Decided | None:
    """Keep a decision; the first one stands. Return None, or the one that was there."""
    row = ReviewDecision(
        project=project,
        digest=digest,
        instance_digest=instance_digest,
        decision=decision,
        actor=actor,
        reason=Phi(reason),
        rule=rule_of(reason) if decision is Decision.REJECT else "",
        masks=[list(box) for box in masks] or None,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return of(project, digest)
    return None


def _decided(row: ReviewDecision) -> Decided:
    masks = tuple((left, top, right, bottom) for left, top, right, bottom in row.masks or ())
    return Decided(Decision(row.decision), row.actor, row.rule or REJECTED, masks)


def _chunks(digests: Iterable[bytes]) -> Iterator[list[bytes]]:
    left = iter(dict.fromkeys(digests))
    while some := list(islice(left, CHUNK)):
        yield some
