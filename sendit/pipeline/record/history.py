"""A batch's history: one row of `Event` for each thing that befalls it, which the log repeats."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.utils import timezone

from sendit.ground import events
from sendit.pipeline.record import statements
from sendit.pipeline.record.models import Event

COMMAND, WATCHER = "command", "watcher"
"""Who acts where no user is known by name; what workers do carries no actor."""

WITH_REASON = frozenset({"batch.withdrawn", "batch.made_again", "batch.screened_again"})
"""The events whose reason is what a person typed."""


def record(name: str, batch: int, **fields: int | float | str) -> None:
    """Keep an event in the batch's history, and log it once it is committed."""
    record_all(batch, (name, fields))


def record_by(actor: str, name: str, batch: int, /, **fields: int | float | str) -> None:
    """The same of what somebody caused; the log does not say who."""
    record_all(batch, (name, fields), actor=actor)


def record_reason(actor: str, reason: str, name: str, batch: int, /, **fields: int | float | str) -> None:
    """The same of what somebody gave a reason for: their own words stand in the history, and not in the log."""
    assert name in WITH_REASON
    kept = dict(events.checked(name, fields | {"reason": reason}))
    about = {"batch": batch, "at": timezone.now(), "actor": actor, "name": name, "fields": kept}
    statements.insert(Event, about)
    transaction.on_commit(partial(_log, batch, ((name, fields),)))


def record_all(batch: int, *happened: tuple[str, events.Fields], actor: str = "") -> None:
    """The same of several events, in their order."""
    about = {"batch": batch, "at": timezone.now(), "actor": actor}
    kept = [about | {"name": name, "fields": dict(events.checked(name, fields))} for name, fields in happened]
    statements.insert(Event, *kept)
    transaction.on_commit(partial(_log, batch, happened))


def _log(batch: int, happened: tuple[tuple[str, events.Fields], ...]) -> None:
    for name, fields in happened:
        events.log(name, batch, **fields)
