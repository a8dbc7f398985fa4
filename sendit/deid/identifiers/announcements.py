"""Names of people that something announces: a title, a degree, `read by`, `technologist:`. Knows no patient.

What is announced is a name whatever list it is in: Dr. House, read by Strong. Only what names nobody in such a place,
as a trade or a department, is none.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from functools import cache, lru_cache

from sendit.deid.identifiers.text_words import NAME_HOLE, Word, is_near, words_of
from sendit.deid.identifiers.vocabulary import either, is_eponym, is_name, listed, plain, starred

Span = tuple[int, int]

MOST_WORDS = 3
"""Words behind a title or before a degree that may belong to it."""
LONGEST_INITIALS = 3
SHORTEST_TOLD = 4
"""Letters of a name that counts in other texts, too."""


class Sure(IntEnum):
    """How sure an announcement is of the word next to it."""

    LITTLE = 0
    """It is a name if it is a common one, no known word, or a surname that is seldom another word there."""
    RATHER = 1
    """Also if it is another surname, or merely formed like a known word, and in title case."""
    QUITE = 2
    """Also if it is any word that is written as names are."""


def announced_names(text: str, words: list[Word], at_most: Sure = Sure.QUITE) -> Iterator[Span]:
    """Where they stand, in no order, with their titles and degrees; they may overlap.

    Of a text of which something was taken out, `at_most` says how sure an announcement still is of what follows.
    """
    for at, word in enumerate(words):
        for sort in _sorts().get(word.key, ()):
            yield from sort(text, words, at, at_most)
    yield from _before_degrees(text, words)


@lru_cache(maxsize=1024)
def told_names(text: str) -> frozenset[str]:
    """The names that a text announces of people, each word of them: elsewhere they are names, too.

    A word of the lists is one only if it is known as a surname that is seldom another word.
    """
    words = words_of(text)
    spans = list(announced_names(text, words))
    announced = (word for word in words if any(start <= word.start < end for start, end in spans))
    return frozenset(word.text for word in announced if _is_told(word))


def _is_told(word: Word) -> bool:
    if len(word.text) < SHORTEST_TOLD or word.key in listed("particles") or _sorts().get(word.key):
        return False
    return not word.is_listed or word.key in plain("surnames")


# ---------------------------------------------------------------------------------------------- what may be a name


def _is_name(word: Word, sure: Sure) -> bool:
    """Whether a word that is announced is taken for a name."""
    if word.text == NAME_HOLE or word.is_initial or (word.key in listed("particles") and word.text.islower()):
        return True
    if is_name(word.key) or not word.is_known or word.key in plain("surnames"):
        return True
    if sure is Sure.QUITE:
        return word.is_capitalized or not word.is_listed
    return sure is Sure.RATHER and word.is_title_case and (not word.is_listed or word.key in starred("surnames"))


def _goes_on(word: Word) -> bool:
    """Whether a word behind an announced name, or before one that has a degree, belongs to it."""
    if word.text == NAME_HOLE or word.is_initial or word.key in listed("particles") or not word.is_known:
        return True
    if word.is_listed and (word.key in starred("surnames") or not word.is_capitalized):
        return False
    return is_name(word.key) or word.key in plain("surnames")


def _names(text: str, words: list[Word], first: int, end: int, sure: Sure) -> int:
    """Where the name ends whose first word, if it is one, is the one with that number; `end` where there is none."""
    last = found = end
    is_begun = False
    for word in words[first : first + MOST_WORDS]:
        if is_begun and not is_near(text, last, word.start):
            break
        if not (_goes_on(word) if is_begun else _is_name(word, sure)):
            break
        last = word.end
        is_begun = is_begun or not (word.is_initial or (word.key in listed("particles") and word.text.islower()))
        if word.key not in listed("particles") or word.is_capitalized:
            found = word.end
    return found


# ---------------------------------------------------------------------------------------------- titles

_TITLE_GAP = re.compile(r"\.? {0,2}")
_TITLE_ENDINGS = frozenset({"ssa", "ra", "na", "in", "med", "n", "h", "c", "hc"})
"""What goes on behind the point of a title: Dott.ssa, Sig.ra, dr n. med."""


def _is_title(word: Word) -> bool:
    return word.key in either("titles")


def _behind_title(text: str, words: list[Word], at: int, at_most: Sure) -> Iterator[Span]:
    """A title with the name behind it. DR and MR are modalities, too, and stay before a word that is known."""
    title = last = words[at]
    first = at + 1
    while first < len(words) and _goes_on_from_title(text, last, words[first]):
        last = words[first]
        first += 1
    if first == len(words) or _TITLE_GAP.fullmatch(text, last.end, words[first].start) is None:
        return
    if title.text in ("MR", "MS") and text[title.end] != "." and not _is_surname(words[first]):
        return  # in capitals rather a modality and a disease
    end = _names(text, words, first, last.end, min(at_most, _sure_of_title(text, title)))
    if end > last.end:
        yield title.start, end


def _goes_on_from_title(text: str, title: Word, word: Word) -> bool:
    gap = text[title.end : word.start]
    if _is_title(word):
        return _TITLE_GAP.fullmatch(gap) is not None
    return gap[:1] == "." and len(gap) < 3 and word.text.islower() and word.key in _TITLE_ENDINGS


def _is_surname(word: Word) -> bool:
    return (is_name(word.key) and not word.is_known) or word.key in plain("surnames") or word.text == NAME_HOLE


def _sure_of_title(text: str, title: Word) -> Sure:
    if title.key in plain("titles") or text[title.end : title.end + 1] == ".":
        return Sure.QUITE
    if title.text.isupper() or title.key in _AMBIGUOUS:
        return Sure.LITTLE
    return Sure.QUITE if title.is_title_case else Sure.RATHER


_AMBIGUOUS = frozenset(
    {"mr", "ms", "fr", "med", "nat", "mag", "hr", "op", "doc", "hon", "sig", "sr", "ing", "mw", "mx"}
)
"""Titles that are other words in title case, too: Mr Brain."""


def _behind_weak_title(text: str, words: list[Word], at: int, at_most: Sure) -> Iterator[Span]:
    """One that is also an abbreviation or a word of other things, before a name in title case."""
    title = words[at]
    if at + 1 == len(words) or _TITLE_GAP.fullmatch(text, title.end, words[at + 1].start) is None:
        return
    name = words[at + 1]
    if is_eponym(name.key) or not name.is_title_case:
        return
    end = _names(
        text, words, at + 1, title.end, Sure.LITTLE if len(title.key) < MOST_WORDS else min(at_most, Sure.RATHER)
    )
    if end > title.end and name.key not in listed("particles"):
        yield title.start, end


# ---------------------------------------------------------------------------------------------- degrees

_DEGREE = re.compile(
    r"(?<=[ ,])(?:M\.?D|Ph\.?D|R\.?N|D\.?O|N\.?P|M\.?B\.?B\.?S|M\.?B\.? ?B\.?Ch|MBBCh|MBChB|BMBS|FRCR|FRCPC?|FRCS"
    r"|FRANZCR|FACR|FACC|FACS|MRCS|CRNA|ARRT|ARNP|APRN|AGNP|FNP|CNP|CNMT|CNM|RDMS|RDCS|RVT|RVS|RPA|RRA|RTR|LPN|BSN|MSN|DNP"
    r"|DDS|DMD|DPM|DVM|DMSc|PharmD|PsyD|EdD|DrPH|MPH|MHA|MSc|BSc|DMRD|DABR|DABSNM|MMed|EDiR|MTRA|MTR|PA-C|Jr|Esq"
    r"|R\.?T\.? ?(?:\([A-Z]{1,4}\))+)\.?(?:-[A-Z]{1,2})?(?![A-Za-z0-9])(?! (?:not|NOT)\b)"
)
_LOOSE_DEGREE = re.compile(
    r"(?<=, )(?:R\.?T|P\.?A|MRCP|M\.?A|M\.?S|B\.?S|Sr|Facharzt|Fachärztin|Arzt|Ärztin)\.?(?![A-Za-z0-9])"
)
"""Those that are other words, too: Knee, RT."""


def _before_degrees(text: str, words: list[Word]) -> Iterator[Span]:
    """Names with the degree behind them."""
    ends = [word.end for word in words]
    for pattern, sure in ((_DEGREE, Sure.QUITE), (_LOOSE_DEGREE, Sure.LITTLE)):
        for match in pattern.finditer(text):
            start = _before_degree(text, words[: bisect_left(ends, match.start())], match.start(), sure)
            if start < match.start():
                yield start, match.end()


def _before_degree(text: str, before: list[Word], first: int, sure: Sure) -> int:
    """Where the name begins that ends there."""
    is_begun = False
    for word in reversed(before[-MOST_WORDS:]):
        if not is_near(text, word.end, first) or not (_goes_on(word) if is_begun else _is_name(word, sure)):
            break
        first, is_begun = word.start, True
    return first


# ---------------------------------------------------------------------------------------------- who did it

_MARKED = re.compile(r"\.?(?:\([A-Za-z]{1,4}\))? {0,2}(?:[:=#] {0,3}|- )")
_BARE = re.compile(r"\.? {1,2}|/")
_BEHIND_BY = re.compile(r"[ :.]{1,4}")
_LOOSE = frozenset({"rt", "pat", "pi", "ref", "name", "md", "rn", "contact", "client", "pt", "arts", "medic"})
"""Callings that are also a side, a prefix, a reference."""


def _behind_by(text: str, words: list[Word], at: int, at_most: Sure) -> Iterator[Span]:
    """The name behind `read by`."""
    if at and words[at - 1].key in either("signed") and _BARE.fullmatch(text, words[at - 1].end, words[at].start):
        sure = Sure.QUITE if words[at].key in plain("by") else Sure.LITTLE
        yield from _doer(text, words, at + 1, words[at].end, _BEHIND_BY, min(at_most, sure))


def _behind_calling(text: str, words: list[Word], at: int, at_most: Sure) -> Iterator[Span]:
    """The name behind `technologist:` or `technologist`."""
    word = words[at]
    sure = Sure.QUITE
    if word.key in _LOOSE and not (at and words[at - 1].key in either("callings")):
        sure = Sure.LITTLE
    yield from _doer(text, words, at + 1, word.end, _MARKED, min(at_most, sure))
    yield from _beside(text, words, at, min(at_most, Sure.RATHER) if word.key in plain("callings") else Sure.LITTLE)


def _behind_signed(text: str, words: list[Word], at: int, at_most: Sure) -> Iterator[Span]:
    """The name behind `signed:` or `signed`."""
    word = words[at]
    is_sure = word.key in starred("signed")
    yield from _doer(text, words, at + 1, word.end, _MARKED, at_most if is_sure else Sure.LITTLE)
    if is_sure:
        yield from _beside(text, words, at, min(at_most, Sure.RATHER))


def _beside(text: str, words: list[Word], at: int, sure: Sure) -> Iterator[Span]:
    """The name behind a word without a colon: a word in title case, or in capitals where that is rather sure."""
    name = words[at + 1] if at + 1 < len(words) else None
    if name is None:
        return
    is_short = len(name.text) <= LONGEST_INITIALS and name.text.isupper() and not name.is_known
    if name.is_title_case or is_short or (sure is Sure.RATHER and name.is_capitalized):
        yield from _doer(text, words, at + 1, words[at].end, _BARE, sure)


def _doer(text: str, words: list[Word], at: int, end: int, gap: re.Pattern[str], sure: Sure) -> Iterator[Span]:
    if at == len(words) or gap.fullmatch(text, end, words[at].start) is None or _is_nobody(words[at]):
        return
    found = _names(text, words, at, words[at].start, sure)
    if found > words[at].start:
        yield words[at].start, found


def _is_nobody(word: Word) -> bool:
    if word.is_initial or (len(word.text) == 1 and word.is_capitalized):
        return False
    return word.key in listed("nobody") and not (word.is_title_case and word.key in either("surnames"))


_Sort = Callable[[str, list[Word], int, Sure], Iterator[Span]]


@cache
def _sorts() -> Mapping[str, tuple[_Sort, ...]]:
    """What a word announces, by the word."""
    lists: tuple[tuple[str, _Sort], ...] = (
        ("titles", _behind_title),
        ("weak_titles", _behind_weak_title),
        ("by", _behind_by),
        ("callings", _behind_calling),
        ("signed", _behind_signed),
    )
    found: dict[str, tuple[_Sort, ...]] = {}
    for name, sort in lists:
        for word in either(name):
            found[word] = (*found.get(word, ()), sort)
    return found
