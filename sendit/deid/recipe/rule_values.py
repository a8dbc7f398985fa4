"""The value of a rule as text: a literal, `var:`, `func:`, `deid_func:` with its options, or `code:`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sendit.deid.recipe.deid_functions import DEID_FUNCTIONS
from sendit.deid.recipe.recipe_lines import Words
from sendit.deid.recipe.rules import Value
from sendit.deid.standard.codes import parse_codes


def parse_value(words: Words, text: str) -> Value:
    """The value that `text`, the words of a rule behind its FIELD, is."""
    kind, colon, name = text.partition(":")
    if kind.lower() == "code" and colon and is_coded(words):
        return _codes(words, name)
    if not colon or kind.lower() not in ("var", "func", "deid_func"):
        return Value("literal", text)
    kind, at = kind.lower(), words.column(2) + len(kind) + 1
    function, *options = name.split() or [""]
    if not re.fullmatch(r"\w[\w.-]*", function):
        raise words.error(at, f"{kind}: goes on with a name")
    if kind == "deid_func":
        return Value(kind, function, tuple(_options(words, function, options, at)))
    if options:
        raise words.error(words.column(3), f"{kind}: takes a name and nothing else")
    return Value(kind, function)


def _codes(words: Words, text: str) -> Value:
    try:
        return Value("code", "".join(map(str, parse_codes(text))))
    except ValueError:
        reason = 'code: goes on with codes as the Standard writes them: (113100, DCM, "meaning")'
        raise words.error(words.column(2) + len("code:"), reason) from None


def _options(words: Words, function: str, options: list[str], at: int) -> Iterator[tuple[str, str]]:
    known = DEID_FUNCTIONS.get(function)
    if known is None:
        reason = f"there is no deid_func:{function}, only " + ", ".join(DEID_FUNCTIONS)
        raise words.error(at, reason)
    for number, option in enumerate(options):
        name, _, value = option.partition("=")
        if name not in known.options or not re.fullmatch(known.options[name], value):
            taken = ", ".join(f"{word}=" for word in known.options) or "no options"
            reason = f"deid_func:{function} takes {taken}"
            raise words.error(words.column(3 + number), reason)
        yield name, value


def is_coded(words: Words) -> bool:
    """Whether a rule's value is codes; `code:` and other words are a text."""
    return re.match(r"code:\s*\(", words.rest(2), re.IGNORECASE) is not None


def is_days(value: Value) -> bool:
    """Whether it is a whole number of days, or comes to one when an image is rewritten."""
    if value.kind == "literal":
        return re.fullmatch(r"[+-]?\d{1,6}", value.text) is not None
    return value.kind in ("var", "func")
