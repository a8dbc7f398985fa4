"""Text that a terminal may be given: it moves no cursor, ends no line, and does not change the order of letters."""

from __future__ import annotations

import re
import unicodedata

_LOOKED_AT = re.compile(r"[^ -~]")
_LOOKED_AT_IN_LINES = re.compile(r"[^ -~\n\t]")


def printable(text: str) -> str:
    r"""One line, for a cell or a name: `\x1b`, and `\x80` for a byte of a name that is no text; otherwise as below."""
    return _LOOKED_AT.sub(_in_short, text)


def printable_lines(text: str) -> str:
    r"""Lines, with tabs: `\u001b`, `\u202e`. What was JSON still is, and says the same."""
    return _LOOKED_AT_IN_LINES.sub(_escaped, text)


def _in_short(found: re.Match[str]) -> str:
    code = ord(found[0])
    is_byte = code < 0xA0 or 0xDC80 <= code <= 0xDCFF
    return f"\\x{code & 0xFF:02x}" if is_byte else _escaped(found)


def _escaped(found: re.Match[str]) -> str:
    """Control and format characters, line separators, surrogates and what is not assigned; other spaces stay."""
    char = found[0]
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
