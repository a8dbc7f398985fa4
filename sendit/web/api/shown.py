"""Records as the API answers them, and the addresses of other pages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from sendit.pipeline.reports import batches as reports
from sendit.pipeline.reports.batches import BatchSummary
from sendit.pipeline.reports.images import ImageRow
from sendit.web.api.schemas import BatchOut, ImageOut
from sendit.web.eyes import Eyes

COUNT_LASTS_SECONDS = 60.0
"""Millions are not counted for each page."""

_counts: dict[str, tuple[float, int]] = {}


def counted_now(what: str, count: Callable[[], int]) -> int:
    """Return a count that is a minute old at most."""
    now = time.monotonic()
    at, number = _counts.get(what, (0.0, 0))
    if what not in _counts or now - at > COUNT_LASTS_SECONDS:
        number = count()
        _counts[what] = (now, number)
    return number


def forget_counts() -> None:
    """Count again."""
    _counts.clear()


def batches(summaries: Iterable[BatchSummary], eyes: Eyes) -> list[BatchOut]:
    """Return batches with what the person may see of them."""
    known = list(summaries)
    names = reports.accession_numbers(one.batch for one in known) if eyes.sees_identifiers else {}
    return [
        BatchOut(
            id=one.batch,
            uid=names[one.batch].reveal() if one.batch in names else None,
            pseudonym=one.item_suid,
            project=one.project,
            status=one.state,
            has_error=one.has_error,
            add_date=eyes.moment(one.created_at),
            modify_date=eyes.moment(one.changed_at),
            found=one.found,
            delivered=one.delivered,
            filtered=one.filtered,
            in_review=one.in_review,
            errored=one.errored,
            errors=sorted({error.code for error in one.errors}),
            image_set=f"/api/images?batch={one.batch}",
        )
        for one in known
    ]


def images(rows: Iterable[ImageRow], eyes: Eyes) -> list[ImageOut]:
    """Return images; they have the times of their batch."""
    return [
        ImageOut(
            id=row.id,
            uid=row.member,
            batch=row.batch,
            number=row.number,
            status=row.outcome,
            reason=row.reason,
            add_date=eyes.moment(row.found_at),
            modify_date=eyes.moment(row.changed_at),
        )
        for row in rows
    ]


def leading_to(request: HttpRequest, before: int | None) -> str | None:
    """Return the address of the page that begins below a key."""
    return None if before is None else _with(request, before=str(before))


def leading_back(request: HttpRequest, above: int | None, here: int | None) -> str | None:
    """Return the address of the page before this one; the first page has none."""
    if here is None:
        return None
    return _with(request, before="" if above is None else str(above))


def _with(request: HttpRequest, before: str) -> str:
    kept = {name: str(value) for name, value in request.GET.items() if name != "before"}
    query = urlencode(kept | ({"before": before} if before else {}))
    return f"{request.path}?{query}" if query else request.path


def as_json(value: object) -> Any:
    """Return a value of the warehouse as JSON has it."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return float(value)
        case list() | tuple():
            return [as_json(one) for one in value]
        case dict():
            return {str(name): as_json(one) for name, one in value.items()}
        case _:
            return str(value)
