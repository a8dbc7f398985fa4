"""Names of people in a text, told by titles, degrees, neighbours and their own look. Knows no patient.

A word of the clinic, of a protocol or plain English is no name by itself; behind a title even such a word is.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from sendit.deid.identifiers.vocabulary import LONGEST, fold, is_eponym, is_known, is_name, listed, plain, starred

Span = tuple[int, int]

NAME_HOLE = "\uf8fe"
"""Stands where a name was taken out; its neighbours may belong to it."""
MOST_WORDS = 3
"""Words behind a title, before a degree or before a name that may belong to it."""
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
    def is_written_as_name(self) -> bool:
        """Whether it is so, or in capitals, and long enough."""
        return len(self.text) >= SHORTEST_UNKNOWN and (self.is_title_case or self.text.isupper())

    @property
    def is_known(self) -> bool:
        """As in the vocabulary."""
        return len(self.key) <= LONGEST and is_known(self.key)

    @property
    def may_be_name(self) -> bool:
        """Whether it would be taken for a name where one is expected."""
        if self.text == NAME_HOLE or self.is_initial or self.key in listed("particles"):
            return True
        return is_name(self.key) or not self.is_known


_WORD = re.compile(rf"[^\W\d_]+(?:['’`][^\W\d_]+)*|{NAME_HOLE}")
_APOSTROPHE = re.compile("['’`](?:s$)?")


def names_of_people(text: str) -> Iterator[Span]:
    """Where names of people stand, in no order; they may overlap."""
    words = [Word(m.start(), m.end(), m[0], _key(m[0]), _is_initial(text, m)) for m in _WORD.finditer(text)]
    done = 0
    for at, word in enumerate(words):
        if word.key in plain("titles") or word.key in starred("titles"):
            yield from _behind_title(text, words, at)
        elif word.key in listed("places"):
            yield from _beside_place(words, at)
        if at >= done and _is_name_alone(text, words, at):
            first, done = _with_neighbours(text, words, at, done)
            yield words[first].start, words[done - 1].end + words[done - 1].is_initial
    yield from _before_degrees(text, words)
    yield from _announced(text, words)


def announced_people(text: str) -> Iterator[Span]:
    """Where names stand that a title, a degree or such words as `scanned by` announce, whatever they look like."""
    words = [Word(m.start(), m.end(), m[0], _key(m[0]), _is_initial(text, m)) for m in _WORD.finditer(text)]
    for at, word in enumerate(words):
        if word.key in plain("titles") or word.key in starred("titles"):
            yield from _behind_title(text, words, at)
    yield from _before_degrees(text, words)
    yield from _announced(text, words)


def _key(word: str) -> str:
    return _APOSTROPHE.sub("", fold(word)) if len(word) <= LONGEST else word


def _is_initial(text: str, match: re.Match[str]) -> bool:
    """A single letter with a point behind it."""
    start, end = match.span()
    return end - start == 1 and text[end : end + 1] == "." and not text[max(start - 1, 0) : start].isalnum()


# ---------------------------------------------------------------------------------------------- a name by its look


def _is_name_alone(text: str, words: list[Word], at: int) -> bool:
    word = words[at]
    if word.text == NAME_HOLE or len(word.key) > LONGEST:
        return True
    if len(word.key) < 3 or word.is_known:
        return False
    if is_eponym(word.key):
        return not (_names_disease(words, at) or _goes_on_from_eponym(text, words, at))
    if is_name(word.key):
        return True
    if not word.is_title_case:
        return any(map(_is_only_name, _CAMEL.findall(word.text)))
    return len(word.text) >= SHORTEST_UNKNOWN and not text[max(word.start - 1, 0) : word.start].isalnum()


_CAMEL = re.compile("(?<![A-Z])[A-Z][a-z]{3,}")


def _is_only_name(part: str) -> bool:
    """Of a part of a word in camel case."""
    return is_name(part.lower()) and not is_known(part.lower())


def _names_disease(words: list[Word], at: int) -> bool:
    """Whether what is behind, perhaps behind the like of it, says that this is a disease's name or such."""
    for behind in words[at + 1 : at + 1 + MOST_WORDS]:
        if behind.key in listed("diseases"):
            return True
        if behind.key in plain("eponyms"):
            return True
        if not (is_eponym(behind.key) or behind.key in ("and", "type")):
            return False
    return False


def _goes_on_from_eponym(text: str, words: list[Word], at: int) -> bool:
    """Whether it is the second of two that are joined: Dandy-Walker."""
    before = words[at - 1] if at else None
    return before is not None and before.key in plain("eponyms") and text[before.end : words[at].start] == "-"


_GAP, _WIDEST_GAP = re.compile(r"[ ,.^\-]{1,3}"), 3


