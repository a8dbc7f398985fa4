"""Adding to the trail, reading it, and finding out whether somebody has changed it.

A row's digest is keyed (HMAC-SHA-256 under a key derived from `digest.key`) and covers the row and the digest before
it. So who can write to the database, but has no key, can neither change a row nor take one out of the middle unnoticed.
That rows were cut off at the end shows by the head, and by the log, which has the number and digest of every row.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from sendit.audit.acts import Act, Outcome
from sendit.audit.models import AuditHead, AuditQuerySet, AuditRow
from sendit.ground import events
from sendit.keys import KeyFile, load_known

LABEL = b"sendit audit trail 1"
Seen = tuple[str, "int | str"]
"""What an act was about: a kind and a primary key, or a name of ours."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, in which roles, from where."""

    name: str
    roles: tuple[str, ...] = ()
    address: str = ""


@dataclass(frozen=True, slots=True)
class AuditKey:
    """What the chain is keyed with."""

    value: bytes

    @classmethod
    def of(cls, secrets_folder: Path, var: Path) -> AuditKey:
        """Derive it from `digest.key`, which a site keeps for ever."""
        return cls(hmac.new(load_known(secrets_folder, KeyFile.DIGEST, var)[0], LABEL, hashlib.sha256).digest())


def note(
    key: AuditKey,
    act: Act,
    actor: Actor,
    seen: Iterable[Seen] = (),
    *,
    outcome: Outcome = Outcome.SUCCESS,
    reason: str = "",
) -> None:
    """Add a row. It is there when this returns: what identifies is shown afterwards, or not at all."""
    with transaction.atomic():
        head = AuditHead.objects.select_for_update().get_or_create(pk=1)[0]
        row = AuditRow(
            number=head.number + 1,
            at=timezone.now(),
            act=act,
            outcome=outcome,
            actor=actor.name[:150],
            roles=" ".join(sorted(actor.roles)),
            address=actor.address[:64],
            objects_seen=[list(one) for one in seen],
            reason=reason[:500],
        )
        row.digest = _digest(key, row, head.digest)
        row.save()
        AuditHead.objects.filter(pk=1).update(number=row.number, digest=row.digest)
        transaction.on_commit(partial(events.log, "audit.noted", number=row.number, digest=row.digest))


def _digest(key: AuditKey, row: AuditRow, before: str) -> str:
    at = row.at.astimezone(UTC).isoformat(timespec="microseconds")
    told = [before, row.number, at, row.act, int(row.outcome), row.actor, row.roles, row.address, row.objects_seen,
            row.reason]  # fmt: skip
    text = json.dumps(told, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(key.value, text.encode(), hashlib.sha256).hexdigest()


# ------------------------------------------------------------------------------------------ verify


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: how many rows there are, the first that is not as it was written, and the newest."""

    rows: int
    first_bad: int | None
    head: int
    digest: str

    @property
    def is_whole(self) -> bool:
        """Whether nothing was changed, added, or taken away."""
        return self.first_bad is None


def verify(key: AuditKey, known: tuple[int, str] | None = None) -> Verdict:
    """Go through the whole trail; `known` is a row's number and digest from elsewhere, such as a log."""
    before, expected = "", 1
    for row in AuditRow.objects.order_by("number").iterator(chunk_size=2000):
        is_known = known is None or row.number != known[0] or row.digest == known[1]
        if row.number != expected or not is_known or row.digest != _digest(key, row, before):
            return Verdict(expected - 1, expected, row.number, row.digest)
        before, expected = row.digest, expected + 1
    head = AuditHead.objects.filter(pk=1).first() or AuditHead()
    is_cut = (head.number, head.digest) != (expected - 1, before) or (known is not None and known[0] >= expected)
    return Verdict(expected - 1, expected if is_cut else None, expected - 1, before)


# ------------------------------------------------------------------------------------------ read


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows are asked for; all of what is given must hold."""

    actor: str = ""
    act: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    """Rows with lower numbers only."""


def newest(which: AuditFilter, size: int) -> list[AuditRow]:
    """Return rows, the newest first."""
    return list(_rows(which).order_by("-number")[:size])


def oldest_first(which: AuditFilter) -> Iterator[AuditRow]:
    """Yield all rows in their order."""
    yield from _rows(which).order_by("number").iterator(chunk_size=2000)


def _rows(which: AuditFilter) -> AuditQuerySet:
    rows = AuditRow.objects.all()
    if which.actor:
        rows = rows.filter(actor=which.actor)
    if which.act:
        rows = rows.filter(act=which.act)
    if which.since:
        rows = rows.filter(at__gte=which.since)
    if which.until:
        rows = rows.filter(at__lt=which.until)
    return rows if which.before is None else rows.filter(number__lt=which.before)
