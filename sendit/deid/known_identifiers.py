"""The identifiers of one study, found in texts in whatever form they were written. Knows no element and no pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from sendit.deid.identifiers import Identifier
from sendit.deid.residuals import spellings
from sendit.deid.vocabulary import fold, is_known

Span = tuple[int, int]

SHORTEST_PART, SHORTEST_JOINED, SHORTEST_DIGITS = 3, 5, 5
LONGEST_ENDING = 3
"""Letters behind a name that may belong to it: Parkinsons, Hodgkin's."""


class KnownIdentifiers:
    """What must not remain of one patient-study, and where it stands in a text.

    Parameters
    ----------
    identifiers : iterable of Identifier
    """

    __slots__ = ("_birth_dates", "_exact", "_names", "_numbers", "_phrases", "_substrings")

    def __init__(self, identifiers: Iterable[Identifier]) -> None:
        found = list(identifiers)
        self._names: set[str] = set()
        self._phrases: set[str] = set()
        self._numbers: set[str] = set()
        self._birth_dates: set[date] = set()
        self._substrings: set[str] = set()
        for one in found:
            self._add(one)
        self._exact = _alternatives(spelling for one in found for spelling in spellings(one) if one.is_verified)

    def _add(self, one: Identifier) -> None:
        match one.kind:
            case "name" | "staff":
                self._add_name(one.text)
            case "date":
                self._add_date(one.text)
            case "id" | "phone" | "number":
                self._add_number(one.text)
            case _:
                self._add_phrase(one.text)
