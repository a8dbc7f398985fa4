"""Ages (VR AS, PS3.5 6.2): all above a limit become one, so that the very old are not told apart by theirs."""

from __future__ import annotations

import re

_AGE = re.compile(r"(\d{3})([DWMY])")
_A_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}


OLDEST = 89
"""Years that may be told; those who are older are of one age."""


def cap_age(text: str, limit: int = OLDEST) -> str:
    """The age, or for one above `limit` years the next year's ("090Y"); "" for what is no age."""
    match = _AGE.fullmatch(text.strip())
    if match is None:
        return ""
    years = int(match[1]) / _A_YEAR[match[2]]
    return text.strip() if years < limit + 1 else f"{limit + 1:03d}Y"


_OLD = re.compile(
    r"(?<![\w.,/-])0?(?:9\d|1[0-4]\d)(?=[ -]?(?:y\.?/?o\.?|yrs?|years?|jahre|jährig|ans|años|anni|jaar|y)(?![^\W_]))",
    re.IGNORECASE,
)


def cap_ages_in(text: str) -> str:
    """A text in which ages of 90 years and more are 90+: `95 yo`, `101-year-old`, `092Y`."""
    return _OLD.sub("90+", text)
