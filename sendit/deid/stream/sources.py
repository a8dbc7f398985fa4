"""Where a file's bytes come from, and the ranges of them that are passed on unread."""

from __future__ import annotations

import os
import stat
import zlib
from typing import NamedTuple, Protocol

from sendit.errors import DataFault

WINDOW = 16 * 1024
"""Bytes first read of a file; a header that is longer is read in further, larger windows."""
HEADER_LIMIT = 48 * 1024 * 1024
"""The largest single element, sequence or header that is held in memory; bulk data beyond it is streamed."""
CHUNK = 1024 * 1024
INFLATE_ALLOWANCE, INFLATE_RATIO = 64 * 1024 * 1024, 100
"""A deflated dataset may inflate to the allowance plus the ratio times its size."""


def larger(size: int) -> int:
    """The size of the window to try after one that was too small.

    What is in it is walked once more each time, so a window that is long already grows faster.
    """
    return min(size * (4 if size < 256 * 1024 else 16), HEADER_LIMIT)


class Source(Protocol):
    """Random access to a file's bytes."""

    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end."""
        ...

    def readinto(self, offset: int, buffer: memoryview) -> int:
        """Put bytes from `offset` into the buffer; returns how many, 0 only at the end."""
        ...

    def close(self) -> None:
        """Give back what is held open."""
        ...


class BytesSource:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self.data, self.size = data, len(data)

    def read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def readinto(self, offset: int, buffer: memoryview) -> int:
        found = self.read(offset, len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        pass


class FileSource:
    """An open file, read in place; a file that shrinks meanwhile is a DataFault, not a crash."""

    handle = -1

    def __init__(self, path: str | os.PathLike[str] | bytes) -> None:
        self.handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        status = os.fstat(self.handle)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise DataFault("NotDicom")
        self.size = status.st_size

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self.handle, length, offset)

    def readinto(self, offset: int, buffer: memoryview) -> int:
        return os.preadv(self.handle, [buffer], offset)

    def close(self) -> None:
        handle, self.handle = self.handle, -1
        if handle >= 0:
            os.close(handle)

    def __del__(self) -> None:
        self.close()


class InflatedSource:
    """The inflated bytes of a deflated dataset (PS3.5 A.5), never all in memory at once."""

    def __init__(self, source: Source, offset: int) -> None:
        self._source, self._begin = source, offset
        self._limit = INFLATE_ALLOWANCE + INFLATE_RATIO * max(source.size - offset, 0)
        self._restart()
        self.size = 0
        while self._more():
            self._base += len(self._held)
            self._held = b""
        self.size = self._base + len(self._held)
        self._restart()

    _base: int
    _held: bytes

    def _restart(self) -> None:
        self._inflate, self._next, self._input = zlib.decompressobj(-zlib.MAX_WBITS), self._begin, b""
        self._base = 0
        self._held = b""

    def _more(self) -> bool:
        """Inflate about a chunk more; False at the end of the stream."""
        if self._inflate.eof:
            return False
        if not self._input:
            self._input = self._source.read(self._next, CHUNK)
            self._next += len(self._input)
        try:
            piece = self._inflate.decompress(self._input, CHUNK)
        except zlib.error:
            raise DataFault("BadDeflate") from None
        if not piece and not self._input and not self._inflate.eof:
            raise DataFault("BadDeflate")
        self._input = self._inflate.unconsumed_tail
        self._held += piece
        if self._base + len(self._held) > self._limit:
            raise DataFault("BadDeflate")
        return True

    def read(self, offset: int, length: int) -> bytes:
        if offset < self._base:
            self._restart()
        while offset + length > self._base + len(self._held) and self._more():
            skip = min(offset - self._base, len(self._held))
            if skip > 0:
                self._base, self._held = self._base + skip, self._held[skip:]
        start = offset - self._base
        return self._held[start : start + length] if start >= 0 else b""

    def readinto(self, offset: int, buffer: memoryview) -> int:
        found = self.read(offset, min(len(buffer), CHUNK))
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        self._source.close()


# ---------------------------------------------------------------------------------------------- bulk data


class Bulk(NamedTuple):
    """An element whose value, a range of the source, is passed on as it is; `head` is what stands before the value.

    A value that is put together has `parts` instead: bytes, and ranges, whose heads are empty.
    """

    tag: int
    head: bytes
    offset: int
    length: int
    parts: tuple[bytes | Bulk, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of the whole element."""
        return len(self.head) + self.length
