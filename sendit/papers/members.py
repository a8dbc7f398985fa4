"""The images of an archive, each inflated by itself out of the bytes at its place, which are not trusted."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import Protocol

from sendit.errors import DataFault

GZIP = 31
"""zlib's window bits for a gzip member with a 32 KiB window."""
COPIED_BYTES = 1 << 20


class Source(Protocol):
    """Bytes by their place in an archive."""

    def read(self, offset: int, most: int, /) -> bytes:
        """Return up to `most` bytes from `offset`, at least one before the end."""
        ...


class Inflated(io.RawIOBase):
    """A gzip member's content as a stream."""

    def __init__(self, source: Source, begin: int, end: int) -> None:
        self._source, self._at, self._end = source, begin, end
        self._inflate = zlib.decompressobj(GZIP)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Put the next bytes into the buffer, and return how many; 0 at the end."""
        while not self._inflate.eof:
            held = self._inflate.unconsumed_tail
            if not held and self._at < self._end:
                held = self._source.read(self._at, min(self._end - self._at, COPIED_BYTES))
                self._at += len(held)
            content = self._inflate.decompress(held, len(buffer))
            if content:
                buffer[: len(content)] = content
                return len(content)
            if not held:
                raise EOFError
        return 0


def image_blocks(source: Source, begin: int, end: int) -> Iterator[bytes]:
    """Yield an image's bytes in blocks. Memory is bounded whatever the image's size.

    Raises
    ------
    DataFault
        `NotAnImage`: those bytes are not one image's member.
    """
    try:
        with closing(Inflated(source, begin, end)) as member, tarfile.open(fileobj=member, mode="r|") as tar:
            entry = tar.next()
            content = tar.extractfile(entry) if entry else None
            if content is None:
                raise DataFault("NotAnImage")
            while block := content.read(COPIED_BYTES):
                yield block
    except (zlib.error, tarfile.TarError, EOFError):
        raise DataFault("NotAnImage") from None


def image_sha256(source: Source, begin: int, end: int) -> str:
    """Return the SHA-256 of an image's bytes. Raises DataFault("NotAnImage")."""
    digest = hashlib.sha256()
    for block in image_blocks(source, begin, end):
        digest.update(block)
    return digest.hexdigest()
