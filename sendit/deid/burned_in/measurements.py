"""Policy keep-measurements: what a box may say and stay, so that a scale or a measured length is not blanked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

SURE = 0.9
"""How sure the recogniser has to be of what it reads."""
_UNITS = "mm cm m mm2 cm2 mm3 cm3 ml l dl s ms sec min hz khz mhz bpm fps db mmhg kv kvp ma mas deg hu g kg w t px"
UNITS = frozenset(_UNITS.split())
_SPLIT = re.compile(r"[\s,;:=±+~<>()°%*/|-]+")
_NUMBER = re.compile(r"(\d{1,4}(?:[.,]\d{1,3})?|[.,]\d{1,3})([a-z]{0,4}\d?)")
_DATE_OR_TIME = re.compile(r"\d+\s*[./-]\s*\d+\s*[./-]\s*\d+|\d{1,2}:\d{2}|(?<!\d)(?:1[89]|20|21)\d\d(?![\d.,])")
SIDES = frozenset("lr")


@dataclass(frozen=True, slots=True)
class Keeping:
    """What boxes stay.

    Parameters
    ----------
    measurements : bool
        Whether those stay that show nothing but numbers, units, a side, or digits of a scale.
    words : frozenset of str
        The words of the study's own identifiers: a box that shows one goes, whatever else it is.
    """

    measurements: bool = False
    words: frozenset[str] = frozenset()

    def keeps(self, text: str) -> bool:
        """Return whether a box that says this may stay."""
        return self.measurements and is_measurement(text) and words_of((text,)).isdisjoint(self.words)


KEEP_NOTHING = Keeping()


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """Return the words and numbers in texts, without the zeros that numbers begin with."""
    found = (word for text in texts for word in re.findall(r"[^\W_]+", text.casefold()))
    return frozenset(word.lstrip("0") or "0" for word in found)


def is_measurement(text: str) -> bool:
    """Return whether a text has nothing but numbers with units, one number without a unit, or a side."""
    said = text.strip().lower()
    if _DATE_OR_TIME.search(said):
        return False
    tokens = [token for token in _SPLIT.split(said) if token]
    bare = 0
    for token in tokens:
        number = _NUMBER.fullmatch(token)
        if number is not None and not number[2]:
            bare += 1
        elif not (token in UNITS or token in SIDES or (number is not None and number[2] in UNITS)):
            return False
    has_unit = any(token in UNITS for token in tokens)
    return bool(tokens) and bare <= (3 if has_unit else 1)
