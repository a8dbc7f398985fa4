"""Whether an identifier stands in an encoded value: its byte forms, and where they may stand by chance.

Knows bytes and VRs; neither files nor recipes.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from pydicom.charset import python_encoding

from sendit.deid.identifiers.dates.birth_dates import day_of, numeric_forms, short_forms
from sendit.deid.identifiers.dates.birth_dates import stands_in as stands_in_words
from sendit.deid.identifiers.identifiers import VERIFIED, Identifier
from sendit.deid.identifiers.spellings import spellings
from sendit.deid.identifiers.vocabulary import LONGEST, fold, is_known, is_listed
from sendit.deid.stream.values import NUMBERS

SHORT = 6
"""Characters from which on an identifier is looked for between letters and digits, and among numbers."""
SHORTEST_HIDDEN = 8
"""Letters from which on the patient's name is no part of another word by chance, unless that is a known one."""
SHORTEST_NAME = 3
"""Letters of the shortest name that is looked for."""
SHORTEST_TERM = 4
"""Letters from which on the patient's name is looked for among defined terms."""
LONG = 1024 * 1024
"""Bytes that are looked through at once."""
SHORT_TEXT, SEARCHES_BEFORE_PATTERN = 512, 16
"""Bytes of a text in which a pattern looks for all forms at once, and after how many such texts it is made."""
OVERLAP = 4096
"""Bytes that two parts of longer data have in common: more than any form has, with escapes within it."""
MARGIN = 2 * LONGEST
"""Bytes on either side that tell whether a form stands alone, or which word it stands in."""

_WIDE = ("utf-16-le", "utf-16-be")
_ENCODINGS = (*dict.fromkeys(python_encoding.values()), "cp1252", *_WIDE)
_ESCAPE = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")
_NUMERIC_VRS = NUMBERS.keys() | {"AT", "OD", "OF", "OL", "OV", "OW"}
_OPAQUE_VRS = frozenset({"OB", "UN"})


class IdentifierForm(NamedTuple):
    """The lower-case bytes of an identifier in one encoding; of a birth date in words, its year's.

    `unit` is the bytes of a character where it counts what stands beside it, else 0: in a script without spaces every
    occurrence counts.
    """

    form: bytes
    kind: str
    unit: int
    day: date | None = None


class IdentifierForms(tuple[IdentifierForm, ...]):
    """Needles, and what to look for first: bytes that several of them have in common, with those that have them."""

    groups: dict[bytes, list[IdentifierForm]]
    _short_searches = 0
    _pattern: re.Pattern[bytes] | None = None

    def may_stand_in(self, text: bytes) -> bool:
        """Whether any of those bytes are in a short text, in which one pattern is quicker than a search for each.

        The pattern takes as long to compile as dozens of searches, so it is made for a study that has as many images.
        """
        if self._pattern is None:
            self._short_searches += 1
            if self._short_searches < SEARCHES_BEFORE_PATTERN:
                return True
            self._pattern = re.compile(_any_of(self.groups), re.DOTALL)
        return self._pattern.search(text) is not None


def needles(identifiers: Iterable[Identifier]) -> IdentifierForms:
    """The byte forms that identifiers may take, in every encoding that an output may be in."""
    verified = (identifier for identifier in identifiers if identifier.kind in VERIFIED)
    found = IdentifierForms(dict.fromkeys(needle for identifier in verified for needle in _forms(identifier)))
    found.groups = {}
    for needle in found:
        found.groups.setdefault(_in_common(needle), []).append(needle)
    return found


def _in_common(needle: IdentifierForm) -> bytes:
    """What several forms have in common: of UTF-16 the letters, of a birth date the year or what divides it.

    A slash or a dash is quickly looked for, and rare.
    """
    if needle.kind != "date":
        return needle.form.strip(b"\0")
    year = _YEAR.search(needle.form)
    divider = next((divider for divider in (b"/", b"-") if divider in needle.form), needle.form)
    return year[0] if year else divider


def _any_of(forms: Iterable[bytes]) -> bytes:
    """A regular expression for any of them, in which forms that begin alike share their beginning."""
    by_first: dict[bytes, list[bytes]] = {}
    for form in forms:
        if not form:
            return b""
        by_first.setdefault(form[:1], []).append(form[1:])
    branches = [
        re.escape(first) + (re.escape(rest[0]) if len(rest) == 1 else _any_of(rest)) for first, rest in by_first.items()
    ]
    return branches[0] if len(branches) == 1 else b"(?:%b)" % b"|".join(branches)


