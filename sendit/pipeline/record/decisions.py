"""What reviewers have decided about images: released or rejected, for the file's bytes, in whatever folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from django.db import IntegrityError, transaction

from sendit.ground.phi_field import short_digest
from sendit.phi import Phi
from sendit.pipeline.record.models import ReviewDecision

LABEL = b"reviewed "
BLOCK_BYTES = 1 << 20
REJECTED = "reviewer: rejected"
"""The rule of an image that a reviewer has rejected; the reason, which a person typed, is kept encrypted."""


class Decision(StrEnum):
    """What a reviewer says of an image that a person must look at."""

    RELEASE = "release"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision, and whose it is."""

    decision: Decision
    actor: str


def digest_of(read: Callable[[int, memoryview], int]) -> bytes:
    """Return the keyed digest of a file's bytes; `read(offset, block)` fills a block and says how far."""
    whole, block, offset = hashlib.sha256(), memoryview(bytearray(BLOCK_BYTES)), 0
    while count := read(offset, block):
        whole.update(block[:count])
        offset += count
    return short_digest(LABEL + whole.digest())


def are_there(project: str) -> bool:
    """Return whether anything was decided in a project, so that files have to be compared with it."""
    return ReviewDecision.objects.filter(project=project).exists()


def of(project: str, digest: bytes) -> Decided | None:
    """Return what was decided about a file."""
    row = ReviewDecision.objects.filter(project=project, digest=digest).first()
    return Decided(Decision(row.decision), row.actor) if row else None


def decide(project: str, digest: bytes, decision: Decision, actor: str, reason: str) -> Decided | None:
    """Keep a decision; the first one stands. Return None, or the one that was there."""
    try:
        with transaction.atomic():
            ReviewDecision.objects.create(
                project=project, digest=digest, decision=decision, actor=actor, reason=Phi(reason)
            )
    except IntegrityError:
        return of(project, digest)
    return None
