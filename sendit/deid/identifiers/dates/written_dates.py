"""Dates as people write them in texts: found, and shifted by whole days where day, month and year are understood.

A date that is not understood, or of which a part is missing, is None: it cannot be shifted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from sendit.deid.identifiers.dates.months import MONTHS, NAME, OTHER_WORDS, ROMAN
from sendit.deid.identifiers.dates.partial_dates import YEAR, partial_dates, whole_range
from sendit.deid.identifiers.vocabulary import fold

_SORTED = re.compile(
    rf"(?<![\d.])(?P<y>{YEAR})(?P<s>[-./_ ]?)(?P<m>0[1-9]|1[0-2])(?P=s)(?P<d>0[1-9]|[12]\d|3[01])"
    r"(?P<t>T?(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d(?:\.\d{1,6})?)?)?(?!\d)"
)
"""20200131, 2020-01-31, 2020.01.31; a time of day may follow without a gap."""
_YEAR_AND_NUMBERS = re.compile(rf"(?<![\d.])(?P<y>{YEAR})(?P<s>[-./])(?P<a>\d{{1,2}})(?P=s)(?P<b>\d{{1,2}})(?!\d|\.\d)")
"""2020/1/31, 2020-1-31."""
_NUMBERS = re.compile(
    rf"(?<![\d.])(?P<a>\d{{1,2}})(?P<s>[-./])(?P<b>\d{{1,2}})(?P=s)(?P<y>{YEAR}|\d\d)(?![\d])(?!\.\d)"
)
"""31.01.2020, 1/31/2020, 31/1/20."""
_DAY_FIRST = re.compile(
    rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th|\.)?(?P<s>[-./ ]{{0,2}}(?:of |de )?)(?P<n>{NAME})\.?"
    rf"[-./, ]{{0,2}}(?:de )?(?P<y>{YEAR}|(?<=[-./])\d\d)?(?!\d)",
    re.IGNORECASE,
)
"""31 January 2020, 31-JAN-2020, 31. Januar 2020, 31 de enero de 2020, 31JAN2020, 31 January."""
_MONTH_FIRST = re.compile(
    rf"(?<![^\W\d_])(?P<n>{NAME})\.?[-./ ]{{0,2}}(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,? {{1,2}}|[-./])"
    rf"(?P<y>{YEAR})(?!\d)",
    re.IGNORECASE,
)
"""January 31, 2020; Jan 31 2020; Jan-31-2020."""
_YEAR_FIRST = re.compile(
    rf"(?<!\d)(?P<y>{YEAR})(?P<s>[-./, ]{{0,2}})(?P<n>{NAME})\.?[-./ ]{{0,2}}(?P<d>\d{{1,2}})(?:st|nd|rd|th)?"
    r"(?!\d|\.\d)"
)
"""2020 Jan 31, 2020-JAN-31, 2020Jan31."""
_ROMAN_MONTH = re.compile(
    rf"(?<![\w.])(?P<d>\d{{1,2}})(?P<s>[./-]|\.? )(?P<n>[IVX]{{1,4}})(?P<t>[./-]|\.? )"
    rf"(?P<y>{YEAR}|(?<=[./-])\d\d)(?!\d)"
)
"""31.I.2020, 31 XII 2019, 31-VII-20."""


Piece = str | Callable[[date], str]


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """A date in a text, from `start` to `end`; `form` is how it is written.

    `day` is None where it is not understood; `readings` are then the days that it may mean.
    """

    start: int
    end: int
    day: date | None
    form: tuple[Piece, ...] = ()
    readings: tuple[date, ...] = ()

    def shifted(self, days: int) -> str | None:
        """The date so many days later, written the same way; None where that cannot be."""
        if self.day is None:
            return None
        try:
            day = self.day + timedelta(days=days)
        except OverflowError:
            return None
        return "".join(piece if isinstance(piece, str) else piece(day) for piece in self.form)


def written_dates(text: str) -> Iterator[WrittenDate]:
    """The dates in a text, the surest forms first; they may overlap, and then the first one counts."""
    if _DIGIT.search(text):
        for find, pattern in _FINDERS:
            yield from (_whole(text, one) for one in map(find, pattern.finditer(text)) if one)
        for start, end in partial_dates(text):
            yield WrittenDate(*whole_range(text, start, end), None)


def _whole(text: str, one: WrittenDate) -> WrittenDate:
    """The date, or with it the days before and behind that lack what it says; they cannot be shifted then."""
    span = whole_range(text, one.start, one.end)
    if span == (one.start, one.end):
        return one
    return WrittenDate(*span, None, readings=one.readings or tuple(filter(None, (one.day,))))


_DIGIT = re.compile("[0-9\u0660-\u0669\u06f0-\u06f9]|[元〇零一二三四五六七八九十]年")


def _sorted_date(match: re.Match[str]) -> WrittenDate:
    mark = match["s"]
    day = _date(match["y"], int(match["m"]), int(match["d"]))
    return WrittenDate(match.start(), match.end(), day, (_year, mark, _month("00"), mark, _day("00"), match["t"] or ""))


def _number_date(match: re.Match[str]) -> WrittenDate | None:
    """Day and month in either order: told by the mark, or where one of them can only be the day."""
    first, second, mark, year = int(match["a"]), int(match["b"]), match["s"], match["y"]
    if not 1 <= min(first, second) <= 12 or not max(first, second) <= 31 or _may_be_version(match):
        return None
    if len(year) == 2 and _PARAMETER.search(match.string, max(match.start() - _LONGEST_PARAMETER, 0), match.start()):
        return None
    by_day = mark == "." or first > 12
    understood = len(year) == 4 and (by_day or second > 12 or first == second)
    day = _date(year, *((second, first) if by_day else (first, second))) if understood else None
    one, other = (_day, _month) if by_day else (_month, _day)
    like = min(match["a"], match["b"], key=len)
    readings = () if day else (*_readings(year, second, first), *_readings(year, first, second))
    return WrittenDate(match.start(), match.end(), day, (one(like), mark, other(like), mark, _year), readings)


_LONGEST_PARAMETER = 8
_PARAMETER = re.compile(r"(?<![^\W\d_])(?:TEs?|TRs?|TIs?|FAs?|[Bb]|ms)[ =:]{0,2}$")
"""What numbers with slashes between them may be instead: TE 10/20/30."""


def _year_and_numbers(match: re.Match[str]) -> WrittenDate | None:
    """The year before month and day, one of which has a single digit; with points it may be a version."""
    first, second, mark = int(match["a"]), int(match["b"]), match["s"]
    if not 1 <= min(first, second) <= 12 or not max(first, second) <= 31:
        return None
    day = _date(match["y"], first, second)
    form = (_year, mark, _month(match["a"]), mark, _day(match["b"]))
    if mark == "." or day is None:
        readings = (*_readings(match["y"], first, second), *_readings(match["y"], second, first))
        return WrittenDate(match.start(), match.end(), None, readings=readings)
    return WrittenDate(match.start(), match.end(), day, form)


def _may_be_version(match: re.Match[str]) -> bool:
    """1.5.10 is no date; 01.05.10 is one."""
    return match["s"] == "." and len(match["y"]) == 2 and (int(match["b"]) > 12 or len(match["a"] + match["b"]) < 4)


def _day_first(match: re.Match[str]) -> WrittenDate | None:
    names = MONTHS.get(fold(match["n"]))
    if names is None or not 1 <= int(match["d"]) <= 31:
        return None
    is_short = len(match["n"]) < 4 and fold(match["n"]) in OTHER_WORDS
    if is_short and not match["y"] and not match["s"].strip(" "):
        return None  # 3 mar: three slices and a reconstruction
    form = (_day(match["d"]), _between(match, "d", "n"), _name(names, match["n"]), _between(match, "n", "y"), _year)
    return _named(match, names, form)


def _month_first(match: re.Match[str]) -> WrittenDate | None:
    names = MONTHS.get(fold(match["n"]))
    if names is None or not 1 <= int(match["d"]) <= 31:
        return None
    form = (_name(names, match["n"]), _between(match, "n", "d"), _day(match["d"]), _between(match, "d", "y"), _year)
    return _named(match, names, form)


def _roman_month(match: re.Match[str]) -> WrittenDate | None:
    if match["n"] not in ROMAN or not 1 <= int(match["d"]) <= 31:
        return None
    year, month, number = match["y"], ROMAN.index(match["n"]) + 1, int(match["d"])
    day = _date(year, month, number) if len(year) == 4 else None
    form = (_day(match["d"]), match["s"], _in_roman, match["t"], _year)
    return WrittenDate(match.start(), match.end(), day, form, () if day else _readings(year, month, number))


def _in_roman(day: date) -> str:
    return ROMAN[day.month - 1]


def _year_first(match: re.Match[str]) -> WrittenDate | None:
    names = MONTHS.get(fold(match["n"]))
    if names is None or not 1 <= int(match["d"]) <= 31:
        return None
    day = _date(match["y"], names.index(fold(match["n"])) + 1, int(match["d"]))
    form = (_year, match["s"], _name(names, match["n"]), _between(match, "n", "d"), _day(match["d"]))
    return WrittenDate(match.start(), match.end(), day, form)


def _named(match: re.Match[str], names: list[str], form: tuple[Piece, ...]) -> WrittenDate:
    year, number = match["y"], names.index(fold(match["n"])) + 1
    day = _date(year, number, int(match["d"])) if year and len(year) == 4 else None
    end = match.end() if year else max(match.end("d"), match.end("n"))
    return WrittenDate(match.start(), end, day, form, () if day else _readings(year or "", number, int(match["d"])))


_FINDERS: tuple[tuple[Callable[[re.Match[str]], WrittenDate | None], re.Pattern[str]], ...] = (
    (_sorted_date, _SORTED),
    (_year_and_numbers, _YEAR_AND_NUMBERS),
    (_number_date, _NUMBERS),
    (_year_first, _YEAR_FIRST),
    (_day_first, _DAY_FIRST),
    (_month_first, _MONTH_FIRST),
    (_roman_month, _ROMAN_MONTH),
)


# ---------------------------------------------------------------------------------------------- writing


def _date(year: str, month: int, day: int) -> date | None:
    try:
        return date(int(year), month, day)
    except ValueError:
        return None


def _readings(year: str, month: int, day: int) -> tuple[date, ...]:
    """The days that are meant, of a year of two digits in either century."""
    years = [f"19{year}", f"20{year}"] if len(year) == 2 else [year] * bool(year)
    return tuple(filter(None, (_date(one, month, day) for one in years)))


def _year(day: date) -> str:
    return f"{day.year:04}"


def _month(like: str) -> Piece:
    return lambda day: f"{day.month:02}" if len(like) == 2 else str(day.month)


def _day(like: str) -> Piece:
    return lambda day: f"{day.day:02}" if len(like) == 2 else str(day.day)


def _name(names: list[str], like: str) -> Piece:
    case = str.upper if like.isupper() else str.title if like[0].isupper() else str.lower
    return lambda day: case(names[day.month - 1])


def _between(match: re.Match[str], one: str, other: str) -> str:
    """What stands between two parts, without the ending of an ordinal number."""
    if match[other] is None:
        return ""
    return _ORDINAL.sub("", match.string[match.end(one) : match.start(other)])


_ORDINAL = re.compile("^(?:st|nd|rd|th)(?![a-z])", re.IGNORECASE)
