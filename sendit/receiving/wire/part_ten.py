"""The File Meta Information that we write before a dataset as it was sent (PS3.10 section 7.1)."""

from __future__ import annotations

import struct

from sendit.receiving.wire.negotiation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_SHORT = struct.Struct("<HH2sH")


def preamble_and_meta(sop_class: bytes, sop_instance: bytes, transfer_syntax: str) -> bytes:
    """Return everything that stands before the dataset. The UIDs are without padding."""
    meta = b"".join(
        (
            struct.pack("<HH2sxxI", 2, 0x0001, b"OB", 2) + b"\0\1",
            _element(0x0002, b"UI", sop_class),
            _element(0x0003, b"UI", sop_instance),
            _element(0x0010, b"UI", transfer_syntax.encode()),
            _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID.encode()),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.encode()),
        )
    )
    return bytes(128) + b"DICM" + _element(0x0000, b"UL", struct.pack("<I", len(meta))) + meta


def _element(element: int, vr: bytes, value: bytes) -> bytes:
    padded = value + (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return _SHORT.pack(2, element, vr, len(padded)) + padded
