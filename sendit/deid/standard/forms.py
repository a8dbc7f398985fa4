"""What a value of each VR looks like (PS3.5 Table 6.2-1), as devices write it and not only as the Standard asks for it.

A lower-case code string and a decimal of twenty digits are dirt: they say what they should, and they stay. A name in a
decimal, a whole date in a time of day or an e-mail address in a code string is not what the VR holds, so no rule of a
recipe was written with it in mind. The forms are of encoded values: these VRs have the default character repertoire.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from pydicom.datadict import dictionary_VM

from sendit.deid.standard.text_in_bytes import reads_as_text
from sendit.deid.stream.tags import CLASS_UID_TAGS
from sendit.deid.stream.values import NUMBERS, TEXT_VRS

DECIMAL = rb"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[Ee][+-]?\d{1,4})?"
"""More digits than DS and IS allow are common, for programs write the shortest text that gives the same float."""
_NO_DATE = (
    rb"(?!(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])?(?:[0-5]\d){0,2}(?:\.\d*)?(?![\d.]))"
)
"""A day, perhaps with a time: true dates stand in numbers, too, and no measurement has such a value."""
TERM = rb"[A-Za-z0-9 _.:;,+/*()<>=%&-]{1,64}"
"""A code string, as devices write them: in lower case, with a hyphen or a slash, or too long."""

_DAY = rb"\d{4}(?:[.-]?(?:0\d|1[0-2])(?:[.-]?[0-3]\d)?)?"
_CLOCK = rb"(?:[01]?\d|2[0-4])(?:(?::?[0-5]\d)(?::?[0-6]\d(?:\.\d{0,6})?)?)?"
_FORMS = {
    "AS": rb"\d{1,3}[DWMYdwmy]?",
    "CS": TERM,
    "DA": rb"\d{4}[.-]?\d\d[.-]?\d\d",
    "DS": _NO_DATE + DECIMAL,
    "DT": _DAY + rb"(?:[T ]?" + _CLOCK + rb")?(?:Z|[+-]\d\d:?\d\d)?",
    "IS": _NO_DATE + DECIMAL,
    "TM": _CLOCK,
    "UI": rb"[0-9.]{1,128}",
    "UR": rb"[!-~]*",
}
"""One value of each VR that has a form. ACR-NEMA's dates and times, and those of ISO 8601, are among them."""
_CLASS_UID = rb"[0-2](?:\.\d{1,60})*"
_URN_CODE_VALUE, _URN = 0x00080120, rb"urn:[A-Za-z0-9][A-Za-z0-9-]{1,31}:[!-?A-~]+"
"""A code that is a URN: no address that leads anywhere, and nobody's mail."""
_PADDING = b" \0"
_SPREAD = frozenset({"CS"})
"""VRs whose values stand for themselves, so that one that goes leaves the others. Of numbers all go: two of three
coordinates are no place."""

_DATED_TIME = re.compile(
    rb"(?:(?:1[89]|20)\d\d[-./]?(?:0[1-9]|1[0-2])[-./]?(?:0[1-9]|[12]\d|3[01])"
    rb"|\d{1,2}[-./ ](?:\d{1,2}|[A-Za-z]{3,9})[-./ ](?:1[89]|20)\d\d)"
    rb"[T ,]*(?P<time>\d[\d:.]*)(?:Z|[+-]\d\d:?\d\d)?"
)
"""A whole date before a time of day."""
_TIME = re.compile(rb"(?P<time>%b)|(?P<fine>(?:[01]?\d|2[0-4]):?[0-5]\d:?[0-6]\d\.\d{6})\d{1,40}" % _CLOCK)
"""A time of day, perhaps finer than a TM can say."""
_PRINTABLE = re.compile(rb"[ -~]{4,}\0?")
_LIKELY_LAST = re.compile(rb"[A-Za-z0-9 .,/^_-]\0?\Z")
"""What ends a word. Doubles below 131,072 end with none of them, but with @ or ?."""
_DATE_OR_NUMBER = re.compile(rb"[0-9 ./:-]+\0?")
_FEWEST_LETTERS, _FEWEST_READABLE = 4, 8
_FEWEST_OF_FLOATS = 12
"""Bytes from which on readable floats are words: four readable bytes are a common float. Digits alone are none."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form of an attribute's values.

    Attributes
    ----------
    fits : callable
        Whether an encoded value, with its padding, has the form.
    repaired : callable
        What can be saved of one that does not have it; b"" where nothing can.
    """

    fits: Callable[[bytes], object]
    repaired: Callable[[bytes], bytes]


