"""What a value must look like to pass as a number or as one of a closed set of terms: no text, no date, no name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

MOST_BYTES = 64
_WHOLE = r"(?:0|[1-9]\d{0,8})"
_INTEGER = re.compile(rf"[+-]?{_WHOLE}".encode("ascii"))
_DECIMAL = re.compile(rf"[+-]?(?:{_WHOLE}(?:\.\d{{0,17}})?|\.\d{{1,17}})(?:[Ee][+-]?\d{{1,3}})?".encode("ascii"))
_DATE = re.compile(rb"(?<!\d)(?:18|19|20|21)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)")


@dataclass(frozen=True, slots=True)
class NumberForm:
    """What a value looks like; `str()` is how the tables write it."""

    text: str
    fits: Callable[[bytes], bool]

    def __str__(self) -> str:
        return self.text


def looks_like_a_date(value: bytes) -> bool:
    """Whether eight digits stand in it that are a date, as DICOM writes one."""
    return _DATE.search(value) is not None


@cache
def form_of(text: str) -> NumberForm:
    """`integer LOW..HIGH`, `decimal LOW..HIGH`, or `term EXPRESSION`, which the whole value must match."""
    kind, _, rest = text.partition(" ")
    if kind == "term":
        return NumberForm(text, _term(re.compile(rest.encode("ascii"))))
    low, _, high = rest.partition("..")
    pattern = {"integer": _INTEGER, "decimal": _DECIMAL}[kind]
    return NumberForm(text, _number(pattern, float(low), float(high)))


def _number(pattern: re.Pattern[bytes], low: float, high: float) -> Callable[[bytes], bool]:
    def fits(value: bytes) -> bool:
        if pattern.fullmatch(value) is None or not low <= float(value) <= high:
            return False
        return len(value) < 8 or not looks_like_a_date(value)

    return fits


def _term(pattern: re.Pattern[bytes]) -> Callable[[bytes], bool]:
    def fits(value: bytes) -> bool:
        return len(value) <= MOST_BYTES and pattern.fullmatch(value) is not None and not looks_like_a_date(value)

    return fits
