"""The days on which a study was made. Beside a shifted date they tell the shift, however they are written.

Only where a text is no description that is cleaned, and its digits may be a version, a serial number or a measurement,
is it asked whether they are one of these days; by chance they hardly are.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from sendit.deid.identifiers.dates.written_dates import WrittenDate, written_dates

_RUN = re.compile(r"\d{6,40}")
_SECONDS = {10: 1, 13: 1_000, 16: 1_000_000, 19: 1_000_000_000}
"""How many parts of a second a number of so many digits counts since 1970."""
_SHORT_FORM = 6


class OwnDays:
    """The days of one study."""

    __slots__ = ("_days", "_runs", "_short_runs")

    def __init__(self) -> None:
        self._days: set[date] = set()
        self._runs: set[str] = set()
        self._short_runs: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._days)

    def add(self, text: str) -> None:
        """Take in a day as DA writes it; what is none is passed over."""
        try:
            day = datetime.strptime(text, "%Y%m%d").date()
        except ValueError:
            return
        self._days.add(day)
        self._runs |= {f"{day:{form}}" for form in ("%Y%m%d", "%d%m%Y", "%m%d%Y")}
        self._short_runs |= {f"{day:{form}}" for form in ("%y%m%d", "%d%m%y", "%m%d%y")}

    def stand_in(self, text: str) -> bool:
        """Whether a text tells one of them: written as a date, in a longer number, or as a moment since 1970."""
        if not self._days or not any(map(str.isdecimal, text)):
            return False
        return any(map(self._is_told, written_dates(text))) or any(self._is_in(run[0]) for run in _RUN.finditer(text))

    def _is_told(self, one: WrittenDate) -> bool:
        return not self._days.isdisjoint((one.day, *one.readings))

    def _is_in(self, run: str) -> bool:
        if len(run) == _SHORT_FORM:
            return run in self._short_runs
        return any(one in run for one in self._runs) or self.is_moment(run)

    def is_moment(self, digits: str) -> bool:
        """Whether a number counts the seconds, or parts of them, from 1970 to one of the days, in any time zone."""
        parts = _SECONDS.get(len(digits))
        if parts is None or not self._days:
            return False
        day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(digits) // parts)).date()
        return any(abs((day - own).days) <= 1 for own in self._days)
