"""The items of encapsulated Pixel Data (PS3.5 A.4): offset tables, fragments, and the frames that these make."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sendit.deid.pixels.selection import PIXEL_DATA, Fragment
from sendit.deid.pixels.syntaxes import Codec
from sendit.deid.stream.encodings import Encoding
from sendit.deid.stream.sources import HEADER_LIMIT, Source
from sendit.deid.stream.tags import ITEM
from sendit.errors import DataFault

ITEM_HEAD_BYTES = 8


@dataclass(frozen=True, slots=True)
class Fragments:
    """What stands in the items: the Basic Offset Table's bytes, and the fragments behind it."""

    table: bytes
    fragments: list[Fragment]


def read_fragments(source: Source, offset: int, end: int, encoding: Encoding) -> Fragments | None:
    """The items from `offset` on, up to the delimiter before `end`; None where there is no item.

    The rewriting walk has proven already that they are items.
    """
    items: list[Fragment] = []
    unpack = struct.Struct(encoding.order + "HHI").unpack
    while offset < end - ITEM_HEAD_BYTES:
        group, element, size = unpack(source.read(offset, ITEM_HEAD_BYTES))
        if group << 16 | element != ITEM:
            raise DataFault("BadSequence", tag=PIXEL_DATA)
        offset += ITEM_HEAD_BYTES
        items.append((offset, size))
        offset += size
    if not items:
        return None
    begin, size = items.pop(0)
    if size > HEADER_LIMIT:
        raise DataFault("TooLarge", tag=PIXEL_DATA)
    return Fragments(source.read(begin, size), items)


def by_table(fragments: Sequence[Fragment], offsets: Sequence[int], frames: int | None) -> list[list[Fragment]] | None:
    """The frames that a table of offsets tells; None where it is no such table."""
    if not offsets or not fragments or (frames is not None and len(offsets) != frames):
        return None
    first = fragments[0][0]
    index = {begin - first: number for number, (begin, _) in enumerate(fragments)}
    try:
        starts = [index[offset] for offset in offsets]
    except KeyError:
        return None
    if starts[0] or any(start >= after for start, after in pairwise(starts)):
        return None
    return [list(fragments[start:after]) for start, after in pairwise([*starts, len(fragments)])]


def without_table(
    source: Source, fragments: list[Fragment], codec: Codec, frames: int | None
) -> tuple[list[list[Fragment]], int]:
    """The frames where no table tells them, and how many fragments belong to none."""
    if frames == len(fragments) or codec.begins is None:
        groups = [[fragment] for fragment in fragments]
        return groups[:frames], max(len(fragments) - (frames or len(fragments)), 0)
    groups, spare = [], 0
    for begin, size in fragments:
        if codec.begins.match(source.read(begin, min(size, 8))):
            groups.append([(begin, size)])
        elif groups:
            groups[-1].append((begin, size))
        else:
            spare += 1
    if not groups:  # a first marker that is split between fragments, or no picture at all
        return [fragments], 0
    return groups[:frames], spare + len([part for group in groups[frames or len(groups) :] for part in group])


def whole_range(group: Sequence[Fragment]) -> tuple[int, int]:
    """Where the items of a frame begin, and where they end."""
    return group[0][0] - ITEM_HEAD_BYTES, sum(group[-1])


def offsets_of(sizes: Sequence[int]) -> Iterator[int]:
    """Where frames of so many bytes, with their items' heads, begin."""
    position = 0
    for size in sizes:
        yield position
        position += size
