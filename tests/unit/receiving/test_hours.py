"""When studies may be retrieved."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sendit.receiving.retrieving.hours import ALWAYS, Hours, Pace


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 28, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "hour", "waits_hours"),
    [
        ("20-6", 21, 0),
        ("20-6", 5, 0),
        ("20-6", 6, 14),
        ("20-6", 12, 8),
        ("8-17", 7, 1),
        ("8-17", 18, 14),
        ("0-24", 3, 0),
    ],
)
def test_a_span_may_pass_midnight(text: str, hour: int, waits_hours: int) -> None:
    assert Hours.parse(text).seconds_until(at(hour)) == waits_hours * 3600


def test_minutes_count() -> None:
    assert Hours.parse("19:30-06:15").seconds_until(at(19, 29)) == 60
    assert Hours.parse("19:30-06:15").seconds_until(at(6, 14)) == 0
    assert ALWAYS.seconds_until(at(0)) == 0


@pytest.mark.parametrize("text", ["", "20", "25-3", "20-6-7", "20:61-3", "night"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Hours.parse(text)


def test_the_pace_is_even() -> None:
    pace = Pace(per_hour=60)
    waits = []
    for now in (1000.0, 1010.0, 1060.0):
        waits.append(pace.seconds_until(now))
        if not waits[-1]:
            pace.take(now)
    assert waits == [0, 50, 0]
    assert Pace(0).seconds_until(5.0) == 0
