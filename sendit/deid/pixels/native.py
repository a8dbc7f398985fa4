"""Encapsulated Uncompressed (PS3.5 A.4.11): a frame is as long as the Image Pixel Module says."""

from __future__ import annotations

from sendit.deid.pixels.image_pixel import ImagePixel
from sendit.deid.pixels.selection import Codestream, Selection, bad_pixel_data


def walk(stream: Codestream, kept: Selection, pixel: ImagePixel | None) -> None:
    """Keep a frame's bytes."""
    if pixel is None:
        raise bad_pixel_data()
    end = min(pixel.frame_bytes(), stream.size)
    kept.keep(0, end)
    kept.end(end)
