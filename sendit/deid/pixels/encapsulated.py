"""Encapsulated Pixel Data (PS3.5 A.4) put together from the frames that were kept, with offset tables that are true."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sendit.deid.pixels.fragments import (
    ITEM_HEAD_BYTES,
    Fragments,
    by_table,
    offsets_of,
    read_fragments,
    whole_range,
    without_table,
)
from sendit.deid.pixels.image_pixel import ImagePixel
from sendit.deid.pixels.offset_table import ExtendedTable, numbers, take_extended
from sendit.deid.pixels.selection import PIXEL_DATA, Codestream, Fragment, Selection, Spare, Witness
from sendit.deid.pixels.syntaxes import Codec
from sendit.deid.stream.encodings import Encoding
from sendit.deid.stream.sources import Bulk, Source
from sendit.deid.stream.tags import ITEM, SEQUENCE_END
from sendit.errors import DataFault

LONGEST_FRAGMENT = LAST_OFFSET = 0xFFFFFFFE

Part = bytes | Bulk


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of the output: what its items are put together from, their bytes, and those of its codestream."""

    parts: tuple[Part, ...]
    size: int
    stream_size: int
    is_whole: bool


class Encapsulated:
    """The frames of one element.

    Parameters
    ----------
    bulk : Bulk
        The element; its value are the items, with the delimiter.
    source : Source
    encoding : Encoding
    witness : callable

    Attributes
    ----------
    dropped : set of Spare
        The kinds of what was dropped.
    """

    __slots__ = ("_bulk", "_encoding", "_source", "_witness", "dropped")

    def __init__(self, bulk: Bulk, source: Source, encoding: Encoding, witness: Witness) -> None:
        self._bulk, self._source, self._encoding, self._witness = bulk, source, encoding, witness
        self.dropped: set[Spare] = set()

    def picture(self, pixel: ImagePixel | None, codec: Codec, frames: int | None, before: list[bytes | Bulk]) -> Bulk:
        """The element of what is picture; an extended offset table among the pieces before it becomes true again."""
        bulk = self._bulk
        items = read_fragments(self._source, bulk.offset, bulk.offset + bulk.length, self._encoding)
        if items is None:
            return bulk
        extended = take_extended(before, self._encoding, self._source)
        groups, spare, by = self._groups(items, codec, frames, extended)
        kept = [self._frame(group, pixel, codec) for group in groups]
        if spare:
            self.dropped.add(Spare.FRAGMENT)
        table = self._basic_table(kept) if by is items else b""
        if table != items.table:
            self.dropped.add(Spare.OFFSETS)
        if extended is not None:
            self._put_extended(extended, kept, before, is_true=by is extended)
        if table == items.table and not spare and all(frame.is_whole for frame in kept):
            return bulk
        parts = list(_joined([self._encoding.mark(ITEM, len(table)) + table], *(frame.parts for frame in kept)))
        parts = list(_joined(parts, [self._encoding.mark(SEQUENCE_END)]))
        length = sum(len(part) if isinstance(part, bytes) else part.length for part in parts)
        return Bulk(bulk.tag, bulk.head, 0, length, tuple(parts))

    def _groups(
        self, items: Fragments, codec: Codec, frames: int | None, extended: ExtendedTable | None
    ) -> tuple[list[list[Fragment]], int, Fragments | ExtendedTable | None]:
        """The fragments of each frame, how many belong to none, and by which table that was told."""
        groups = by_table(items.fragments, numbers(items.table, 4, self._encoding), frames)
        if groups is not None:
            return groups, 0, items
        if extended is not None and not items.table:
            groups = by_table(items.fragments, extended.offsets(self._encoding), frames)
            if groups is not None:
                return groups, 0, extended
        return *without_table(self._source, items.fragments, codec, frames), None

    def _frame(self, group: Sequence[Fragment], pixel: ImagePixel | None, codec: Codec) -> Frame:
        stream = Codestream(self._source, group)
        kept = Selection(stream, self._witness)
        if stream.size:
            codec.walk(stream, kept, pixel)
        self.dropped |= kept.dropped
        if kept.is_whole and not any(size % 2 for _, size in group):
            begin, end = whole_range(group)
            return Frame((Bulk(PIXEL_DATA, b"", begin, end - begin),), end - begin, kept.size, True)
        padded = kept.size + kept.size % 2
        if padded > LONGEST_FRAGMENT:
            raise DataFault("TooLarge", tag=PIXEL_DATA)
        parts = _joined([self._encoding.mark(ITEM, padded)], kept.parts())
        return Frame(tuple(parts), ITEM_HEAD_BYTES + padded, kept.size, False)

    def _basic_table(self, frames: Sequence[Frame]) -> bytes:
        """The Basic Offset Table; empty where an offset does not fit."""
        offsets = list(offsets_of([frame.size for frame in frames]))
        if offsets[-1] > LAST_OFFSET:
            return b""
        return struct.pack(f"{self._encoding.order}{len(offsets)}L", *offsets)

    def _put_extended(
        self, extended: ExtendedTable, frames: Sequence[Frame], before: list[bytes | Bulk], *, is_true: bool
    ) -> None:
        """Put the extended table back; with other values where frames are others, not at all where it was none."""
        sizes = [(frame.stream_size, frame.size - ITEM_HEAD_BYTES) for frame in frames]
        offsets = list(offsets_of([frame.size for frame in frames]))
        if is_true and extended.tells(offsets, sizes, self._encoding):
            before.extend(extended.pieces)
            return
        self.dropped.add(Spare.OFFSETS)
        if is_true:
            before.append(extended.written(offsets, [size for size, _ in sizes], self._encoding))


def _joined(*runs: Iterable[Part]) -> Iterator[Part]:
    """The parts in order; ranges that follow each other in the source are one, and so are neighbouring bytes."""
    last: Part = b""
    for part in (part for run in runs for part in run):
        if isinstance(part, bytes) and isinstance(last, bytes):
            last += part
        elif isinstance(part, Bulk) and isinstance(last, Bulk) and last.offset + last.length == part.offset:
            last = Bulk(PIXEL_DATA, b"", last.offset, last.length + part.length)
        else:
            if last:
                yield last
            last = part
    if last:
        yield last
