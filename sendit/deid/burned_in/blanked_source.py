"""Sources with blanked pixels: behind the bytes of a file, those of its frames as they are delivered."""

from __future__ import annotations

from typing import Protocol

from sendit.deid.burned_in.native import Layout
from sendit.deid.burned_in.record import Box
from sendit.deid.stream.sources import Source


class BlankedFrames:
    """The uncompressed frames of a source with rectangles blanked, made frame by frame as they are read.

    Parameters
    ----------
    source : Source
    offset : int
        Where the first frame begins.
    length : int
        Bytes of the value; what stands behind the last frame is passed on.
    layout : Layout
    frames : int
    boxes : tuple of Box
    """

    def __init__(
        self, source: Source, offset: int, length: int, layout: Layout, frames: int, boxes: tuple[Box, ...]
    ) -> None:
        self._source, self._offset, self.size = source, offset, length
        self._layout, self._frames, self._boxes = layout, frames, boxes
        self._number, self._held = -1, b""

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end."""
        parts, end = [], min(offset + length, self.size)
        while offset < end:
            part = self._part(offset, end)
            parts.append(part)
            offset += len(part)
            if not part:
                break
        return b"".join(parts)

    def _part(self, offset: int, end: int) -> bytes:
        size = self._layout.frame_bytes
        number = offset // size
        if number >= self._frames:
            return self._source.read(self._offset + offset, end - offset)
        begin = number * size
        return self.frame(number)[offset - begin : end - begin]

    def frame(self, number: int) -> bytes:
        """One frame, blanked."""
        if number != self._number:
            size = self._layout.frame_bytes
            held = bytearray(self._source.read(self._offset + number * size, size))
            if len(held) == size:
                self._layout.blank(held, self._boxes)
            self._number, self._held = number, bytes(held)
        return self._held


class Readable(Protocol):
    """Bytes that can be read from anywhere."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end."""
        ...


class ExtendedSource:
    """A source, and behind it the bytes of another one.

    Parameters
    ----------
    source : Source
        Closed with this one.
    added : Readable
    """

    def __init__(self, source: Source, added: Readable) -> None:
        self._source, self._added = source, added
        self._begin = source.size
        self.size = source.size + added.size

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end."""
        if offset >= self._begin:
            return self._added.read(offset - self._begin, length)
        found = self._source.read(offset, min(length, self._begin - offset))
        more = length - len(found)
        return found + self._added.read(0, more) if more and offset + len(found) == self._begin else found

    def readinto(self, offset: int, buffer: memoryview) -> int:
        """Put bytes from `offset` into the buffer; returns how many, 0 only at the end."""
        if offset + len(buffer) <= self._begin:
            return self._source.readinto(offset, buffer)
        found = self.read(offset, len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        """Close the source."""
        self._source.close()
