"""Deflated Image Frame Compression (PS3.5 A.4.13): a frame ends where its deflated stream does."""

from __future__ import annotations

import zlib

from sendit.deid.pixels.image_pixel import ImagePixel
from sendit.deid.pixels.selection import Codestream, Selection, bad_pixel_data
from sendit.deid.stream.sources import CHUNK


def walk(stream: Codestream, kept: Selection, pixel: ImagePixel | None) -> None:
    """Keep the deflated stream, which must give a frame and no more."""
    if pixel is None:
        raise bad_pixel_data()
    end = _deflated_end(stream, pixel.frame_bytes())
    kept.keep(0, end)
    kept.end(end)


def _deflated_end(stream: Codestream, most: int) -> int:
    inflate, pos = zlib.decompressobj(-zlib.MAX_WBITS), 0
    most += most % 2
    while not inflate.eof and pos < stream.size:
        held = stream.read(pos, min(CHUNK, stream.size - pos))
        pos += len(held)
        while held and not inflate.eof:
            try:
                most -= len(inflate.decompress(held, CHUNK))
            except zlib.error:
                raise bad_pixel_data() from None
            if most < 0:
                raise bad_pixel_data()
            held = inflate.unconsumed_tail
    if not inflate.eof:
        raise bad_pixel_data()
    return pos - len(inflate.unused_data)
