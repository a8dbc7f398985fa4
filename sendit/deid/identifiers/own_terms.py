"""Attributes that hold a word of a closed trade: a maker, a part of the body, a kernel. There it names nobody.

A patient may be called Hand, Philips or Sharp. The word counts as theirs everywhere but in the attribute that is meant
to hold it, and even there if anything else stands beside it.
"""

from __future__ import annotations

import re

from sendit.deid.identifiers.vocabulary import either, fold, is_listed, is_name, listed

_WORD = re.compile(r"[^\W\d_]+")
_LONG_NUMBER = re.compile(r"(?:\d\D?){3}|(?<![^\W_])9\d(?!\d)")
"""Of a number, a date or the age of somebody very old."""
_MAKER_TAGS = frozenset({0x00080070})
"""Manufacturer."""
_TERM_TAGS = frozenset({0x00080060, 0x00180015, 0x00181210, 0x00185100, 0x00200060})
"""Modality, Body Part Examined, Convolution Kernel, Patient Position, Laterality."""
OWN_TERMS = _MAKER_TAGS | _TERM_TAGS


def holds_its_own_term(tag: int, text: str) -> bool:
    """Whether an attribute holds nothing but words that it is meant to hold."""
    if _LONG_NUMBER.search(text):
        return False
    words = [fold(word) for word in _WORD.findall(text)]
    if tag in _MAKER_TAGS:
        return bool(words) and all(word in listed("makers") for word in words)
    return tag in _TERM_TAGS and bool(words) and all(map(_is_term, words))


def _is_term(word: str) -> bool:
    """Whether a list has the word as it is; one that is only formed like a term, as Paloma is, may be a name."""
    return is_listed(word) and not is_name(word) and word not in either("titles")