_YEAR = re.compile(rb"\d\0?\d\0?\d\0?\d")


def _forms(identifier: Identifier) -> Iterator[IdentifierForm]:
    for text in dict.fromkeys(_spellings(identifier.kind, identifier.text.strip())):
        for encoding in ("ascii", *_WIDE) if text.isascii() else _ENCODINGS:
            unit = (2 if encoding in _WIDE else 1) if text.isascii() else 0
            try:
                form = text.encode(encoding)
            except UnicodeEncodeError:
                continue
            yield IdentifierForm(plain(form), identifier.kind, unit)
    if identifier.kind == "date":
        day = day_of(identifier.text)
        yield from (IdentifierForm(form.encode("ascii"), "date", 1) for form in short_forms(day))
        yield from (IdentifierForm(f"{day.year:04}".encode(encoding), "date", 0, day) for encoding in ("ascii", *_WIDE))


def _spellings(kind: str, text: str) -> Iterator[str]:
    if kind != "date":
        yield from (text, text.lower(), text.upper(), text.title())
    match kind:
        case "id":
            yield text.replace("-", "")
        case "phone":
            yield re.sub(r"\D", "", text)
        case "date":
            yield from numeric_forms(day_of(text))
        case _ if not text.isascii():
            for spelling in (text, text.upper(), text.title()):
                yield unicodedata.normalize("NFD", spelling)
                yield unicodedata.normalize("NFC", spelling)
            if kind in ("name", "staff"):
                yield from (word for word in spellings(text) if len(word) >= SHORTEST_NAME)


def plain(data: bytes) -> bytes:
    """Lower-case bytes without ISO 2022 escapes, which may stand within a name."""
    return (_ESCAPE.sub(b"", data) if 0x1B in data else data).lower()


def suspects(found: IdentifierForms, data: bytes) -> list[IdentifierForm]:
    """Those whose form is anywhere in the data, to be looked at element by element."""
    if len(data) > LONG:
        parts = (suspects(found, data[at : at + LONG]) for at in range(0, len(data), LONG - OVERLAP))
        return list(dict.fromkeys(needle for part in parts for needle in part))
    text = plain(data)
    if len(text) <= SHORT_TEXT and not found.may_stand_in(text):
        return []
    find = text.find  # `in` tries an integer first, whose exception takes ten times as long
    groups = [group for common, group in found.groups.items() if find(common) >= 0]
    return [needle for group in groups for needle in group if find(needle.form) >= 0] if groups else []


class Places:
    """Where forms of needles stand in long data, so that not every element has to be looked at.

    An escape may stand within a name, so where one begins counts as well.
    """

    __slots__ = ("_found",)

    def __init__(self, suspected: Iterable[IdentifierForm], data: bytes) -> None:
        found = {place for needle in suspected for place in _places(needle.form, data)}
        self._found = sorted(found.union(match.start() for match in _ESCAPE.finditer(data)))

    def meet(self, begin: int, end: int) -> bool:
        """Whether one of them begins there."""
        at = bisect_left(self._found, begin)
        return at < len(self._found) and self._found[at] < end


def places(suspected: Iterable[IdentifierForm], data: bytes) -> Places | None:
    """Their places in data that is long; None where it is not."""
    return Places(suspected, data) if len(data) > LONG else None


def _places(form: bytes, data: bytes) -> Iterator[int]:
    for begin in range(0, len(data), LONG - OVERLAP):
        text = data[begin : begin + LONG].lower()
        at = text.find(form)
        while at >= 0:
            yield begin + at
            at = text.find(form, at + 1)


# ---------------------------------------------------------------------------------------------- one value


def stands_in(needle: IdentifierForm, value: bytes, tag: int, vr: str) -> bool:
    """Whether the identifier stands in a value of that VR, and not by chance."""
    ordinary = _ORDINARY.get(vr)
    if ordinary is None or not ordinary.fullmatch(value):
        return may_stand_in(needle, vr) and occurs(needle, plain(value), 0, len(value))
    parts = [part.strip(b" \0").lower() for part in value.split(b"\\")]
    if vr in ("DA", "DT"):
        return needle.kind == "date" and not needle.day and any(part.startswith(needle.form) for part in parts)
    if vr == "CS" and (tag >> 16 & 1 or _is_no_term(needle)):
        return occurs(needle, plain(value), 0, len(value))
    return vr in ("CS", "DS", "IS") and len(needle.form) >= SHORT and needle.kind == "id" and needle.form in parts


