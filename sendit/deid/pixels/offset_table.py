"""The Extended Offset Table (PS3.3 C.7.6.3.1.8): two or three elements before Pixel Data, of which all or none stay."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from sendit.deid.pixels.selection import PIXEL_DATA
from sendit.deid.stream.elements import elements
from sendit.deid.stream.encodings import Encoding
from sendit.deid.stream.heads import FLAT
from sendit.deid.stream.sources import HEADER_LIMIT, Bulk, Source
from sendit.errors import DataFault

OFFSETS, LENGTHS, TOTAL_LENGTH = 0x7FE00001, 0x7FE00002, 0x7FE00003
TAGS = frozenset({OFFSETS, LENGTHS, TOTAL_LENGTH})


@dataclass(frozen=True, slots=True)
class ExtendedTable:
    """The elements as they came in, and their encoded values by tag."""

    pieces: tuple[bytes, ...]
    values: dict[int, bytes]

    def offsets(self, encoding: Encoding) -> tuple[int, ...]:
        return numbers(self.values.get(OFFSETS, b""), 8, encoding)

    def tells(self, offsets: Sequence[int], sizes: Sequence[tuple[int, int]], encoding: Encoding) -> bool:
        """Whether it tells these offsets and, for each frame, one of these lengths: without padding, or with it."""
        lengths = numbers(self.values.get(LENGTHS, b""), 8, encoding)
        return (
            list(self.offsets(encoding)) == offsets
            and len(lengths) == len(sizes)
            and all(length in size for length, size in zip(lengths, sizes, strict=True))
        )

    def written(self, offsets: Sequence[int], lengths: Sequence[int], encoding: Encoding) -> bytes:
        """The elements with other values; the total length, which is Type 3, is left out."""
        form = f"{encoding.order}{len(offsets)}Q"
        first = encoding.write(OFFSETS, "OV", struct.pack(form, *offsets))
        return first + encoding.write(LENGTHS, "OV", struct.pack(form, *lengths))


def numbers(table: bytes, size: int, encoding: Encoding) -> tuple[int, ...]:
    """The numbers of a table, of 4 or 8 bytes each; none where it is no such table."""
    if len(table) % size:
        return ()
    return struct.unpack(f"{encoding.order}{len(table) // size}{'L' if size == 4 else 'Q'}", table)


def take_extended(pieces: list[bytes | Bulk], encoding: Encoding, source: Source) -> ExtendedTable | None:
    """Take the table's elements from the pieces before Pixel Data, where there is one."""
    taken: list[bytes] = []
    while pieces and (found := _table_in(pieces[-1], encoding, source)):
        rest, table = found
        pieces.pop()
        taken.insert(0, table)
        if rest:
            pieces.append(rest)
            break
    joined = b"".join(taken)
    values = {
        tag: joined[begin:end] for tag, _, _, _, begin, end, _ in elements(joined, 0, len(joined), FLAT[encoding])
    }
    return ExtendedTable(tuple(taken), values) if taken else None


def _table_in(piece: bytes | Bulk, encoding: Encoding, source: Source) -> tuple[bytes, bytes] | None:
    """What stands before the table's elements in a piece, and these; None where there are none in it."""
    if isinstance(piece, Bulk):
        if piece.tag not in TAGS:
            return None
        if piece.length > HEADER_LIMIT:
            raise DataFault("TooLarge", tag=PIXEL_DATA)
        return b"", piece.head + source.read(piece.offset, piece.length)
    if not any(encoding.mark(tag)[:4] in piece for tag in TAGS):
        return None
    for tag, _, _, pos, _, _, _ in elements(piece, 0, len(piece), FLAT[encoding]):
        if tag in TAGS:
            return piece[:pos], piece[pos:]
    return None
