"""Keyed pseudonyms: UIDs under 2.25, and dates shifted by whole days. Knows no file and no identity service."""

from __future__ import annotations

import hashlib
import re
from datetime import date, timedelta

from pydicom._uid_dict import UID_dictionary

WELL_KNOWN_UIDS = frozenset(UID_dictionary)
"""UIDs that PS3.6 Annex A registers: classes, syntaxes, frames of reference. They name no instance."""

_BLOCK_BYTES = 64
"""The length of a block of SHA-256."""
_PADS = bytes(byte ^ 0x36 for byte in range(256)), bytes(byte ^ 0x5C for byte in range(256))
"""The inner and the outer pad of RFC 2104, as what they make of each byte."""
MEMO_ENTRIES = 8192
"""So many UIDs are remembered; most, an image's own, come once."""


class Pseudonyms:
    """Replacements that only the holder of a key can make or repeat.

    The same key and input give the same output in every image, batch, worker and run. Without the key nothing can be
    searched for: an unkeyed hash of an MRN would fall to a list of all MRNs.

    Parameters
    ----------
    key : bytes
        At least 16 secret bytes; one key per site. Another key gives other UIDs.
    """

    __slots__ = ("_inner", "_outer", "_uids")

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError("a pseudonym key has at least 16 bytes")
        # HMAC-SHA-256 as RFC 2104 defines it. `hmac` gives the same, but its copies cost twice as much, for each image.
        block = (key if len(key) <= _BLOCK_BYTES else hashlib.sha256(key).digest()).ljust(_BLOCK_BYTES, b"\0")
        self._inner, self._outer = (hashlib.sha256(block.translate(pad)) for pad in _PADS)
        self._uids: dict[str, str] = {}

    def __repr__(self) -> str:
        return "Pseudonyms(…)"

    def uid(self, original: str) -> str:
        """The UID that stands for `original`: 2.25 and a UUID in decimal (PS3.5 B.2); well-known ones stay."""
        known = self._uids.get(original)
        if known is None:
            if len(self._uids) >= MEMO_ENTRIES:
                self._uids.clear()
            known = self._uids[original] = (
                original if original in WELL_KNOWN_UIDS or not original else f"2.25.{self.number('uid', original)}"
            )
        return known

    def number(self, purpose: str, original: str) -> int:
        """A keyed 128-bit number in the form of an RFC 9562 version 8 UUID; `purpose` separates domains."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(f"sendit/{purpose}/1\0{original}".encode("utf-8", "surrogateescape"))
        outer.update(inner.digest())
        value = int.from_bytes(outer.digest()[:16], "big")
        return value & ~(0xF << 76) & ~(0x3 << 62) | 8 << 76 | 2 << 62


_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_DATETIME = re.compile(r"(\d{4})(\d{2})(\d{2})((?:\d{2}){0,3}(?:\.\d{1,6})?)(?:[+-]\d{4})?")


def shift_date(text: str, days: int) -> str | None:
    """A DA value shifted, as YYYYMMDD (PS3.5 6.2; ACR-NEMA's dots and ISO's dashes are read); None if it is no date."""
    match = _DATE.fullmatch(text.strip().replace("-", "."))
    return _shifted(*match.groups(), days=days) if match else None


def shift_datetime(text: str, days: int) -> str | None:
    """A DT value shifted: precision and time of day stay as they are; None if it cannot be.

    The offset from UTC goes: where clocks are changed, it tells in which half of the year the true date lies, and
    between two studies of a patient on which day they were changed.

    A DT without a day ("2010", "201002") cannot be shifted by days.
    """
    match = _DATETIME.fullmatch(text.strip())
    if not match:
        return None
    year, month, day, rest = match.groups()
    shifted = _shifted(year, month, day, days=days)
    return shifted and shifted + rest


def _shifted(year: str, month: str, day: str, *, days: int) -> str | None:
    try:
        return (date(int(year), int(month), int(day)) + timedelta(days=days)).strftime("%Y%m%d").zfill(8)
    except (ValueError, OverflowError):
        return None
