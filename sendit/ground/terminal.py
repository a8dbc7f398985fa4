"""Text for a terminal: columns, numbers with nouns, durations, and escaping, so that a name cannot control it.

Escaped text moves no cursor, ends no line, and does not change the order of letters.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

_LOOKED_AT = re.compile(r"[^ -~]")
_LOOKED_AT_IN_LINES = re.compile(r"[^ -~\n\t]")


def printable(text: str) -> str:
    r"""Escape one line, such as a name: as `printable_lines`, but `\x1b`, and `\x80` for a byte that is not UTF-8."""
    return _LOOKED_AT.sub(_in_short, text)


def printable_lines(text: str) -> str:
    r"""Escape lines, which may have tabs: `\u001b`, `\u202e`. JSON stays JSON with the same meaning."""
    return _LOOKED_AT_IN_LINES.sub(_escaped, text)


def _in_short(found: re.Match[str]) -> str:
    code = ord(found[0])
    is_byte = code < 0xA0 or 0xDC80 <= code <= 0xDCFF
    return f"\\x{code & 0xFF:02x}" if is_byte else _escaped(found)


def _escaped(found: re.Match[str]) -> str:
    """Escape control and format characters, line separators, surrogates and unassigned characters; spaces stay."""
    char = found[0]
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def table(rows: Sequence[Sequence[object]], header: Sequence[str] = (), indent: str = "") -> list[str]:
    """Lay rows out in columns, two spaces apart: numbers are aligned to the right, words to the left."""
    cells = [[_cell(value) for value in row] for row in rows]
    texts = [list(header), *cells] if header else cells
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))] if texts else []
    right = [all(isinstance(row[column], int | float | None) for row in rows) for column in range(len(widths))]
    return [indent + _aligned(row, widths, right) for row in texts]


def _aligned(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    places = zip(row, widths, right, strict=True)
    return "  ".join(text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in places).rstrip()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,}"
        case _:
            return printable(str(value))


def duration(seconds: float) -> str:
    """Return a duration such as `0.4 s`, `12 s`, `3 min`, `5 h` or `9 days`."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    for unit, length, limit in (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48)):
        if seconds < length * limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{math.floor(seconds / 86400):,} days"


LEAST_SECONDS, LEAST_RATE = 1.0, 0.1
"""A rate over a shorter time, or a lower one, says nothing."""


def rates(seconds: float, **done: int) -> list[str]:
    """Return how many of each were done in a second, such as `12 images/s` or `3.4 MB/s` (for `bytes_`), where a rate
    says something."""
    if seconds < LEAST_SECONDS:
        return []
    scaled = [(number / 1e6, "MB") if name == "bytes_" else (number, name) for name, number in done.items()]
    return [f"{_rounded(number / seconds)} {name}/s" for number, name in scaled if number / seconds >= LEAST_RATE]


def megabytes(size_bytes: int) -> str:
    """Return a size such as `0.3 MB` or `1,240 MB` (10⁶ bytes)."""
    return f"{_rounded(size_bytes / 1e6)} MB"


def gigabytes(size_bytes: int) -> str:
    """Return a size such as `0.3 GB` or `1,240 GB` (10⁹ bytes)."""
    return f"{_rounded(size_bytes / 1e9)} GB"


def _rounded(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


def counted(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun, such as `1 batch` or `2 batches`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
