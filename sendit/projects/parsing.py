"""How the text of a setting is read: each parser takes the text and returns the value, or raises ValueError."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Number = TypeVar("Number", int, float)


def flag(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    return words[text.strip().lower()]


def at_least(minimum: Number, kind: Callable[[str], Number]) -> Callable[[str], Number]:
    def parse(text: str) -> Number:
        number = kind(text)
        if number < minimum:
            raise ValueError(text)
        return number

    return parse


def name_of_host(text: str) -> str:
    name = text.strip()
    if len(name) > 64 or not all(letter.isascii() and (letter.isalnum() or letter in "._-") for letter in name):
        raise ValueError(text)
    return name


def one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        return {word: word for word in words}[text.strip()]

    return parse


def folder(text: str) -> Path:
    """Refuse an empty name, which would mean the folder in which the command was started."""
    if not text.strip():
        raise ValueError(text)
    return Path(text)


def folders(text: str) -> tuple[str, ...]:
    return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)


def urls(text: str) -> tuple[str, ...]:
    """URLs, or the word `folder`, with white space or commas between them; a URL itself may hold either."""
    found = tuple(re.split(rf"[\s,]+(?={_URL})", text.strip())) if text.strip() else ()
    if not all(re.match(_URL, url) for url in found):
        raise ValueError(text)
    return found


_URL = r"(?:[a-z][a-z0-9+]*://|folder(?:$|[\s,#]))"


def matching(pattern: str) -> Callable[[str], str]:
    """Return a parser that accepts empty text, or text that matches the pattern."""

    def parse(text: str) -> str:
        if text and not re.fullmatch(pattern, text):
            raise ValueError(text)
        return text

    return parse
