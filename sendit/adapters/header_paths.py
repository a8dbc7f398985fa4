"""Addresses of values in a header, as `tag(header, 'SliceThickness')` takes them, and where they are in DICOM JSON.

An address is a keyword, or the eight hexadecimal digits of a tag. Attributes of sequences are joined by points, and a
number in brackets chooses an item or a value: `RequestAttributesSequence[2].ScheduledProcedureStepID`,
`PixelSpacing[1]`. An item is the first one, unless a number chooses another.
"""

from __future__ import annotations

import difflib
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from pydicom.datadict import keyword_dict, tag_for_keyword

from sendit.errors import Misconfigured

_STEP = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9]*|[0-9A-Fa-f]{8})(?:\[(?P<number>[1-9][0-9]{0,5})\])?")
_STRING = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"")
_CALL = re.compile(r"\btag(?:_number|_date)?\s*\(", re.IGNORECASE)

UNKNOWN = "sendit: there is no address "
"""How the message of a statement begins that asks for an address which its functions do not know."""


@dataclass(frozen=True, slots=True)
class HeaderPath:
    """A JSONPath of a list of values, and the place of one of them, counted from 1, if only that one is wanted."""

    values: str
    place: int | None


@lru_cache(maxsize=1024)
def header_path(address: str) -> HeaderPath:
    """Return where the values of an address are.

    Raises
    ------
    Misconfigured
        `BadQuery`: the address has no such form, or a keyword does not exist; the error names the closest one.
    """
    steps = [_STEP.fullmatch(step) for step in address.split(".")]
    if not all(steps):
        raise Misconfigured("BadQuery", subject="tag: a keyword such as 'SliceThickness' or 'PixelSpacing[1]'")
    names = [(_tag(step["name"]), step["number"]) for step in steps if step]
    *sequences, (last, place) = names
    items = "".join(f'."{tag}".Value[{int(number or 1) - 1}]' for tag, number in sequences)
    return HeaderPath(f'${items}."{last}".Value', int(place) if place else None)


def asks_headers(sql: str) -> bool:
    """Return whether a statement may call `tag`, `tag_number` or `tag_date`."""
    return _CALL.search(sql) is not None


def addresses_in(sql: str) -> set[str]:
    """Return the addresses among the strings of a statement."""
    found = set()
    for single, double in _STRING.findall(sql) if asks_headers(sql) else ():
        text = single.replace("''", "'") or double.replace('""', '"')
        with suppress(Misconfigured):
            header_path(text)
            found.add(text)
    return found


def unknown_address(message: str) -> str | None:
    """Return the address that a statement asked for in vain, by the message of its error."""
    _, begins, address = message.partition(UNKNOWN)
    return address.splitlines()[0] if begins and address else "" if begins else None


def literal(text: str) -> str:
    """Return the text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _tag(name: str) -> str:
    """Return the tag as DICOM JSON writes it."""
    tag = tag_for_keyword(name)
    if tag is not None:
        return f"{tag:08X}"
    if len(name) == 8 and all(digit in "0123456789abcdefABCDEF" for digit in name):
        return name.upper()
    raise Misconfigured("BadQuery", subject=f"{name} is not a keyword{_closest(name)}")


def _closest(name: str) -> str:
    lowered = {keyword.lower(): keyword for keyword in keyword_dict}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return f"; did you mean {lowered[close[0]]}?" if close else ""
