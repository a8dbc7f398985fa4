"""The bytes of a rewritten image: pieces in memory, and ranges of the source that are read only as they are written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from sendit.deid.stream.sources import Bulk, Source
from sendit.errors import DataFault


class ImageStream:
    """An image's bytes, read into buffers of the reader's; bulk data is copied once, from the source.

    Parameters
    ----------
    parts : iterator of bytes or Bulk
        What the image is made of.
    source : Source
        What a Bulk is a range of.
    """

    __slots__ = ("_held", "_left", "_offset", "_parts", "_source")

    def __init__(self, parts: Iterator[bytes | Bulk], source: Source) -> None:
        self._parts, self._source = parts, source
        self._held = memoryview(b"")
        self._offset = self._left = 0

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer with the next bytes; returns their number, less than asked only at the end.

        Raises
        ------
        DataFault
            Truncated: the source has become shorter.
        """
        filled = 0
        while filled < len(buffer) and (self._held or self._left or self._next()):
            if self._held:
                filled += self._take(buffer[filled:])
            elif self._left:
                filled += self._read(buffer[filled : filled + self._left])
        return filled

    def _next(self) -> bool:
        part = next(self._parts, None)
        if isinstance(part, Bulk):
            self._offset, self._left = part.offset, part.length
        elif part is not None:
            self._held = memoryview(part)
        return part is not None

    def _take(self, buffer: memoryview) -> int:
        count = min(len(self._held), len(buffer))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def _read(self, buffer: memoryview) -> int:
        count = self._source.readinto(self._offset, buffer)
        if not count:
            raise DataFault("Truncated")
        self._offset, self._left = self._offset + count, self._left - count
        return count


def joined(pieces: Iterable[bytes | Bulk]) -> Iterator[bytes | Bulk]:
    """The same, but what lies between bulk values, with their heads, at once; parts of a value stand in its place."""
    held: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            held.append(piece)
            continue
        held.append(piece.head)
        for part in piece.parts or (piece,):
            if isinstance(part, bytes):
                held.append(part)
            else:
                yield b"".join(held)
                yield part
                held = []
    if held:
        yield b"".join(held)


def write_all(handle: int, data: bytes) -> int:
    """Write bytes to an open descriptor; returns their number."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
    return len(data)


def send_all(handle: int, source: int, bulk: Bulk) -> int:
    """Copy a range from descriptor to descriptor within the kernel; DataFault Truncated if the source is shorter."""
    offset, left = bulk.offset, bulk.length
    while left:
        sent = os.sendfile(handle, source, offset, left)
        if not sent:
            raise DataFault("Truncated")
        offset, left = offset + sent, left - sent
    return bulk.length
