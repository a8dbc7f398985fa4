"""Scripts other than Latin: what is no known word of descriptions there may be a name; nothing tells it apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from sendit.deid.identifiers.vocabulary import fold, listed

Span = tuple[int, int]

_OTHER = re.compile(
    "[\u0370-\u1cff\u1f00-\u1fff\u2c00-\ua6ff\ua880-\ud7ff\uf900-\ufaff\ufb1d-\ufdff\ufe70-\ufeff\uff66-\uffdc\U00010000-\U0003ffff]+"
)
"""Runs of letters of other scripts, from Greek to the ideographs."""
_WITHOUT_SPACES = re.compile("[\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]+")
"""Runs in which words follow each other without spaces: ideographs and kana."""


def unknown_words(text: str) -> Iterator[Span]:
    """Where words stand that are not known; Latin ones are not asked about."""
    if text.isascii():
        return
    for run in _OTHER.finditer(text):
        unspaced = list(_WITHOUT_SPACES.finditer(run[0]))
        if not unspaced and fold(run[0]) not in listed("scripts"):
            yield run.span()
        for part in unspaced:
            yield from _unknown_parts(part[0], run.start() + part.start())


@cache
def _by_length() -> tuple[int, ...]:
    return tuple(sorted({len(word) for word in listed("scripts") if _WITHOUT_SPACES.fullmatch(word)}, reverse=True))


def _unknown_parts(run: str, offset: int) -> Iterator[Span]:
    """What is left of a run when the longest known words are taken from its beginning on."""
    at = begin = 0
    folded = run if len(fold(run)) != len(run) else fold(run)
    while at < len(run):
        size = next((size for size in _by_length() if folded[at : at + size] in listed("scripts")), 0)
        if size:
            if begin < at:
                yield offset + begin, offset + at
            begin = at + size
        at += size or 1
    if begin < len(run):
        yield offset + begin, offset + len(run)
