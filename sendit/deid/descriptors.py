"""Descriptions without identifiers (PS3.15 E.3.5, Clean Descriptors Option): text in, clean text out.

Knows no file, no element and no recipe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from sendit.deid.identifiers import Identifier
from sendit.deid.pseudonyms import shift_date

_WORDS = re.compile(r"\d{4}-\d\d-\d\d|\b[Dd]r\. *\w+|\w+|\W+")


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
        self._forbidden = {word for one in identifiers for word in re.findall(r"\w+", one.text.casefold())}
        self._days = days

    def clean(self, text: str) -> str:
        """What may stay of a description: the words that are known, and none of the identifiers'."""
        pieces = _WORDS.findall(text)
        kept = [self._piece(piece) for piece in pieces]
        if kept == pieces:
            return text
        tidy = re.sub(r"[\s,.;:-]*([,.;:-]\s)[\s,.;:-]*|\s+", lambda gap: gap[1] or " ", "".join(kept))
        return tidy.strip(" ,.;:-")

    def _piece(self, piece: str) -> str:
        if not piece[0].isalnum():
            return piece
        if self._days is not None and re.fullmatch(r"\d{4}-\d\d-\d\d", piece):
            shifted = shift_date(piece, self._days)
            return f"{shifted[:4]}-{shifted[4:6]}-{shifted[6:]}" if shifted else ""
        return piece if self._may_stay(piece.casefold()) else ""

    def without_identifiers(self, text: str) -> str:
        """The text, or nothing where one of its words is an identifier's."""
        words = set(re.findall(r"\w+", text.casefold()))
        return "" if words & self._forbidden or text.casefold() in self._forbidden else text

    def _may_stay(self, word: str) -> bool:
        return word in _known_words() and word not in self._forbidden


@cache
def _known_words() -> frozenset[str]:
    """The words of PS3.6's attribute names and of the meanings of PS3.16's codes."""
    from pydicom._dicom_dict import DicomDictionary
    from pydicom.sr._concepts_dict import concepts

    texts = [entry[2] for entry in DicomDictionary.values()]
    for scheme in concepts.values():
        texts += [meaning for codes in scheme.values() for meaning, _ in codes.values()]  # type: ignore[attr-defined]
    return frozenset(word for text in texts for word in re.findall(r"[^\W\d_]+", text.casefold()))
