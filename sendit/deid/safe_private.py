"""Private elements known to identify nobody (PS3.15 E.3.10), by their Private Creator: a table with its sources."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

SAFE_FILE = Path(__file__).with_suffix(".tsv")


@dataclass(frozen=True, slots=True)
class SafePrivate:
    """One element: `group` is odd, `offset` the low byte of its element number, `vr` what it is written with."""

    creator: str
    group: int
    offset: int
    vr: str
    meaning: str
    source: str

    @property
    def field(self) -> str:
        """As a recipe names it."""
        return f'({self.group:04X},"{self.creator}",{self.offset:02X})'


def read_safe_private(text: str) -> tuple[SafePrivate, ...]:
    """The rows from the text of their file: a heading or comments, then tab-separated columns."""
    rows = (line.split("\t") for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return tuple(
        SafePrivate(creator, int(group, 16), int(offset, 16), vr, meaning, source)
        for creator, group, offset, vr, meaning, source in rows
        if creator != "creator"
    )


@cache
def safe_private() -> tuple[SafePrivate, ...]:
    """The table that is shipped."""
    return read_safe_private(SAFE_FILE.read_text("utf-8"))
