"""Texts that devices write: makers, models, versions, kernels, coils. Whether one speaks of a person or of a day.

Their words are nobody's vocabulary, and many look like names: Achieva, Biograph, Ingenia. So here a word is no name for
its look alone. Knows no patient.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sendit.deid.identifying_forms import sure_forms
from sendit.deid.people import announced_people, names_of_people
from sendit.deid.vocabulary import fold, is_known, is_name
from sendit.deid.written_dates import WrittenDate, written_dates

_PRODUCTS = re.compile(
    r"\b(?:ali ultra|amira|artis|bartlett|carl zeiss|fischer imaging|forte|leonardo|metz|roche|shepp.?logan"
    r"|synapse vincent|vidar|vincent)\b",
    re.IGNORECASE,
)
"""Makers, models and filters that are called as people are."""
_NO_VERSION = re.compile(r"[^\W\d_]|/")
_WORD = re.compile(r"[^\W\d_]+")


@lru_cache(maxsize=8192)
def speaks_of_somebody(text: str) -> bool:
    """Whether a text says a day, a way to reach somebody, or a name that is announced or common."""
    if any(_is_sure(one, text) for one in written_dates(text)):
        return True
    if next(sure_forms(text), None) or next(announced_people(text), None):
        return True
    others = _PRODUCTS.sub(" ", text)
    return any(_holds_a_name(others[start:end]) for start, end in names_of_people(others))


def _is_sure(one: WrittenDate, text: str) -> bool:
    """Whether it is no version: 10.11.12 may be one."""
    return one.day is not None or _NO_VERSION.search(text, one.start, one.end) is not None


def _holds_a_name(text: str) -> bool:
    return any(is_name(word) and not is_known(word) for word in map(fold, _WORD.findall(text)))
