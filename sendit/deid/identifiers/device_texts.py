"""Texts that devices write: makers, models, versions, kernels, coils. Whether they speak of a person, and their dates.

Their words are nobody's vocabulary, and many look like names: Achieva, Biograph, Ingenia. So here a word is no name for
its look alone. Knows no patient.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sendit.deid.identifiers.dates.written_dates import WrittenDate, written_dates
from sendit.deid.identifiers.identifying_forms import sure_forms
from sendit.deid.identifiers.people import announced_people, names_of_people
from sendit.deid.identifiers.vocabulary import fold, is_known, is_name

_PRODUCTS = re.compile(
    r"\b(?:ali ultra|amira|artis|bartlett|carl zeiss|fischer imaging|forte|leonardo|metz|roche|shepp.?logan"
    r"|synapse vincent|vidar|vincent)\b|https?://(?:github\.com|gitlab\.com|bitbucket\.org|sourceforge\.net)/\S+",
    re.IGNORECASE,
)
"""Makers, models and filters that are called as people are, and where programs come from."""
SHORTEST_ALONE = 4
"""Letters of a name that counts where it stands alone: LIN is a relationship of pixels to X-rays."""
_VERSION = re.compile(r"[A-Za-z]\d")
_NO_VERSION = re.compile(r"[^\W\d_]|/")
_WORD = re.compile(r"[^\W\d_]+")


@lru_cache(maxsize=8192)
def speaks_of_somebody(text: str) -> bool:
    """Whether a text says a way to reach somebody, or a name that is announced or common."""
    others = _PRODUCTS.sub(" ", text)
    if next(sure_forms(others), None) or next(announced_people(others), None):
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


def _holds_a_name(text: str) -> bool:
    words = [fold(word) for word in _WORD.findall(text)]
    names = [word for word in words if is_name(word) and not is_known(word)]
    return any(len(name) >= SHORTEST_ALONE for name in names) or (bool(names) and len(words) > 1)
