"""Where text is in a picture: what PP-OCRv4 finds at two sizes, united, less what cannot be text."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np

from sendit.deid.burned_in.looking.networks import NAME, LineNetwork, ReadingNetwork, Sides
from sendit.deid.burned_in.looking.rendering import Pixels
from sendit.deid.burned_in.record import Box

SIDES = (512, 736)
"""The shorter side, in pixels, that smaller pictures are enlarged to."""
MOST_ENLARGED, MOST_PIXELS = 8, 1_500_000
"""How often a picture is enlarged at most, and the pixels that it may have then."""
TILE, OVERLAP = 1216, 192
"""A picture of more pixels is looked at in squares of that side, which have so much in common with their neighbours."""
MARGIN = 3
"""Pixels that a rectangle is grown by: the detector's are tight."""
LENGTHENED = 14
"""Pixels that a line grows by at each end, at most by its thickness: its first or last character is often missed."""
LINE = 2.5
"""What is so many times as long as it is thick is a line of text, unless it is thicker than THICKEST pixels."""
THICKEST = 64
SMALL = 20
"""Pixels: what is not thicker is text, too."""
OF_SIDE = 512
"""LENGTHENED and SMALL are for a picture whose shorter side has so many pixels or more; of others they are a part."""
ONE, MORE = 0.8, 0.35
"""How sure the recogniser is of all else that counts, if it reads one character, or several: anatomy looks like one."""
READ_AT = 24
"""Pixels: a large find is also read when it is so high; coarse dots become strokes then."""
LEGIBLE = 0.5
"""How sure the recogniser is, in the proof, of something that is left."""
UPRIGHT = 1.5
"""What is so many times higher than it is wide is also read from the side."""


class PaddleTextDetector:
    """PP-OCRv4 mobile in ONNX Runtime, one thread, as rapidocr-onnxruntime ships it."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._lines, self._reading = LineNetwork(), ReadingNetwork()

    @property
    def name(self) -> str:
        """Its name and version."""
        return NAME

    def boxes(self, picture: Pixels, *, thorough: bool) -> list[Box]:
        """Return rectangles around all text."""
        sides = [side for side in SIDES if side == SIDES[0] or (thorough and min(picture.shape[:2]) < side)]
        return [
            box._replace(left=left + box.left, top=top + box.top, right=left + box.right, bottom=top + box.bottom)
            for left, top, tile in _tiles(picture)
            for side in sides
            for box in self._finds(tile, side)
        ]

    def _finds(self, picture: Pixels, side: int) -> Iterator[Box]:
        rows, columns = picture.shape[:2]
        part = min(1.0, min(rows, columns) / OF_SIDE)
        for quad in self._lines.quads(picture, _limited(side, rows, columns)):
            sides, box = Sides.of(quad), _around(quad)
            if _is_line(sides):
                yield _lengthened(box, math.ceil(min(sides.short, LENGTHENED * part)))
            elif sides.short <= SMALL * part or self._is_read(picture, box):
                yield box

    def _is_read(self, picture: Pixels, box: Box) -> bool:
        """Whether the recogniser reads something in a large find."""
        crop = _crop(picture, box)
        factor = READ_AT / max(min(crop.shape[:2]), READ_AT)
        small = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        first, *others = (one for seen in (crop, small) for one in _turned(seen, 1.0))
        reading = self._reading.read(first)
        if reading.confidence >= (ONE if reading.characters == 1 else MORE) and reading.characters:
            return True
        return any(one.confidence >= MORE and one.characters > 1 for one in map(self._reading.read, others))

    def read(self, picture: Pixels, box: Box) -> tuple[str, float]:
        """Return what stands in a rectangle of a picture."""
        text, confidence = self._reading.read(_crop(picture, box))
        return text, confidence

    def is_legible(self, picture: Pixels, box: Box) -> bool:
        """Return whether letters or digits can be read in a rectangle of a picture."""
        readings = map(self._reading.read, _turned(_crop(picture, box), UPRIGHT))
        return any(one.confidence >= LEGIBLE and one.characters for one in readings)


def _is_line(sides: Sides) -> bool:
    return sides.long >= LINE * sides.short and sides.short <= THICKEST


def _tiles(picture: Pixels) -> Iterator[tuple[int, int, Pixels]]:
    """Yield the parts of a picture that are looked at by themselves, with the column and row at which they begin."""
    rows, columns = picture.shape[:2]
    if rows * columns <= MOST_PIXELS:
        yield 0, 0, picture
        return
    for top in _begins(rows):
        for left in _begins(columns):
            yield left, top, picture[top : top + TILE, left : left + TILE]


def _begins(length: int) -> list[int]:
    """Where the tiles along one side begin: evenly, and overlapping."""
    count = max(math.ceil((length - OVERLAP) / (TILE - OVERLAP)), 1)
    return [round(number * (length - TILE) / max(count - 1, 1)) if count > 1 else 0 for number in range(count)]


def _turned(crop: Pixels, upright: float) -> Iterator[Pixels]:
    """Yield what may be a line as it is, and from both sides if it is that much higher than wide."""
    yield crop
    if crop.shape[0] > upright * crop.shape[1]:
        yield np.rot90(crop)
        yield np.rot90(crop, 3)


def _crop(picture: Pixels, box: Box) -> Pixels:
    inside = box.within(*picture.shape[:2])
    return picture[inside.top : inside.bottom, inside.left : inside.right]


def _limited(side: int, rows: int, columns: int) -> int:
    """The shorter side that a picture is enlarged to: of a narrow one less, which would become very long."""
    shorter, longer = sorted((rows, columns))
    most = min(MOST_ENLARGED * shorter, math.isqrt(MOST_PIXELS * shorter // longer))
    return max(min(side, most), 32) if shorter < side else side


def _around(quad: Pixels) -> Box:
    (left, top), (right, bottom) = np.floor(quad.min(0)), np.ceil(quad.max(0)) + 1
    return Box(int(left), int(top), int(right), int(bottom)).grown(MARGIN)


def _lengthened(box: Box, more: int) -> Box:
    if box.right - box.left >= box.bottom - box.top:
        return box._replace(left=box.left - more, right=box.right + more)
    return box._replace(top=box.top - more, bottom=box.bottom + more)