def _with_neighbours(text: str, words: list[Word], at: int, done: int) -> tuple[int, int]:
    """A name with the other names, initials and particles that stand beside it: the first word, and the one behind."""
    first = last = at
    while first > max(done, at - MOST_WORDS) and _goes_with(text, words, first - 1, first):
        first -= 1
    while last + 1 < len(words) and _goes_with(text, words, last + 1, last):
        last += 1
    return first, last + 1


def _goes_with(text: str, words: list[Word], other: int, name: int) -> bool:
    word = words[other]
    if not _is_near(text, words[min(other, name)].end, words[max(other, name)].start):
        return False
    if word.text == NAME_HOLE or word.is_initial:
        return True
    if word.key in listed("particles"):
        return other < name
    if word.is_known or is_eponym(word.key):
        is_hole = words[name].text == NAME_HOLE
        return word.is_title_case and is_name(word.key) and not is_hole and not _names_disease(words, other)
    return word.is_written_as_name


def _is_near(text: str, end: int, start: int) -> bool:
    return start - end <= _WIDEST_GAP and _GAP.fullmatch(text, end, start) is not None


# ---------------------------------------------------------------------------------------------- titles and degrees

_TITLE_GAP = re.compile(r"\.? {0,2}")


def _behind_title(text: str, words: list[Word], at: int) -> Iterator[Span]:
    """A title with the name behind it. DR and MR are modalities, too, and stay before a word that is known."""
    title, behind = words[at], words[at + 1 : at + 1 + MOST_WORDS]
    if not behind or _TITLE_GAP.fullmatch(text, title.end, behind[0].start) is None:
        return
    sure = title.key in plain("titles") or text[title.end : title.end + 1] == "."
    last = name = title
    for word in behind:
        if last is not title and not _is_near(text, last.end, word.start):
            break
        if word.key in plain("titles") or word.key in starred("titles"):
            last = word
            continue
        if not _may_follow(word, title, sure=sure and name is title):
            break
        last = name = word
    if name is not title:
        yield title.start, name.end


def _may_follow(word: Word, title: Word, *, sure: bool) -> bool:
    if title.text in ("MR", "MS") and not sure:  # in capitals rather a modality and a disease
        return is_name(word.key) and not word.is_known
    return word.may_be_name or (sure and word.is_title_case)


_DEGREE = re.compile(
    r"(?<=[ ,])(?:M\.?D|Ph\.?D|R\.?N|D\.?O|N\.?P|MBBS|FRCR|FACR|CRNA|ARRT|DVM|PA-C|R\.?T\.? ?\([A-Z]{1,3}\))\.?"
    r"(?![A-Za-z0-9])"
)


def _before_degrees(text: str, words: list[Word]) -> Iterator[Span]:
    """Names with the degree behind them."""
    ends = [word.end for word in words]
    for match in _DEGREE.finditer(text):
        first, last = match.start(), bisect_left(ends, match.start())
        for word in reversed(words[max(last - MOST_WORDS, 0) : last]):
            if not _is_near(text, word.end, first) or not word.may_be_name:
                break
            first = word.start
        if first < match.start():
            yield first, match.end()


# ---------------------------------------------------------------------------------------------- what announces a name

_ANNOUNCEMENT = re.compile(
    r"(?<![A-Za-z])(?:(?:name|patient|pt|pat|physician|phys|doctor|surgeon|radiologist|technologist|technician|tech|operator"
    r"|nurse|attending|resident|fellow|ref|referring|attn|contact|spouse|mother|father|guardian|initials|reader|signed"
    r"|author|arzt|mta|patientin)(?: name)? ?[:=]|(?:requested|ordered|performed|dictated|signed|read|reported|reviewed"
    r"|approved|verified|transcribed|referred|scanned|seen|done|drawn|edited|segmented|annotated|contoured) (?:by|from)"
    r"[ :]) {0,2}",
    re.IGNORECASE,
)


def _announced(text: str, words: list[Word]) -> Iterator[Span]:
    """Names behind words that announce a person."""
    starts = [word.start for word in words]
    for match in _ANNOUNCEMENT.finditer(text):
        end, first = match.end(), bisect_left(starts, match.end())
        for word in words[first : first + MOST_WORDS]:
            if not (word.start == end or _is_near(text, end, word.start)) or not word.may_be_name:
                break
            end = word.end
        if end > match.end():
            yield match.end(), end


_OF = frozenset({"of", "de", "della", "di", "do", "da", "du", "des", "von", "van"})


def _beside_place(words: list[Word], at: int) -> Iterator[Span]:
    """What a hospital or university is called: the words before it, or behind its `of`."""
    before, behind = words[max(at - 2, 0) : at], words[at + 1 : at + 1 + MOST_WORDS]
    for word in (*before, *(behind if behind and behind[0].key in _OF else ())):
        if word.is_written_as_name and word.key not in _OF and (is_name(word.key) or not word.is_known):
            yield word.start, word.end
