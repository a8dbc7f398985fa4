"""JPEG 2000 (ISO 15444-1, -2) and High-Throughput JPEG 2000 (ISO 15444-15): codestream, and boxes around it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sendit.deid.pixels.image_pixel import ImagePixel
from sendit.deid.pixels.selection import Codestream, Selection, Spare, bad_pixel_data

SOC, SOT, SOD, EOC, COM = 0xFF4F, 0xFF90, 0xFF93, 0xFFD9, 0xFF64
SEGMENTS = frozenset(
    0xFF00 | code
    for code in (
        0x50, 0x51, 0x52, 0x53, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x63,
        0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79,
    )
)  # fmt: skip
"""CAP, SIZ, COD, COC, TLM, PRF, PLM, PLT, CPF, QCD, QCC, RGN, POC, PPM, PPT, CRG, and those of Part 2."""
SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
FILE_TYPE = b"\0\0\0\x14ftypjp2 \0\0\0\0jp2 "
HEADER_BOXES = frozenset({b"ihdr", b"bpcc", b"colr", b"pclr", b"cmap", b"cdef"})
"""What decoding needs of a JP2 Header box."""
HEADER_BOX_BYTES = 4 * 1024 * 1024

_END = re.compile(rb"\xff\xd9")


def walk(stream: Codestream, kept: Selection, pixel: ImagePixel | None) -> None:
    """Keep a codestream without its comments, and of boxes around it those that decoding needs."""
    if stream.read(0, 4)[:2] == b"\xff\x4f":
        kept.end(_codestream(stream, kept, 0, stream.size))
    elif stream.read(0, 12) == SIGNATURE:
        _boxes(stream, kept)
    else:
        raise bad_pixel_data()


# ---------------------------------------------------------------------------------------------- codestream


def _codestream(stream: Codestream, kept: Selection, begin: int, limit: int) -> int:
    """Keep the codestream from `begin`; returns where it ends."""
    kept.keep(begin, begin + 2)
    pos = _main_header(stream, kept, begin + 2, limit)
    while pos < limit - 1:
        marker = stream.number(pos, 2)
        if marker == EOC:
            kept.keep(pos, pos + 2)
            return pos + 2
        if marker != SOT:
            if stream.read(pos, min(limit - pos, 64)).strip(b"\0"):
                raise bad_pixel_data()
            return pos  # zeros in the place of EOC
        pos = _tile_part(stream, kept, pos, limit)
    return pos


def _main_header(stream: Codestream, kept: Selection, pos: int, limit: int) -> int:
    """Keep the main header's segments but for comments; where the first tile-part or the end marker stands."""
    while True:
        marker = stream.number(pos, 2)
        if marker in (SOT, EOC):
            return pos
        end = _segment_end(stream, pos, marker, limit)
        if marker in SEGMENTS:
            kept.keep_table(pos, end)
        else:
            kept.drop(Spare.COMMENT if marker == COM else Spare.APPLICATION)
        pos = end


def _segment_end(stream: Codestream, pos: int, marker: int, limit: int) -> int:
    end = pos + 2 + stream.number(pos + 2, 2)
    if marker <= 0xFF4F or SOT <= marker <= SOD or not pos + 4 <= end <= limit:
        raise bad_pixel_data()
    return end


def _tile_part(stream: Codestream, kept: Selection, begin: int, limit: int) -> int:
    """Keep a tile-part; a comment in its header is emptied in its place, so that lengths stay true."""
    if stream.number(begin + 2, 2) != 10:
        raise bad_pixel_data()
    size = stream.number(begin + 6, 4)
    if begin + size > limit < stream.size:  # it would end in another box
        raise bad_pixel_data()
    end = min(begin + size, limit) if size else _last_part_end(stream, begin, limit)
    pos = begin + 12
    kept.keep_table(begin, pos)
    while (marker := stream.number(pos, 2)) != SOD:
        after = _segment_end(stream, pos, marker, min(end, limit))
        if marker in SEGMENTS:
            kept.keep_table(pos, after)
        else:
            _empty(stream, kept, pos, after)
        pos = after
    if end < pos + 2:
        raise bad_pixel_data()
    kept.keep(pos, pos + 2)
    kept.keep_coded(pos + 2, end)
    return end


