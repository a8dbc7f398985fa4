"""What stands in a query: numbers and days. What makes no sense is not asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from django.http import QueryDict


def number(query: QueryDict, name: str) -> int | None:
    """Return a number from 0 that a database can hold."""
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def midnight(query: QueryDict, name: str, days: int = 0) -> datetime | None:
    """Return the beginning of a day in UTC, or of one some days later."""
    try:
        return datetime.combine(date.fromisoformat(query.get(name, "")) + timedelta(days=days), time(), UTC)
    except (ValueError, OverflowError):
        return None
