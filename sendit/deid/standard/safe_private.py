"""Private elements known to identify nobody (PS3.15 E.3.10), by their Private Creator: a table with its sources."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from sendit.deid.standard.forms import DECIMAL
from sendit.deid.stream.values import NUMBERS
from sendit.deid.vendors.csa import CsaSeries
from sendit.deid.vendors.protocols import asc_conv, ge_protocol

MOST_VALUES = 256
"""More are no number or term, but data of a kind that the table does not hold."""
_BINARY = re.compile(b"")
_DECIMAL = re.compile(rb"(?:%b)?" % DECIMAL)
_TERM = re.compile(rb"[A-Za-z0-9 _.:;,+/*()<>=%-]{0,64}")
_KINDS = {**dict.fromkeys(NUMBERS, _BINARY), "DS": _DECIMAL, "IS": _DECIMAL, **dict.fromkeys(("CS", "LO", "SH"), _TERM)}
"""The kinds of VRs, of which files have one in place of another, and what their values look like."""

Rewrite = Callable[[bytes], bytes | None]
"""Makes a new value of the numbers in an element that holds far more; None where there are none."""
REWRITES: dict[str, Callable[[], Rewrite]] = {
    "CSA": lambda: CsaSeries().numbers_of,
    "ASCCONV": lambda: asc_conv,
    "GE": lambda: ge_protocol,
}
"""What makes a `Rewrite` for the images of one study; the name stands in the place of a VR."""
_OPAQUE = ("", "UN", "OB")

SAFE_FILE = Path(__file__).with_suffix(".tsv")


@dataclass(frozen=True, slots=True)
class SafePrivate:
    """One element: `group` is odd, `offset` the low byte of its element number, `vr` what it is written with.

    `form` is an expression that each of its values must match, beside the form of its VR; "" for none.
    """

    creator: str
    group: int
    offset: int
    vr: str
    meaning: str
    source: str
    form: str = ""

    @property
    def field(self) -> str:
        """As a recipe names it."""
        return f'({self.group:04X},"{self.creator}",{self.offset:02X})'

    def has_form(self, written_vr: str, raw: bytes) -> bool:
        """Whether a value is what the table says: its VR is of the same kind or unknown, and its form fits."""
        if self.is_rewritten:
            return written_vr in _OPAQUE
        kind = _KINDS[self.vr]
        if written_vr not in ("", "UN") and _KINDS.get(written_vr) is not kind:
            return False
        vr = self.vr if written_vr in ("", "UN") else written_vr
        if kind is _BINARY:
            size = struct.calcsize("<" + NUMBERS[vr])
            return len(raw) % size == 0 and len(raw) <= MOST_VALUES * size
        parts = [part.strip(b" ") for part in raw.rstrip(b" \0").split(b"\\")]
        if len(parts) > MOST_VALUES or not all(map(kind.fullmatch, parts)):
            return False
        return not self.form or all(map(_compiled(self.form).fullmatch, parts))

    @property
    def is_text(self) -> bool:
        """Whether it is a term, which could hold a name."""
        return _KINDS.get(self.vr) is _TERM and not self.form

    @property
    def is_sequence(self) -> bool:
        """Whether it is a sequence, whose items' elements have rules of their own."""
        return self.vr == "SQ"

    @property
    def is_rewritten(self) -> bool:
        """Whether a new value is made of the numbers in it."""
        return self.vr in REWRITES

    def rewrite(self) -> Rewrite:
        """What makes the new values, for the images of one study."""
        return REWRITES[self.vr]()


@lru_cache(maxsize=256)
def _compiled(form: str) -> re.Pattern[bytes]:
    return re.compile(form.encode("ascii"))


def read_safe_private(text: str) -> tuple[SafePrivate, ...]:
    """The rows from the text of their file: a heading or comments, then tab-separated columns."""
    rows = (line.split("\t") for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return tuple(
        SafePrivate(creator, int(group, 16), int(offset, 16), vr, meaning, source, *form)
        for creator, group, offset, vr, meaning, source, *form in rows
        if creator != "creator"
    )


@cache
def safe_private() -> tuple[SafePrivate, ...]:
    """The table that is shipped."""
    return read_safe_private(SAFE_FILE.read_text("utf-8"))


@cache
def _by_place() -> dict[tuple[str, int, int], SafePrivate]:
    return {(safe.creator.lower(), safe.group, safe.offset): safe for safe in safe_private()}


def known_as_safe(creator: str, tag: int) -> SafePrivate | None:
    """The row of a private element; None where there is none."""
    return _by_place().get((creator.lower(), tag >> 16, tag & 0xFF))


def holds_only_numbers(tag: int, value: bytes) -> bool:
    """Whether a value holds only the numbers that are kept: rewriting it would give the same bytes."""
    rewritten = _rewritten_places().get((tag >> 16, tag & 0xFF))
    if rewritten is None:
        return False
    new = rewritten.rewrite()(value)
    return new is not None and new + bytes(len(new) % 2) == value


@cache
def _rewritten_places() -> dict[tuple[int, int], SafePrivate]:
    return {(safe.group, safe.offset): safe for safe in safe_private() if safe.is_rewritten}
