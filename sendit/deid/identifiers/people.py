"""Names of people in a text, told by titles, degrees, neighbours and their own look. Knows no patient.

A word of the clinic, of a protocol or plain English is no name by itself; behind a title even such a word is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sendit.deid.identifiers.announcements import Sure, announced_names
from sendit.deid.identifiers.text_words import NAME_HOLE, SHORTEST_UNKNOWN, Word, is_near, words_of
from sendit.deid.identifiers.vocabulary import (
    LONGEST,
    is_eponym,
    is_formed_as_surname,
    is_known,
    is_name,
    listed,
    plain,
)

Span = tuple[int, int]

MOST_WORDS = 3
"""Words before a name, or behind a place, that may belong to it."""


def names_of_people(text: str, sure: Sure = Sure.QUITE) -> Iterator[Span]:
    """Where names of people stand, in no order; they may overlap. `sure` is as `announced_names` takes it."""
    words = words_of(text)
    done = 0
    for at, word in enumerate(words):
        if word.key in listed("places"):
            yield from _beside_place(words, at)
        if at >= done and _is_name_alone(text, words, at):
            first, done = _with_neighbours(text, words, at, done)
            yield words[first].start, words[done - 1].end + words[done - 1].is_initial
    yield from announced_names(text, words, sure)


def announced_people(text: str) -> Iterator[Span]:
    """Where names stand that a title, a degree or such words as `scanned by` announce, whatever they look like."""
    return announced_names(text, words_of(text))


# ---------------------------------------------------------------------------------------------- a name by its look


def _is_name_alone(text: str, words: list[Word], at: int) -> bool:
    word = words[at]
    if word.text == NAME_HOLE or len(word.key) > LONGEST:
        return True
    if len(word.key) < 3 or word.is_known:
        return False
    if is_eponym(word.key):
        return not (_names_disease(words, at) or _goes_on_from_eponym(text, words, at))
    if is_name(word.key) or is_formed_as_surname(word.key):
        return True
    if not word.is_title_case:
        return any(map(_is_only_name, _CAMEL.findall(word.text)))
    return (
        len(word.text) >= SHORTEST_UNKNOWN
        and not text[max(word.start - 1, 0) : word.start].isalnum()
        and not _heads_sentence(text, words, at)
    )


_ENDS_SENTENCE = re.compile(r"[.!?:;\n\r]")


def _heads_sentence(text: str, words: list[Word], at: int) -> bool:
    """Whether its capital is that of a sentence: an ordinary word goes on from it, and nothing or a point is before."""
    word = words[at]
    if at and not _ENDS_SENTENCE.search(text, words[at - 1].end, word.start):
        return False
    if at + 1 == len(words):
        return False
    behind, gap = words[at + 1], text[word.end : words[at + 1].start]
    return gap in (" ", "  ", "/", "-", " / ") and behind.text.islower() and not is_name(behind.key)


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
    if not is_near(text, words[min(other, name)].end, words[max(other, name)].start):
        return False
    if word.text == NAME_HOLE or word.is_initial:
        return True
    if word.key in listed("particles"):
        return other < name
    if word.is_known or is_eponym(word.key):
        is_hole = words[name].text == NAME_HOLE
        return word.is_title_case and is_name(word.key) and not is_hole and not _names_disease(words, other)
    return word.is_written_as_name


_OF = frozenset({"of", "de", "della", "di", "do", "da", "du", "des", "von", "van"})


def _beside_place(words: list[Word], at: int) -> Iterator[Span]:
    """What a hospital or university is called: the words before it, or behind its `of`."""
    before, behind = words[max(at - 2, 0) : at], words[at + 1 : at + 1 + MOST_WORDS]
    for word in (*before, *(behind if behind and behind[0].key in _OF else ())):
        if word.is_written_as_name and word.key not in _OF and (is_name(word.key) or not word.is_known):
            yield word.start, word.end
