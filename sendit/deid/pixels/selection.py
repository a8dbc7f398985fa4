"""One frame's encoded bytes, read across its fragments, and what of them a walk has kept."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import accumulate

from sendit.deid.stream.sources import CHUNK, Bulk, Source
from sendit.errors import DataFault

PIXEL_DATA = 0x7FE00010
TAIL_BYTES = 512
"""How much of the end of entropy-coded data is searched: bytes that no decoder asks for would stand there."""

Fragment = tuple[int, int]
"""Where a fragment's value begins in the source, and its length."""
Witness = Callable[[bytes, str], None]
"""Raises ResidualIdentifier where one of the patient's identifiers stands in bytes, which are read as of that VR."""


class Spare(StrEnum):
    """What is dropped from Pixel Data, as the report names it."""

    COMMENT = "COMMENT"
    APPLICATION = "APPLICATION"
    BOX = "BOX"
    TAIL = "TAIL"
    FRAGMENT = "FRAGMENT"
    OFFSETS = "OFFSETS"
    RLE_HEADER = "RLE_HEADER"


def bad_pixel_data() -> DataFault:
    """The fault of a codestream that cannot be walked."""
    return DataFault("BadPixelData", tag=PIXEL_DATA)


class Codestream:
    """The bytes of a frame; a marker may begin in one fragment and end in the next.

    Parameters
    ----------
    source : Source
    fragments : sequence of (offset, length)
    """

    __slots__ = ("_base", "_ends", "_fragments", "_held", "_source", "size")

    def __init__(self, source: Source, fragments: Sequence[Fragment]) -> None:
        self._source, self._fragments = source, fragments
        self._ends = list(accumulate(length for _, length in fragments))
        self.size = self._ends[-1] if self._ends else 0
        self._base, self._held = 0, b""

    def read(self, pos: int, length: int) -> bytes:
        """Up to `length` bytes from `pos`; fewer only at the end."""
        at = pos - self._base
        if at < 0 or at + length > len(self._held):
            self._load(pos, max(length, CHUNK))
            at = 0
        return self._held[at : at + length]

    def number(self, pos: int, length: int, order: str = ">") -> int:
        """The unsigned number at `pos`; BadPixelData behind the end."""
        found = self.read(pos, length)
        if len(found) < length:
            raise bad_pixel_data()
        return int.from_bytes(found, "big" if order == ">" else "little")

    def search(self, pattern: re.Pattern[bytes], pos: int) -> int:
        """Where two bytes that match stand next, from `pos` on; -1 where they do not."""
        while pos < self.size - 1:
            if not self._base <= pos < self._base + len(self._held) - 1:
                self._load(pos, CHUNK)
            found = pattern.search(self._held, pos - self._base)
            if found:
                return self._base + found.start()
            pos = self._base + len(self._held) - 1
        return -1

    def ranges(self, begin: int, end: int) -> Iterator[Bulk]:
        """The same bytes as ranges of the source."""
        index = bisect_right(self._ends, begin)
        while begin < end:
            offset, length = self._fragments[index]
            within = begin - (self._ends[index] - length)
            count = min(length - within, end - begin)
            if count:
                yield Bulk(PIXEL_DATA, b"", offset + within, count)
            begin, index = begin + count, index + 1

    def _load(self, pos: int, length: int) -> None:
        wanted = self.ranges(pos, min(pos + length, self.size))
        self._base, self._held = pos, b"".join(self._source.read(part.offset, part.length) for part in wanted)
        if len(self._held) < min(length, self.size - pos):
            raise DataFault("Truncated", tag=PIXEL_DATA)


class Selection:
    """What a walk keeps of a codestream, in order, and the kinds of what it drops.

    Parameters
    ----------
    stream : Codestream
    witness : callable
        Searches what is kept and is not entropy-coded.
    """

    __slots__ = ("_pieces", "_stream", "dropped", "size", "witness")

    def __init__(self, stream: Codestream, witness: Witness) -> None:
        self._stream, self.witness = stream, witness
        self._pieces: list[tuple[int, int] | bytes] = []
        self.dropped: set[Spare] = set()
        self.size = 0

    def keep(self, begin: int, end: int) -> None:
        """Keep a range of the codestream."""
        self.size += end - begin
        last = self._pieces[-1] if self._pieces else b""
        if isinstance(last, tuple) and last[1] == begin:
            self._pieces[-1] = last[0], end
        elif begin < end:
            self._pieces.append((begin, end))

    def keep_text(self, begin: int, end: int) -> None:
        """Keep a range that may hold text, which is searched."""
        self.witness(self._stream.read(begin, end - begin), "OB")
        self.keep(begin, end)

    def keep_table(self, begin: int, end: int) -> None:
        """Keep a range of numbers, in which short identifiers would be met by chance."""
        self.witness(self._stream.read(begin, end - begin), "OW")
        self.keep(begin, end)

    def keep_coded(self, begin: int, end: int) -> None:
        """Keep entropy-coded bytes; their end is searched."""
        tail = max(begin, end - TAIL_BYTES)
        self.witness(self._stream.read(tail, end - tail), "OW")
        self.keep(begin, end)

    def write(self, data: bytes) -> None:
        """Put bytes in the place of others."""
        self.size += len(data)
        self._pieces.append(data)

    def add(self, other: Selection) -> None:
        """Go on with what another selection of the same codestream has kept."""
        for piece in other._pieces:
            if isinstance(piece, bytes):
                self.write(piece)
            else:
                self.keep(*piece)
        self.dropped |= other.dropped

    def drop(self, kind: Spare) -> None:
        """Note that something was dropped."""
        self.dropped.add(kind)

    def end(self, pos: int) -> None:
        """The picture ends at `pos`: what stands behind it goes, but for a byte of padding."""
        if not self.is_padding(pos):
            self.drop(Spare.TAIL)

    def is_padding(self, pos: int) -> bool:
        """Whether what stands from `pos` on is no more than one zero that makes the length even."""
        left = self._stream.size - pos
        return left == 0 or (left == 1 and pos % 2 == 1 and self._stream.read(pos, 1) == b"\0")

    @property
    def is_whole(self) -> bool:
        """Whether the codestream is kept as it is."""
        if not self._pieces:
            return self._stream.size == 0
        first = self._pieces[0]
        return len(self._pieces) == 1 and isinstance(first, tuple) and first[0] == 0 and self.is_padding(first[1])

    def parts(self) -> Iterator[bytes | Bulk]:
        """The kept bytes, padded to even length."""
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                yield from self._stream.ranges(*piece)
        if self.size % 2:
            yield b"\0"
