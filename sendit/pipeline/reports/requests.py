"""Requests as the page shows them: nothing of a patient's is in them, but what a person may have typed as a reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sendit.confirmations.filing import is_same_person
from sendit.confirmations.models import Kind, Request, RequestState

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """One request."""

    key: int
    kind: Kind
    project: str
    state: RequestState
    filed_by: str
    filed_at: datetime
    reason: str
    about: dict[str, str]
    decided_by: str
    decided_at: datetime | None
    is_own: bool
    """Whether whoever looks has filed it, and so may not decide about it."""


def requests(kinds: frozenset[Kind], reader: str) -> Iterator[Shown]:
    """Yield what waits, then what was decided last."""
    rows = Request.objects.filter(kind__in=kinds).defer("content", "result").order_by("-pk")
    waiting = list(rows.filter(state=RequestState.WAITING)[:SHOWN])
    yield from (_shown(row, reader) for row in (*waiting, *rows.exclude(state=RequestState.WAITING)[:SHOWN]))


def _shown(row: Request, reader: str) -> Shown:
    filed_by = f"{row.filed_by} (sudo of {row.filed_for})" if row.filed_for else row.filed_by
    return Shown(
        row.pk,
        Kind(row.kind),
        row.project,
        RequestState(row.state),
        filed_by,
        row.filed_at,
        row.reason.reveal() or "",
        row.about,
        row.decided_by,
        row.decided_at,
        is_same_person(reader, row),
    )


def kind_of(request: int) -> Kind | None:
    """Return what a request asks for; None where there is no such request."""
    found = Request.objects.filter(pk=request).values_list("kind", flat=True).first()
    return None if found is None else Kind(found)


def facts(request: int) -> dict[str, str]:
    """Return what the audit trail says of a request: who filed it, for which project, and what may be said of it."""
    row = Request.objects.only("project", "filed_by", "filed_for", "about").get(pk=request)
    return {"filed by": row.filed_for or row.filed_by, "project": row.project, **row.about}
