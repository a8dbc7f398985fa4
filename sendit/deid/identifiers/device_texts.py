"""Texts that devices write: makers, models, versions, kernels, coils. Whether they speak of a person, and their dates.

Their words are nobody's vocabulary, and many look like names: Achieva, Biograph, Ingenia. So here a word is no name for
its look alone. Knows no patient.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pydicom._uid_dict import UID_dictionary

from sendit.deid.identifiers.ages import cap_ages_in
from sendit.deid.identifiers.dates.written_dates import WrittenDate, written_dates
from sendit.deid.identifiers.identifying_forms import sure_forms
from sendit.deid.identifiers.people import announced_people, names_of_people
from sendit.deid.identifiers.vocabulary import fold, is_known, is_name, listed

_PRODUCTS = re.compile(
    r"\b(?:ali ultra|amira|artis|bartlett|carl zeiss|fischer imaging|forte|leonardo|metz|roche|shepp.?logan"
    r"|synapse vincent|vidar|vincent)\b|https?://(?:github\.com|gitlab\.com|bitbucket\.org|sourceforge\.net)/\S+",
    re.IGNORECASE,
)
"""Makers, models and filters that are called as people are, and where programs come from."""
SHORTEST_ALONE = 4
"""Letters of a name that counts where it stands alone: LIN is a relationship of pixels to X-rays."""
_ADDRESS = re.compile(
    r"(?<![\d.])(?:192\.168|172\.(?:1[6-9]|2\d|3[01])|(?:1\d\d|2[0-4]\d)\.\d{1,3})(?:\.(?:1?\d?\d|2[0-4]\d|25[0-5])){2}(?!\.?\d)"
)
"""Addresses of the Internet Protocol that are no likely versions."""
_UID = re.compile(r"(?<![\d.])[0-2](?:\.\d{1,40}){5,}(?!\d)")
_VERSION = re.compile(r"[A-Za-z]\d")
_NO_VERSION = re.compile(r"[^\W\d_]|/")
_WORD = re.compile(r"[^\W\d_]+")


@lru_cache(maxsize=8192)
def speaks_of_somebody(text: str) -> bool:
    """Whether a text says a way to reach somebody, or a name that is announced or common."""
    others = _PRODUCTS.sub(" ", text).replace("_", " ")
    if next(sure_forms(others), None) or next(announced_people(others), None) or cap_ages_in(others) != others:
        return True
    if _ADDRESS.search(others) or any(map(_is_instance, _UID.findall(others))):
        return True
    return any(_holds_a_name(others[start:end]) for start, end in names_of_people(others))


@lru_cache(maxsize=8192)
def sure_dates(text: str) -> tuple[WrittenDate, ...]:
    """The dates in a text that are no versions: 10.11.12 may be one."""
    return tuple(one for one in written_dates(text) if one.day or _is_no_version(text[one.start : one.end]))


def _is_no_version(date: str) -> bool:
    """Whether an incomplete date has letters or a slash; R2.1.31 is rather a version than a day of an era."""
    return _NO_VERSION.search(date) is not None and not _VERSION.match(date)


def is_part_of_version(one: WrittenDate, text: str) -> bool:
    """Whether a date in digits is glued to what stands beside it on both sides: PRINTERS__[2009/11/11]-07:41."""
    before, after = text[max(one.start - 1, 0) : one.start], text[one.end : one.end + 1]
    in_digits = not re.search(r"[^\W\d_]", text[one.start : one.end])
    return in_digits and all(beside and beside in "[]_-." for beside in (before, after))


@lru_cache(maxsize=8192)
def is_no_code(text: str) -> bool:
    """Whether what stands in the place of a code speaks of somebody, or is a date with marks in it.

    Vocabularies are called as their makers are.
    """
    words = [fold(word) for word in _WORD.findall(text)]
    if words and all(word in listed("makers") for word in words):
        return False
    dates = (one for one in written_dates(text) if one.day and not text[one.start : one.end].isdecimal())
    return speaks_of_somebody(text) or next(dates, None) is not None


def _is_instance(uid: str) -> bool:
    """Whether a UID is none of the Standard's, which are no instance's."""
    return uid not in UID_dictionary


def _holds_a_name(text: str) -> bool:
    words = [fold(word) for word in _WORD.findall(text)]
    names = [word for word in words if is_name(word) and not is_known(word)]
    return any(len(name) >= SHORTEST_ALONE for name in names) or (bool(names) and len(words) > 1)
