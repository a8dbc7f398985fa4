"""The words of a text, as those see them who look for names of people in it. Knows no patient."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sendit.deid.identifiers.vocabulary import LONGEST, fold, is_known, is_listed, is_name, listed

NAME_HOLE = "\uf8fe"
"""Stands where a name was taken out; its neighbours may belong to it."""
SHORTEST_UNKNOWN = 4


@dataclass(frozen=True, slots=True)
class Word:
    """A run of letters, with apostrophes within; `key` is what it is looked up by."""

    start: int
    end: int
    text: str
    key: str
    is_initial: bool

    @property
    def is_title_case(self) -> bool:
        """Whether it is written as names are: Smith."""
        return self.text[0].isupper() and self.text[1:].islower()

    @property
    def is_capitalized(self) -> bool:
        """Whether it begins with a capital: Smith, McCoy, SMITH."""
        return self.text[0].isupper()

    @property
    def is_written_as_name(self) -> bool:
        """Whether it is so, or in capitals, and long enough."""
        return len(self.text) >= SHORTEST_UNKNOWN and (self.is_title_case or self.text.isupper())

    @property
    def is_known(self) -> bool:
        """As in the vocabulary."""
        return len(self.key) <= LONGEST and is_known(self.key)

    @property
    def is_listed(self) -> bool:
        """Whether a word list has it as it is. Names are formed like terms, too: Paloma, Ingram, Goodhand."""
        return len(self.key) <= LONGEST and is_listed(self.key)

    @property
    def may_be_name(self) -> bool:
        """Whether it would be taken for a name where one is expected."""
        if self.text == NAME_HOLE or self.is_initial or self.key in listed("particles"):
            return True
        return is_name(self.key) or not self.is_known


_WORD = re.compile(rf"[^\W\d_]+(?:['’`][^\W\d_]+)*|{NAME_HOLE}")
_APOSTROPHE = re.compile("['’`](?:s$)?")
_GAP, _WIDEST_GAP = re.compile(r"[ ,.^\-]{1,3}"), 3


def words_of(text: str) -> list[Word]:
    """The words, in order."""
    return [Word(m.start(), m.end(), m[0], _key(m[0]), _is_initial(text, m)) for m in _WORD.finditer(text)]


def is_near(text: str, end: int, start: int) -> bool:
    """Whether only what stands between the parts of a name is between two places."""
    return start - end <= _WIDEST_GAP and _GAP.fullmatch(text, end, start) is not None


def _key(word: str) -> str:
    return _APOSTROPHE.sub("", fold(word)) if len(word) <= LONGEST else word


def _is_initial(text: str, match: re.Match[str]) -> bool:
    """A single letter with a point behind it."""
    start, end = match.span()
    return end - start == 1 and text[end : end + 1] == "." and not text[max(start - 1, 0) : start].isalnum()
