"""ICC profiles (ISO 15076-1): a profile with what colours need, and none of its texts.

A monitor's or a scanner's profile may say who calibrated it, when, and where. What is kept are tags of numbers; a
description and a copyright, without which no profile is valid, say nothing, and the date is the standard's first.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

HEADER_BYTES, ENTRY_BYTES, MOST_TAGS = 128, 12, 200
SIGNATURE_AT, DATE, DEVICE, CREATOR_AND_ID = 36, slice(24, 36), slice(48, 56), slice(80, 128)
FIRST_DAY = struct.pack(">6H", 1994, 6, 1, 0, 0, 0)
NUMBERS = frozenset(
    (
        b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"wtpt", b"bkpt", b"chad", b"lumi", b"chrm",
        b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2", b"D2B0", b"D2B1", b"D2B2", b"D2B3", b"B2D0", b"B2D1",
        b"B2D2", b"B2D3", b"gamt", b"pre0", b"pre1", b"pre2", b"view", b"meas", b"tech", b"cicp", b"vcgt", b"rig0",
    )
)  # fmt: skip
"""Tags that hold nothing but numbers."""
TYPES = frozenset((b"XYZ ", b"curv", b"para", b"sf32", b"mft1", b"mft2", b"mAB ", b"mBA ", b"mpet", b"chrm", b"view",
                   b"meas", b"sig ", b"cicp", b"vcgt"))  # fmt: skip
"""The types in which they are written."""
SAYS_NOTHING = "REMOVED"


class _Tag(NamedTuple):
    signature: bytes
    data: bytes


def without_texts(profile: bytes) -> bytes:
    """The profile without its texts; b"" where it is none, or cannot be understood."""
    if len(profile) < HEADER_BYTES + 4 or profile[SIGNATURE_AT : SIGNATURE_AT + 4] != b"acsp":
        return b""
    (count,) = struct.unpack_from(">I", profile, HEADER_BYTES)
    if count > MOST_TAGS or HEADER_BYTES + 4 + count * ENTRY_BYTES > len(profile):
        return b""
    kept: list[_Tag] = []
    for number in range(count):
        signature, begin, size = struct.unpack_from(">4sII", profile, HEADER_BYTES + 4 + number * ENTRY_BYTES)
        data = profile[begin : begin + size]
        if signature in NUMBERS and len(data) == size >= 8 and data[:4] in TYPES:
            kept.append(_Tag(signature, data[:4] + bytes(4) + data[8:]))
    return _written(_header(profile), kept) if kept else b""


def _header(profile: bytes) -> bytes:
    """The header with neither a date nor a device, a creator and an identity."""
    header = bytearray(profile[:HEADER_BYTES])
    header[DATE], header[DEVICE], header[CREATOR_AND_ID] = FIRST_DAY, bytes(8), bytes(48)
    return bytes(header)


def _written(header: bytes, kept: list[_Tag]) -> bytes:
    is_new = header[8] >= 4  # the major version
    texts = _localized() if is_new else _text()
    tags = [_Tag(b"desc", _localized() if is_new else _description()), _Tag(b"cprt", texts), *kept]
    at, table, body = HEADER_BYTES + 4 + len(tags) * ENTRY_BYTES, b"", b""
    places: dict[bytes, int] = {}
    for tag in tags:
        if tag.data not in places:  # curves of the three colours are often one
            places[tag.data] = at + len(body)
            body += tag.data + bytes(-len(tag.data) % 4)
        table += struct.pack(">4sII", tag.signature, places[tag.data], len(tag.data))
    whole = header[4:] + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(whole) + 4) + whole


def _text() -> bytes:
    return b"text" + bytes(4) + SAYS_NOTHING.encode() + b"\0"


def _description() -> bytes:
    """textDescriptionType, as profiles of version 2 have it, with its empty Unicode and Macintosh parts."""
    ascii_text = SAYS_NOTHING.encode() + b"\0"
    return b"desc" + bytes(4) + struct.pack(">I", len(ascii_text)) + ascii_text + bytes(4 + 4 + 2 + 1 + 67)


def _localized() -> bytes:
    """multiLocalizedUnicodeType."""
    text = SAYS_NOTHING.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28) + text
