"""What time it is, by the one clock that all hosts share: the database's where that is a server, else the host's.

Leases and waits are written and read by it alone, so that a host whose clock is wrong keeps nobody waiting.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils import timezone

REFRESH_SECONDS = 10.0
"""How long the server's answer is carried on by a clock of our own that nobody sets."""

PRECISION = timedelta(seconds=0.5)

_asked: tuple[datetime, float] | None = None


def now() -> datetime:
    """Aware, in UTC."""
    global _asked
    if connection.vendor != "postgresql":
        return timezone.now()
    if _asked is None or _since_start() - _asked[1] > REFRESH_SECONDS:
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            _asked = cursor.fetchone()[0].astimezone(UTC), _since_start()
    return _carried_on(*_asked)


def at_hand() -> datetime:
    """The same without a question to the server: by its last answer, or by the host's clock where there was none."""
    return timezone.now() if connection.vendor != "postgresql" or _asked is None else _carried_on(*_asked)


def soon() -> datetime:
    """What another process of any host calls now: each reads the server's clock to within the time of a question."""
    return now() + (PRECISION if connection.vendor == "postgresql" else timedelta(0))


def _carried_on(answer: datetime, at: float) -> datetime:
    return answer + timedelta(seconds=_since_start() - at)


def _since_start() -> float:
    """Seconds since the machine was started, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
