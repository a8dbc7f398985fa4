"""Encapsulated Pixel Data in the making: frames, one behind the other, that then are one value with a table."""

from __future__ import annotations

import struct
from tempfile import SpooledTemporaryFile

from sendit.deid.stream.encodings import Encoding
from sendit.deid.stream.tags import ITEM, SEQUENCE_END

IN_MEMORY_BYTES = 32 * 1024 * 1024
LAST_OFFSET = LONGEST_ITEM = 0xFFFFFFFE


class EncodedValue:
    """A source whose bytes are a Basic Offset Table, an item for each frame, and the delimiter (PS3.5 A.4).

    Long ones are in a file without a name, which only holds frames that were blanked.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - lives as long as the source
        self._offsets: list[int] = []
        self._written = 0
        self._head = b""

    def add(self, frame: bytes) -> None:
        """Write one frame, padded to even length."""
        padded = frame + b"\0" * (len(frame) % 2)
        self._offsets.append(self._written)
        self._written += self._file.write(self._encoding.mark(ITEM, len(padded)) + padded)

    def end(self) -> None:
        """End; then the value can be read."""
        self._written += self._file.write(self._encoding.mark(SEQUENCE_END))
        has_table = self._offsets[-1] <= LAST_OFFSET
        table = struct.pack(f"{self._encoding.order}{len(self._offsets)}L", *self._offsets) if has_table else b""
        self._head = self._encoding.mark(ITEM, len(table)) + table

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return len(self._head) + self._written

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end."""
        head = self._head[offset : offset + length]
        self._file.seek(max(offset - len(self._head), 0))
        return head + self._file.read(length - len(head))

    def close(self) -> None:
        """Give back memory or file."""
        self._file.close()
