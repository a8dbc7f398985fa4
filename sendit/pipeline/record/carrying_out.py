"""What reviewers' decisions do to a batch: at once where it rests, or when it comes to rest.

Every function is called inside the transaction that holds the batch's row.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import BooleanField, Exists, OuterRef, QuerySet
from django.db.models.expressions import RawSQL

from sendit.pipeline.record import clock, decisions, deliveries, statements
from sendit.pipeline.record.decisions import Decided, Decision
from sendit.pipeline.record.models import Batch, Image, Outcome, ReviewDecision
from sendit.pipeline.record.states import HELD_BACK, REDECIDED, TAKES_DECISIONS, Job

NOT_MADE: dict[str, Any] = {"member": "", "offset": None, "length": None, "sha256": "", "size_bytes": 0}
"""What a row of Image says that is in no archive."""
AT_ONCE = 500
"""Rows changed in one statement."""


def in_review(batch: Batch) -> QuerySet[Image]:
    """The images of a batch that wait for a person, or for a worker to do what the person said."""
    return Image.objects.filter(batch=batch, outcome=Outcome.IN_REVIEW)


def with_files(digests: list[bytes]) -> QuerySet[Image]:
    """The images in review of these files. The outcome is a literal: SQLite uses no partial index for a parameter."""
    literal = RawSQL(f"outcome = '{Outcome.IN_REVIEW.value}'", (), BooleanField())
    return Image.objects.filter(literal, review_digest__in=digests)


def carry_out(batch: Batch) -> None:
    """Do what reviewers decided about the batch's images, and move the batch on where none waits any more."""
    if batch.state not in TAKES_DECISIONS or not batch.in_review:
        return
    rows = list(_decided(batch).only("pk", "review_digest", "proposed", "member"))
    known = decisions.of_all(batch.project, (_digest(row) for row in rows))
    rejected = [row for row in rows if known[_digest(row)].decision is Decision.REJECT]
    accepted = [row for row in rows if _is_as_made(batch, row, known[_digest(row)])]
    _reject(rejected, known)
    _change(accepted, {"outcome": Outcome.DELIVERED, "rule": "", "review_digest": None, "proposed": None})
    left = batch.in_review - len(rejected) - len(accepted)
    values = {
        "in_review": left,
        "filtered": batch.filtered + len(rejected),
        "delivered": batch.delivered + len(accepted),
        "review_since": batch.review_since if left else None,
    }
    _move_on(batch, values, released=len(rows) - len(rejected) - len(accepted))


def _decided(batch: Batch) -> QuerySet[Image]:
    """The images in review about which somebody has decided."""
    decision = ReviewDecision.objects.filter(project=batch.project, digest=OuterRef("review_digest"))
    return in_review(batch).filter(Exists(decision))


def _digest(row: Image) -> bytes:
    return bytes(row.review_digest or b"")


def without_review(batch: Batch) -> dict[str, Any]:
    """The numbers of a batch of which nothing waits for a person any more, because a rule withholds it."""
    return {"filtered": batch.filtered + batch.in_review, "in_review": 0, "review_since": None}


def withhold(batch: Batch, rule: str) -> None:
    """A rule withholds what was in review."""
    in_review(batch).update(**_withheld_by(rule))


def _withheld_by(rule: str) -> dict[str, Any]:
    return {"outcome": Outcome.FILTERED, "rule": rule, "review_digest": None, "proposed": None, **NOT_MADE}


def _is_as_made(batch: Batch, row: Image, decided: Decided) -> bool:
    """Whether the archive that waits has the image just as the reviewer wants it."""
    if batch.state != HELD_BACK or not row.member or decided.decision is not Decision.RELEASE:
        return False
    return {tuple(box) for box in row.proposed or ()} == set(decided.masks)


def _reject(rows: Iterable[Image], known: dict[bytes, Decided]) -> None:
    of_rule: dict[str, list[Image]] = {}
    for row in rows:
        of_rule.setdefault(known[_digest(row)].rule, []).append(row)
    for rule, some in of_rule.items():
        _change(some, _withheld_by(rule))


def _change(rows: list[Image], values: dict[str, Any]) -> None:
    for start in range(0, len(rows), AT_ONCE):
        Image.objects.filter(pk__in=[row.pk for row in rows[start : start + AT_ONCE]]).update(**values)


def _move_on(batch: Batch, values: dict[str, Any], released: int) -> None:
    """A batch that waits for a reviewer goes on when nothing of it waits; any other, as soon as something is released.

    The archive of one that waits goes out as it was made, or is made again without what was rejected.
    """
    now = clock.now()
    again = values | {"queued_at": now, "not_before": now, "attempts": 0, "folder_changes": 0}
    is_moved = True
    if batch.state == HELD_BACK and released == values["in_review"]:
        is_void = released or not _has_all(batch)
        is_moved = batch.move(Job.PROCESS.waiting, **again) if is_void else batch.move(Job.DELIVER.waiting, **values)
    elif batch.state in REDECIDED and released:
        is_moved = batch.move(Job.PROCESS.waiting, **again)
    else:
        statements.update(Batch, values, {"id": batch.pk})
        for name, value in values.items():
            setattr(batch, name, value)
    assert is_moved, "the row is held"


def _has_all(batch: Batch) -> bool:
    """Whether the archive that waits has what is to be delivered, and nothing else."""
    return all(
        Image.objects.filter(batch=batch, outcome=Outcome.DELIVERED, part=one.part).count() == one.images
        for one in deliveries.pending(batch.pk)
    )
