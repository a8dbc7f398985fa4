"""RLE Lossless (PS3.5 Annex G): the segments of a frame, each as long as its pixels need."""

from __future__ import annotations

import struct

from sendit.deid.pixels.image_pixel import ImagePixel
from sendit.deid.pixels.selection import PIXEL_DATA, Codestream, Selection, Spare, bad_pixel_data
from sendit.deid.stream.sources import HEADER_LIMIT
from sendit.errors import DataFault

HEADER_BYTES, MOST_SEGMENTS = 64, 15
_HEADER = struct.Struct("<16L")


def walk(stream: Codestream, kept: Selection, pixel: ImagePixel | None) -> None:
    """Keep of each segment what decodes to the frame's pixels, behind a header that says where they then are."""
    header = stream.read(0, HEADER_BYTES)
    if pixel is None or len(header) < HEADER_BYTES:
        raise bad_pixel_data()
    count, *offsets = _HEADER.unpack(header)
    if not 1 <= count <= MOST_SEGMENTS or count != pixel.samples_per_pixel * max(pixel.bits_allocated // 8, 1):
        raise bad_pixel_data()
    bounds = list(_segments(stream, offsets[:count], pixel))
    position, places = HEADER_BYTES, []
    for begin, end in bounds:
        places.append(position)
        position += end - begin + (end - begin) % 2
    written = _HEADER.pack(count, *places, *[0] * (MOST_SEGMENTS - count))
    if written == header:
        kept.keep_table(0, HEADER_BYTES)
    else:
        kept.drop(Spare.RLE_HEADER)
        kept.write(written)
    for begin, end in bounds:
        _keep_segment(stream, kept, begin, end)
    kept.end(max(end for _, end in bounds))


def _segments(stream: Codestream, offsets: list[int], pixel: ImagePixel) -> list[tuple[int, int]]:
    """Where each segment begins, and where the last run that its pixels need ends."""
    pixels = pixel.rows * pixel.columns
    wanted = (pixels + 7) // 8 if pixel.bits_allocated == 1 else pixels
    found, limits = [], [*offsets[1:], stream.size]
    for begin, limit in zip(offsets, limits, strict=True):
        if not HEADER_BYTES <= begin <= limit <= stream.size:
            raise bad_pixel_data()
        if limit - begin > HEADER_LIMIT:
            raise DataFault("TooLarge", tag=PIXEL_DATA)
        found.append((begin, begin + runs_end(stream.read(begin, limit - begin), wanted)))
    return found


def runs_end(data: bytes, wanted: int) -> int:
    """Where the runs end that decode to so many bytes (PS3.5 G.3.2); the end of the data where they are fewer."""
    pos, size = 0, len(data)
    while wanted > 0 and pos < size:
        control = data[pos]
        if control < 128:
            pos += control + 2
            wanted -= control + 1
        elif control > 128:
            pos += 2
            wanted -= 257 - control
        else:
            pos += 1
    return min(pos, size)


def _keep_segment(stream: Codestream, kept: Selection, begin: int, end: int) -> None:
    """Keep a segment, with its byte of padding where that is a zero, else with one of our own."""
    if (end - begin) % 2 == 0:
        kept.keep_coded(begin, end)
    elif stream.read(end, 1) == b"\0":
        kept.keep_coded(begin, end + 1)
    else:
        kept.keep_coded(begin, end)
        kept.write(b"\0")
