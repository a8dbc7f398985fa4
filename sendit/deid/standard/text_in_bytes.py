"""Whether a value of bytes (PS3.5, the VRs OB to OW) is a text after all, by its beginning. Numbers look otherwise."""

from __future__ import annotations

BEGINNING = 512
"""Bytes that are looked at."""
_FEWEST, _FEWEST_DIFFERENT = 6, 4
_WORDS = 0.8
"""The part of a text that letters, digits and blanks make at least."""
_MARKS_OF_TEXT = frozenset("@:/.,-+()^_\\")


def reads_as_text(beginning: bytes) -> bool:
    """Whether the beginning of a value is nothing but words, numbers in digits, and marks between them.

    Samples of a signal that all lie among the letters do not differ, or are odd signs for the most part.
    """
    text = _decoded(beginning[:BEGINNING].rstrip(b" \0"))
    if len(text) < _FEWEST or len(set(text)) < _FEWEST_DIFFERENT:
        return False
    if not all(character.isprintable() or character in "\r\n\t" for character in text):
        return False
    words = sum(character.isalnum() or character.isspace() or character in _MARKS_OF_TEXT for character in text)
    return words >= _WORDS * len(text)


def _decoded(raw: bytes) -> str:
    """As UTF-8, perhaps cut within a character; else as Latin-1, where signs that are no letters tell it from text."""
    for cut in range(4):
        try:
            return raw[: len(raw) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")
