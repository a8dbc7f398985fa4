"""CRC32C as object stores show it: base64 of the four bytes, big-endian."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

import google_crc32c

READ_BYTES = 1 << 20


def crc32c_of_file(path: Path) -> str:
    """Return the checksum of a file, which is read in blocks."""
    with path.open("rb") as file:
        return crc32c_of(iter(lambda: file.read(READ_BYTES), b""))


def crc32c_of(blocks: Iterable[bytes]) -> str:
    """Return the checksum of bytes that come in blocks."""
    found = 0
    for block in blocks:
        found = google_crc32c.extend(found, block)
    return base64.b64encode(found.to_bytes(4, "big")).decode()
