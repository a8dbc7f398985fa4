"""Which walk reads the frames of a transfer syntax (PS3.5 section 10 and Annex A)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sendit.deid.pixels import deflated, jpeg, jpeg2000, native, rle
from sendit.deid.pixels.image_pixel import ImagePixel
from sendit.deid.pixels.selection import Codestream, Selection

Walk = Callable[[Codestream, Selection, ImagePixel | None], None]
"""Keeps what is picture of one frame; BadPixelData where it cannot be told."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How frames are told from each other and walked.

    Parameters
    ----------
    walk : callable
    begins : pattern, optional
        What a frame's first bytes are; None where a frame is one fragment and always has been.
    """

    walk: Walk
    begins: re.Pattern[bytes] | None = None


JPEG = Codec(jpeg.walk, re.compile(rb"\xff\xd8"))
JPEG_2000 = Codec(jpeg2000.walk, re.compile(rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  "))
RLE = Codec(rle.walk)
NATIVE = Codec(native.walk)
DEFLATED = Codec(deflated.walk)

_STILL = "1.2.840.10008.1.2"
CODECS: dict[str, Codec] = {
    **{f"{_STILL}.4.{number}": JPEG for number in (*range(50, 67), 70, 80, 81)},
    **{f"{_STILL}.4.{number}": JPEG_2000 for number in (90, 91, 92, 93, 201, 202, 203)},
    f"{_STILL}.5": RLE,
    f"{_STILL}.1.98": NATIVE,
    f"{_STILL}.8.1": DEFLATED,
}
"""By transfer syntax. What is not here (MPEG-2, MPEG-4, HEVC, SMPTE ST 2110, JPEG XL) is passed on as it is, and all
of it is searched."""