def _is_no_term(needle: IdentifierForm) -> bool:
    """Whether it is a name that is not also an ordinary word, which a defined term may be."""
    shortest = {"name": SHORTEST_TERM, "staff": SHORT}.get(needle.kind)
    if shortest is None or len(needle.form) < shortest:
        return False
    return not is_listed(fold(needle.form.decode("latin-1")))


_PARTS = {
    "AS": rb"\d{3}[DWMY]",
    "CS": rb"[A-Z0-9 _]{1,16}",
    "DA": rb"\d{8}",
    "DS": rb"[0-9+\-.eE ]{1,16}",
    "DT": rb"\d{4,14}(?:\.\d{1,6})?(?:[+-]\d{4})?",
    "IS": rb"[0-9+\- ]{1,12}",
    "TM": rb"\d\d(?::?\d\d(?::?\d\d(?:\.\d{1,6})?)?)?",
}
_ORDINARY = {vr: re.compile(rb"(?:%b)?(?:\\(?:%b)?)*[ \0]*" % (part, part)) for vr, part in _PARTS.items()}
"""Numbers, moments and defined terms: in a value of this form a person's name is looked for only among the terms, and
only if it is no ordinary word; an id only as a whole value. In a value of another form everything is looked for."""


def may_stand_in(needle: IdentifierForm, vr: str) -> bool:
    """Whether its form is long enough not to be met by chance among numbers or in opaque bytes."""
    if vr in _NUMERIC_VRS:
        return len(needle.form) >= SHORT and needle.unit != 2
    return vr not in _OPAQUE_VRS or len(needle.form) > 3


def occurs(needle: IdentifierForm, text: bytes, begin: int, end: int) -> bool:
    """Whether its form stands alone in `text`, which `plain` gave, between `begin` and `end`."""
    at = text.find(needle.form, begin, end)
    while at >= 0:
        if needle.day is not None:
            if _is_written(needle.day, text[max(at - MARGIN, 0) : at + MARGIN]):
                return True
        elif _stands_alone(needle, text, at) or _is_hidden(needle, text, at):
            return True
        at = text.find(needle.form, at + 1, end)
    return False


def _is_written(day: date, text: bytes) -> bool:
    """Whether the day is written there in words and numbers."""
    return stands_in_words(text.replace(b"\0", b"").decode("utf-8", "replace"), day)


def _stands_alone(needle: IdentifierForm, text: bytes, at: int) -> bool:
    """Whether it is not a part of a longer word or number."""
    form, unit = needle.form, needle.unit
    if not unit:
        return True
    short = len(form) < SHORT * unit
    before, after = text[max(at - unit, 0) : at], text[at + len(form) : at + len(form) + unit]
    return not _goes_on(before, form[:unit], short) and not _goes_on(after, form[-unit:], short)


def _is_hidden(needle: IdentifierForm, text: bytes, at: int) -> bool:
    """Whether it is the patient's name within a longer word that nobody knows: ctkowalczyk."""
    form, unit = needle.form, needle.unit
    if needle.kind != "name" or len(form) < SHORTEST_HIDDEN * unit:
        return False
    begin, end = at, at + len(form)
    while end - at < LONGEST * unit and text[end : end + unit].strip(b"\0").isalpha():
        end += unit
    while at - begin < LONGEST * unit and text[begin - unit : begin].strip(b"\0").isalpha():
        begin -= unit
    word, name = (part.replace(b"\0", b"").decode("latin-1") for part in (text[begin:end], form))
    return name.isalpha() and not is_known(word) and not is_listed(name)


def _goes_on(neighbour: bytes, edge: bytes, short: bool) -> bool:
    neighbour, edge = neighbour.strip(b"\0"), edge.strip(b"\0")
    if short:
        return neighbour.isalnum()
    return (neighbour.isdigit() and edge.isdigit()) or (neighbour.isalpha() and edge.isalpha())