def _empty(stream: Codestream, kept: Selection, pos: int, end: int) -> None:
    """Put a comment of zeros in the place of a segment that is not needed."""
    content = stream.read(pos + 4, end - pos - 4)
    emptied = stream.read(pos + 2, 2) + bytes(len(content))
    if content.strip(b"\0") or stream.number(pos, 2) != COM:
        kept.drop(Spare.COMMENT)
        kept.write(COM.to_bytes(2, "big") + emptied)
    else:
        kept.keep(pos, end)


def _last_part_end(stream: Codestream, begin: int, limit: int) -> int:
    """Where a tile-part without a length ends: at the end marker, which coded data cannot contain."""
    end = stream.search(_END, begin + 12)
    return end if 0 <= end < limit else limit


# ---------------------------------------------------------------------------------------------- boxes


def _boxes(stream: Codestream, kept: Selection) -> None:
    has_codestream = False
    for kind, begin, content, end in _children(stream, 0, stream.size):
        if kind == b"jP  ":
            kept.keep(begin, end)
        elif kind == b"ftyp":
            if stream.read(begin, end - begin) == FILE_TYPE:
                kept.keep(begin, end)
            else:
                kept.write(FILE_TYPE)
        elif kind == b"jp2h":
            _header_box(stream, kept, begin, content, end)
        elif kind == b"jp2c" and not has_codestream:
            has_codestream = True
            _codestream_box(stream, kept, begin, content, end)
        elif kind or not kept.is_padding(begin):
            kept.drop(Spare.BOX if kind else Spare.TAIL)
    if not has_codestream:
        raise bad_pixel_data()


def _children(stream: Codestream, pos: int, limit: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Each box: kind, where it, its content and what follows begin; bytes that are none have the kind b""."""
    while pos < limit:
        head = stream.read(pos, 16)
        size, kind, content = int.from_bytes(head[:4], "big"), head[4:8], pos + 8
        if size == 1:
            size, content = int.from_bytes(head[8:16], "big"), pos + 16
        end = pos + size if size else limit
        if len(head) < 8 or end < content or (end > limit and kind != b"jp2c"):
            yield b"", pos, pos, limit
            return
        yield kind, pos, content, min(end, limit)
        pos = end


def _header_box(stream: Codestream, kept: Selection, begin: int, content: int, end: int) -> None:
    """Keep a JP2 Header box with the boxes that decoding needs."""
    if end - begin > HEADER_BOX_BYTES:
        raise bad_pixel_data()
    boxes = list(_children(stream, content, end))
    needed = [box for box in boxes if box[0] in HEADER_BOXES]
    if len(needed) == len(boxes):
        kept.keep_text(begin, end)
        return
    kept.drop(Spare.BOX)
    kept.write((8 + sum(after - first for _, first, _, after in needed)).to_bytes(4, "big") + b"jp2h")
    for _, first, _, after in needed:
        kept.keep_text(first, after)


def _codestream_box(stream: Codestream, kept: Selection, begin: int, content: int, end: int) -> None:
    """Keep a Contiguous Codestream box, whose length becomes that of what is left in it."""
    if stream.read(content, 2) != b"\xff\x4f":
        raise bad_pixel_data()
    inner = Selection(stream, kept.witness)
    finish = _codestream(stream, inner, content, end)
    size = content - begin + inner.size
    if size == end - begin or (inner.size == finish - content and kept.is_padding(finish)):
        kept.keep(begin, content)
    else:
        kept.write((8 + inner.size).to_bytes(4, "big") + b"jp2c")
        if finish < end:
            kept.drop(Spare.TAIL)
    kept.add(inner)
