"""Descriptions without identifiers (PS3.15 E.3.5, Clean Descriptors Option): text in, clean text out.

What goes: the study's own identifiers in any form, what identifies by its form, and names of people. What stays: all
other words and numbers. Knows no file, no element and no recipe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date

from sendit.deid.identifiers import Identifier
from sendit.deid.identifying_forms import Span, identifying_forms
from sendit.deid.known_identifiers import KnownIdentifiers
from sendit.deid.people import names_of_people
from sendit.deid.written_dates import WrittenDate, written_dates

HOLE = "\uf8ff"
"""Stands where something was taken out."""
_FIRST_DATE, _MOST_DATES = 0xE000, 4096
"""Dates stand aside as characters of the Private Use Area from here on, so that they are shifted once."""
_NOT_TEXT = re.compile("[\ufffd\ue000-\uf8ff\0-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
"""Signs that a text was not decoded as it was meant, or is none."""
ROUNDS = 4
"""What is taken out may bring together what then identifies. A text that is not clean after so many rounds goes."""


class Cleaner:
    """Cleans the texts of one patient-study.

    Parameters
    ----------
    identifiers : iterable of Identifier
        What must not remain, whatever it looks like.
    days : int, optional
        What dates in a text are shifted by; without it they go.
    """

    def __init__(self, identifiers: Iterable[Identifier], days: int | None = None) -> None:
        self._known = KnownIdentifiers(identifiers)
        self._days = days

    def clean(self, text: str) -> str:
        """What may stay of a description; nothing where that cannot be told."""
        if _NOT_TEXT.search(text):
            return ""
        aside: list[str] = []
        left = text
        for _ in range(ROUNDS):
            spans = self._spans(left, aside)
            if not spans:
                return self._checked(left, aside) if left is not text else text
            left = tidied(left, spans)
        return ""

    def without_identifiers(self, text: str) -> str:
        """The text, or nothing where one of the study's own identifiers stands in it: for what is a code, not a text."""
        return "" if _NOT_TEXT.search(text) or any(True for _ in self._known.spans(text)) else text

    def _spans(self, text: str, aside: list[str]) -> list[tuple[int, int, str]]:
        """What is to be replaced, from left to right, and by what."""
        found = [(start, end, self._put_aside(one, aside)) for one in self._dates(text) for start, end in [(one.start, one.end)]]
        taken = merged([*self._known.spans(text), *identifying_forms(_without(text, found))])
        taken = merged([*taken, *names_of_people(text, taken)])
        return _one_after_the_other([*((start, end, HOLE) for start, end in taken), *found])

    def _dates(self, text: str) -> Iterator[WrittenDate]:
        end = 0
        for one in sorted(written_dates(text), key=lambda one: (one.start, -one.end)):
            if one.start >= end:
                end = one.end
                yield one

    def _put_aside(self, one: WrittenDate, aside: list[str]) -> str:
        """A sign for the shifted date; a hole where it is the birth date, is not understood, or is not to be shifted."""
        birth = one.day is not None and self._known.is_birth_date(one.day)
        shifted = None if self._days is None or birth or len(aside) >= _MOST_DATES else one.shifted(self._days)
        if shifted is None:
            return HOLE
        aside.append(shifted)
        return chr(_FIRST_DATE + len(aside) - 1)

    def _checked(self, left: str, aside: list[str]) -> str:
        """The text with its dates; nothing where none is left that says something."""
        text = _ASIDE.sub(lambda sign: aside[ord(sign[0]) - _FIRST_DATE], left)
        return text if _SAYS_SOMETHING.search(text) and not self._known.stands_in(text) else ""
