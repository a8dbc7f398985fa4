"""Where a sequence or encapsulated pixel data ends that is not held in memory: only heads are read."""

from __future__ import annotations

import struct

from sendit.deid.stream.elements import DEPTH_LIMIT
from sendit.deid.stream.encodings import UNDEFINED, Encoding, encoding_inside, long_length
from sendit.deid.stream.sources import Source
from sendit.deid.stream.tags import ITEM, ITEM_END, SEQUENCE_END
from sendit.deid.stream.values import LONG_VRS, VRS
from sendit.errors import DataFault


def sequence_end(source: Source, offset: int, encoding: Encoding) -> int:
    """Where a sequence of undefined length whose items begin at `offset` ends, the delimiter included."""
    opened = [encoding]  # a sequence, an item in it, a sequence in that, and so on
    while opened:
        encoding, head = opened[-1], source.read(offset, 12)
        if len(head) < 8 or offset > source.size:
            raise DataFault("Truncated")
        tag, size = encoding.tag(head[:4]), encoding.length(head, 4)[0]
        if tag == (SEQUENCE_END if len(opened) % 2 else ITEM_END):
            opened.pop()
            offset += 8
        elif len(opened) % 2 == 0:
            offset = _past_element(source, offset, head, opened)
        elif tag != ITEM:
            raise DataFault("BadSequence", tag=tag)
        elif size == UNDEFINED:
            opened.append(encoding)
            offset += 8
        else:
            offset += 8 + size
        if len(opened) > 2 * DEPTH_LIMIT:
            raise DataFault("TooDeep")
    return offset


def _past_element(source: Source, offset: int, head: bytes, opened: list[Encoding]) -> int:
    """Where the element at `offset` ends, or its items begin if its length is undefined."""
    encoding = opened[-1]
    written, begin = "", 8
    size = encoding.length(head, 4)[0]
    if not encoding.implicit:
        written = head[4:6].decode("latin-1")
        if written not in VRS:
            raise DataFault("BadElement", tag=encoding.tag(head[:4]))
        if written in LONG_VRS:
            begin, size = 12, long_length(head, 8, encoding.order)
        else:
            size = encoding.head(head, 0)[1]
    if size != UNDEFINED:
        return offset + begin + size
    if written in ("OB", "OW"):
        return fragments_end(source, offset + begin, encoding)
    opened.append(encoding_inside(written, encoding))
    return offset + begin


def fragments_end(source: Source, offset: int, encoding: Encoding) -> int:
    """Where encapsulated Pixel Data whose items begin at `offset` end, the delimiter included (PS3.5 A.4)."""
    while True:
        head = source.read(offset, 8)
        if len(head) < 8:
            raise DataFault("Truncated", tag=0x7FE00010)
        group, element, size = struct.unpack(encoding.order + "HHI", head)
        offset += 8
        if (group, element, size) == (0xFFFE, 0xE0DD, 0):
            return offset
        if (group, element) != (0xFFFE, 0xE000) or size == UNDEFINED:
            raise DataFault("BadSequence", tag=0x7FE00010)
        offset += size
        if offset > source.size:
            raise DataFault("Truncated", tag=0x7FE00010)
