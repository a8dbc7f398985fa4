"""A patient's birth date: what the header means by it, however it is written, and where a text has it.

Who knows the birth date reads off a shifted one by how many days it was shifted, so it must go and never be shifted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import date

from sendit.deid.identifiers.dates.eras import common_year, year_in_era
from sendit.deid.identifiers.dates.months import month_number
from sendit.deid.identifiers.dates.written_dates import written_dates

EARLIEST, LATEST = 1850, 2100
"""Years in which a patient may be born."""
_PART = re.compile(r"\d+|[^\W\d_]+")
_DIGITS = re.compile(r"\d")
_FIRST_YEAR = re.compile("元(?=年)")
_ORDERS = ("ymd", "dmy", "mdy")


def birth_dates(text: str) -> tuple[date, ...]:
    """The days that a Patient's Birth Date may mean: all of them where day and month may be either.

    A time of day behind it is passed over; the year may be of an era or of two digits, the month a name.
    """
    parts = _PART.findall(_FIRST_YEAR.sub("1", unicodedata.normalize("NFKC", text)))
    if len(parts) == 2 and len("".join(parts)) == 8:
        parts = ["".join(parts)]
    together = next((part for part in parts if len(part) >= 6 and part.isdecimal()), "")
    return tuple(dict.fromkeys(_run_together(together) if together else _apart(parts)))


def _run_together(digits: str) -> Iterator[date]:
    """19550203, 03021955, 550203; perhaps with the time of day in the same number."""
    if len(digits) in (6, 7):
        yield from _days(digits[:2], digits[2:4], digits[4:6])
        return
    yield from _days(digits[:4], digits[4:6], digits[6:8])
    yield from _days(digits[:2], digits[2:4], digits[4:8])


def _apart(parts: list[str]) -> Iterator[date]:
    """Three parts, of which one may be a month's name; an era's name may stand before the year."""
    numbers: list[str] = []
    month = 0
    for before, part in zip(["", *parts], parts, strict=False):
        if part.isdecimal():
            year = year_in_era(before, int(part)) if not numbers else None
            numbers.append(f"{year:04}" if year else part)
        elif not month:
            month = month_number(part)
    if month and len(numbers) > 1:
        one, other = numbers[:2]
        yield from (
            day for y, d in ((one, other), (other, one)) for year in _years(y) for day in _day(year, month, int(d))
        )
    elif len(numbers) > 2:
        yield from _days(*numbers[:3])


def _days(one: str, two: str, three: str) -> Iterator[date]:
    """Three numbers in each order of day, month and year that makes a date."""
    for order in _ORDERS:
        part = dict(zip(order, (one, two, three), strict=True))
        for year in _years(part["y"]):
            yield from _day(year, int(part["m"]), int(part["d"]))


def _years(digits: str) -> tuple[int, ...]:
    if len(digits) == 2:
        return 1900 + int(digits), 2000 + int(digits)
    return (common_year(int(digits)),) if len(digits) == 4 else ()


def _day(year: int, month: int, day: int) -> Iterator[date]:
    if EARLIEST <= year <= LATEST and 1 <= month <= 12 and 1 <= day <= 31:
        try:
            yield date(year, month, day)
        except ValueError:
            return


def is_telling(text: str) -> bool:
    """Whether a birth date that means no day has digits enough to be looked for as it stands."""
    digits = _DIGITS.findall(text)
    return len(digits) >= 7 and len(set(digits)) > 2


# ---------------------------------------------------------------------------------------------- in a text


def stands_in(text: str, day: date) -> bool:
    """Whether a text has that day in words and numbers together: 3 February 1955, 03.II.1955."""
    return any(day in (one.day, *one.readings) for one in written_dates(text))


def day_of(text: str) -> date:
    """The day that an identifier of kind date has, as YYYYMMDD or YYYY-MM-DD."""
    return date.fromisoformat(text)


def numeric_forms(day: date) -> Iterator[str]:
    """The day in numbers, with all digits of the year, as people and programs write it."""
    year, month, date_ = f"{day.year:04}", f"{day.month:02}", f"{day.day:02}"
    for mark in ("", *"-./ _"):
        yield from (mark.join((year, month, date_)), mark.join((date_, month, year)), mark.join((month, date_, year)))


def short_forms(day: date) -> Iterator[str]:
    """The day in numbers with marks between, with two digits of the year."""
    year, month, date_ = f"{day.year % 100:02}", f"{day.month:02}", f"{day.day:02}"
    yield f"{date_}.{month}.{year}"
    for mark in "-/":
        yield from (mark.join((year, month, date_)), mark.join((date_, month, year)), mark.join((month, date_, year)))
    yield from (f"{day.day}/{day.month}/{year}", f"{day.month}/{day.day}/{year}")
