"""When studies may be retrieved: hours of the day, and so many an hour. Knows no clock of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

_HOURS = re.compile(r"(\d{1,2})(?::(\d{2}))?-(\d{1,2})(?::(\d{2}))?")


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of the day, in local time; it may pass midnight. Equal ends are the whole day."""

    begins: time
    ends: time

    @classmethod
    def parse(cls, text: str) -> Hours:
        """Read `20-6` or `19:30-06:15`. Raises ValueError."""
        found = _HOURS.fullmatch(text.strip())
        if not found:
            raise ValueError(text)
        parts = [int(part or 0) for part in found.groups()]
        return cls(_time(*parts[:2]), _time(*parts[2:]))

    def seconds_until(self, now: datetime) -> float:
        """Return how long it is until the span begins; 0 within it."""
        moment = now.time()
        if self.begins < self.ends:
            is_within = self.begins <= moment < self.ends
        else:
            is_within = moment >= self.begins or moment < self.ends
        if is_within:
            return 0.0
        begins = datetime.combine(now.date(), self.begins, now.tzinfo)
        return ((begins if begins > now else begins + timedelta(days=1)) - now).total_seconds()


def _time(hour: int, minute: int) -> time:
    return time(0 if hour == 24 and minute == 0 else hour, minute)


ALWAYS = Hours(time(0), time(0))


@dataclass(slots=True)
class Pace:
    """At most so many studies an hour, evenly; 0 is as many as come."""

    per_hour: float
    _next_at: float = 0.0

    def seconds_until(self, now: float) -> float:
        """Return how long it is until the next study may be retrieved."""
        return max(0.0, self._next_at - now) if self.per_hour else 0.0

    def take(self, now: float) -> None:
        """Note that a study is retrieved now."""
        if self.per_hour:
            self._next_at = max(now, self._next_at) + 3600 / self.per_hour