@cache
def form_of(tag: int, vr: str, written_vr: str) -> Form | None:
    """The form of an attribute's values, None where they may hold anything.

    Parameters
    ----------
    tag : int
    vr : str
        The VR that the attribute is read with.
    written_vr : str
        The VR that stands in the file, "" for none. It tells numbers in text from numbers in binary.
    """
    if vr in NUMBERS:
        return _nothing_else(_FORMS["DS"]) if written_vr in TEXT_VRS else _binary_of(tag, vr)
    if written_vr not in ("", "UN", vr):
        if written_vr in NUMBERS and vr in ("DS", "IS"):
            return _BINARY
        if (written_vr in TEXT_VRS) != (vr in TEXT_VRS):
            return _NOTHING
    if vr == "UI" and tag in CLASS_UID_TAGS:
        return _nothing_else(_CLASS_UID)
    if vr == "AT":  # no group and no element of a tag consist of letters or digits alone
        return _BINARY
    return _nothing_else(_URN) if tag == _URN_CODE_VALUE else form_of_vr(vr)


@cache
def form_of_vr(vr: str) -> Form | None:
    """The form of a VR's values; None where they may hold any text or bytes."""
    one = _FORMS.get(vr)
    if one is None:
        return None
    if vr in _SPREAD:
        return Form(_several(one).fullmatch, lambda raw: _those_that_fit(raw, re.compile(one)))
    return Form(_several(one).fullmatch, _time_of_day) if vr == "TM" else _nothing_else(one)


def _several(one: bytes) -> re.Pattern[bytes]:
    """Values of a form, each with blanks around it, and the padding of the whole."""
    return re.compile(rb" *(?:%b)? *(?:\\ *(?:%b)? *)*[ \0]*" % (one, one))


def _nothing_else(one: bytes) -> Form:
    return Form(_several(one).fullmatch, _nothing)


def _nothing(raw: bytes) -> bytes:
    return b""


_NOTHING = Form(lambda raw: not raw.strip(_PADDING), _nothing)
"""Of values that are not of the attribute's kind at all: text where bytes are to be, or the other way round."""


_BINARY = Form(lambda raw: not _PRINTABLE.fullmatch(raw), _nothing)


def _binary_of(tag: int, vr: str) -> Form | None:
    """Binary numbers: what can be read, and is no number that is likely, or more than the attribute has, is text."""
    size = struct.calcsize("<" + NUMBERS[vr])
    try:
        most = dictionary_VM(tag).rpartition("-")[2]
    except KeyError:
        most = ""
    longest = int(most) * size if most.isdigit() else 0

    def fits(raw: bytes) -> bool:
        if len(raw) < _FEWEST_LETTERS or not _PRINTABLE.fullmatch(raw):
            return True
        is_whole = len(raw) % size == 0 and (not longest or len(raw) <= longest)
        return is_whole and not _are_words(raw, vr)

    return Form(fits, _nothing)


def _are_words(raw: bytes, vr: str) -> bool:
    """Whether printable bytes that may be numbers of a VR are rather words or a date."""
    fewest = _FEWEST_OF_FLOATS if vr == "FL" and not _DATE_OR_NUMBER.fullmatch(raw) else _FEWEST_READABLE
    return len(raw) >= fewest and _LIKELY_LAST.search(raw) is not None and reads_as_text(raw)


# ---------------------------------------------------------------------------------------------- what can be saved


def _those_that_fit(raw: bytes, one: re.Pattern[bytes]) -> bytes:
    parts = [part.strip(_PADDING) for part in raw.split(b"\\")]
    return b"\\".join(part if one.fullmatch(part) else b"" for part in parts)


def _time_of_day(raw: bytes) -> bytes:
    """Times without the date before them, which a TM has no place for, and no finer than a TM can say."""
    parts = [_without_date(part.strip(_PADDING)) for part in raw.split(b"\\")]
    return b"\\".join(parts) if all(parts) else b""


def _without_date(part: bytes) -> bytes:
    dated = _DATED_TIME.fullmatch(part)
    clock = _TIME.fullmatch(dated["time"] if dated and not _TIME.fullmatch(part) else part)
    return (clock["time"] or clock["fine"]) if clock else b""
