"""The Basic Application Level Confidentiality Profile and its Options (PS3.15 E.2, E.3): which are chosen, and which
code each gives an attribute. `profile_rules` says what the codes come to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sendit.deid.recipe.field_syntax import hint
from sendit.deid.standard.codes import Code
from sendit.deid.standard.profile_table import ProfileRow, table

BASIC = "Basic Profile"
FULL_DATES = "Retain Longitudinal Temporal Information with Full Dates"
MODIFIED_DATES = "Retain Longitudinal Temporal Information with Modified Dates"
DATES = (FULL_DATES, MODIFIED_DATES)
SAFE_PRIVATE = "Retain Safe Private"
RETAIN_UIDS = "Retain UIDs"
PATIENT_CHARACTERISTICS = "Retain Patient Characteristics"
CLEAN_DESCRIPTORS = "Clean Descriptors"
CLEAN_STRUCTURED_CONTENT = "Clean Structured Content"
CLEAN_GRAPHICS = "Clean Graphics"
CLEAN_PIXEL_DATA = "Clean Pixel Data"

METHODS = {
    BASIC: Code("113100", "DCM", "Basic Application Confidentiality Profile"),
    CLEAN_PIXEL_DATA: Code("113101", "DCM", "Clean Pixel Data Option"),
    "Clean Recognizable Visual Features": Code("113102", "DCM", "Clean Recognizable Visual Features Option"),
    CLEAN_GRAPHICS: Code("113103", "DCM", "Clean Graphics Option"),
    CLEAN_STRUCTURED_CONTENT: Code("113104", "DCM", "Clean Structured Content Option"),
    CLEAN_DESCRIPTORS: Code("113105", "DCM", "Clean Descriptors Option"),
    FULL_DATES: Code("113106", "DCM", "Retain Longitudinal Temporal Information Full Dates Option"),
    MODIFIED_DATES: Code("113107", "DCM", "Retain Longitudinal Temporal Information Modified Dates Option"),
    PATIENT_CHARACTERISTICS: Code("113108", "DCM", "Retain Patient Characteristics Option"),
    "Retain Device Identity": Code("113109", "DCM", "Retain Device Identity Option"),
    RETAIN_UIDS: Code("113110", "DCM", "Retain UIDs Option"),
    SAFE_PRIVATE: Code("113111", "DCM", "Retain Safe Private Option"),
    "Retain Institution Identity": Code("113112", "DCM", "Retain Institution Identity Option"),
}
"""The profile and its Options, and what (0012,0064) says of each (PS3.16 CID 7050)."""

OPTIONS = tuple(name for name in METHODS if name != BASIC)

NOT_OFFERED = {
    "Clean Recognizable Visual Features": "sendit does not support it: it changes no face",
}
"""Options that PS3.15 has and sendit does not, and why not."""


class ProfileError(ValueError):
    """A choice of Options that cannot be; `offset` is where in its text."""

    def __init__(self, reason: str, offset: int) -> None:
        self.reason, self.offset = reason, offset
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Ruling:
    """Which code an attribute has: the Basic Profile's, or that of the Option that changes it."""

    row: ProfileRow
    code: str
    source: str

    def __str__(self) -> str:
        return f"{self.source}: {self.code}"


@dataclass(frozen=True, slots=True)
class Profile:
    """The Basic Profile with the Options chosen, in the order of CID 7050."""

    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " + ".join((BASIC, *self.options))

    def has(self, option: str) -> bool:
        """Whether the Option is chosen."""
        return option in self.options

    @property
    def methods(self) -> tuple[Code, ...]:
        """The codes of (0012,0064) in every image; Clean Pixel Data's is added where pixels were looked at."""
        return tuple(METHODS[name] for name in (BASIC, *self.options) if name != CLEAN_PIXEL_DATA)

    @property
    def dates(self) -> str | None:
        """The Option that says what becomes of dates and times, if one is chosen."""
        return next((option for option in self.options if option in DATES), None)

    def rulings(self) -> Iterator[Ruling]:
        """A ruling for each row of the table."""
        return map(self.ruling, table().rows)

    def ruling(self, row: ProfileRow) -> Ruling:
        """The code of one row.

        Of several Options that have one, an Option for dates goes before all, so that all dates of a patient are dealt
        with alike; then one that retains goes before one that cleans.
        """
        codes = [(row.codes[option], option) for option in self.options if option in row.codes] if row.codes else []
        if not codes:
            return Ruling(row, row.basic, BASIC)
        for code, option in codes:
            if option in DATES:
                return Ruling(row, code, option)
        return Ruling(row, *max(codes, key=lambda pair: pair[0]))  # K goes before C, and of either the first


def parse_profile(text: str) -> Profile:
    """`Basic + Clean Descriptors + Retain UIDs`, in any case; ProfileError where it is none."""
    words = list(re.finditer(r"[^+]+", text))
    if not words or _plain(words[0][0]) not in ("basic", "basic profile"):
        raise ProfileError("the one profile is Basic, as in PROFILE Basic + Clean Descriptors", 0)
    chosen: dict[str, int] = {}
    for word in words[1:]:
        option, offset = _option(word[0], word.start() + len(word[0]) - len(word[0].lstrip()))
        if option in chosen:
            raise ProfileError(f"{option} stands twice", offset)
        chosen[option] = offset
    if FULL_DATES in chosen and MODIFIED_DATES in chosen:
        raise ProfileError("dates are either full or modified", max(chosen[FULL_DATES], chosen[MODIFIED_DATES]))
    if text.rstrip().endswith("+"):
        raise ProfileError("an Option is expected behind +", len(text.rstrip()))
    return Profile(tuple(option for option in OPTIONS if option in chosen))


def _option(text: str, offset: int) -> tuple[str, int]:
    known = {_plain(option): option for option in OPTIONS}
    meant = _plain(text).removesuffix(" option").replace("information full", "information with full")
    option = known.get(meant.replace("information modified", "information with modified"))
    if option is None:
        reason = f"there is no Option {text.strip() or '(nothing)'}{hint(_plain(text), known)}"
        raise ProfileError(f"{reason}; PS3.15 E.3 has: {', '.join(OPTIONS)}", offset)
    if option in NOT_OFFERED:
        raise ProfileError(f"{option}: {NOT_OFFERED[option]}", offset)
    return option, offset


def _plain(text: str) -> str:
    return " ".join(text.split()).lower()
