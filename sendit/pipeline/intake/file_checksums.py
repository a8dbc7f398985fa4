"""Two checksums of a file's bytes, made of the bytes that are read anyway. Knows neither files nor what is in them."""

from __future__ import annotations

from collections.abc import Callable

from isal import isal_zlib

_BLOCK = memoryview(bytearray(1 << 18))
"""Where the rest of a file is read: small enough to stay in the processor's cache."""


class FileChecksums:
    """CRC-32 and Adler-32 of a file from its beginning.

    A reader hands over each piece that it reads. A piece that continues what has been taken is taken; one that was read
    before, or lies beyond, is left, and `finish` reads what is missing.
    """

    __slots__ = ("_adler32", "_crc32", "_end")

    def __init__(self) -> None:
        self._crc32, self._adler32, self._end = 0, 1, 0

    def take(self, offset: int, piece: bytes | memoryview) -> None:
        """Take what a reader has read at `offset`."""
        known = self._end - offset
        if 0 <= known < len(piece):
            new = memoryview(piece)[known:]
            self._crc32, self._adler32 = isal_zlib.crc32(new, self._crc32), isal_zlib.adler32(new, self._adler32)
            self._end = offset + len(piece)

    def finish(self, readinto: Callable[[int, memoryview], int]) -> tuple[int, int, int]:
        """Read the rest, and return the number of bytes, the CRC-32 and the Adler-32."""
        while count := readinto(self._end, _BLOCK):
            self.take(self._end, _BLOCK[:count])
        return self._end, self._crc32, self._adler32
