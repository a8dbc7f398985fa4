"""Where the pixels of a rectangle are in an uncompressed frame, and what black is there (PS3.3 C.7.6.3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sendit.deid.burned_in.picture import Picture
from sendit.deid.burned_in.record import Box

GRAY = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})
COLOR = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"})
CHROMA = frozenset({"YBR_FULL", "YBR_FULL_422"})


@dataclass(frozen=True, slots=True)
class Plane:
    """Samples that stand together: where they begin, bytes of a row and of a pixel, and a black pixel."""

    begin: int
    row_bytes: int
    pixel_bytes: int
    black: bytes


@dataclass(frozen=True, slots=True)
class Layout:
    """An uncompressed frame.

    Parameters
    ----------
    planes : tuple of Plane
    frame_bytes : int
    step : int
        Columns that share samples: rectangles are widened to whole ones.
    swapped : bool
        Whether the bytes of each word stand in the other order.
    """

    planes: tuple[Plane, ...]
    frame_bytes: int
    step: int = 1
    swapped: bool = False

    def blank(self, frame: bytearray, boxes: Iterable[Box]) -> None:
        """Blank the rectangles of a frame."""
        if self.swapped:
            frame[::2], frame[1::2] = frame[1::2], frame[::2]
        for box in boxes:
            for plane in self.planes:
                self._blank(frame, box, plane)
        if self.swapped:
            frame[::2], frame[1::2] = frame[1::2], frame[::2]

    def _blank(self, frame: bytearray, box: Box, plane: Plane) -> None:
        left, right = box.left // self.step, -(-box.right // self.step)
        fill = plane.black * (right - left)
        for row in range(box.top, box.bottom):
            at = plane.begin + row * plane.row_bytes + left * plane.pixel_bytes
            frame[at : at + len(fill)] = fill


def layout_of(picture: Picture, given: int) -> Layout | None:
    """Return how the frames of a picture stand in `given` bytes; None where that is not known.

    Parameters
    ----------
    picture : Picture
    given : int
        The bytes of all frames. Chrominance that is said to be halved is sometimes there in full.
    """
    if picture.bits_allocated not in (8, 16, 32) or picture.photometric not in GRAY | COLOR:
        return None
    if picture.samples != (1 if picture.photometric in GRAY else 3):
        return None
    whole = picture.rows * picture.columns * picture.samples * picture.bits_allocated // 8
    if picture.photometric == "YBR_FULL_422" and given < whole * picture.frames:
        return _halved(picture, whole // 3 * 2) if given >= whole // 3 * 2 * picture.frames else None
    if given < whole * picture.frames or (picture.swapped and whole % 2):
        return None
    return Layout(tuple(_planes(picture)), whole, swapped=picture.swapped)


def _halved(picture: Picture, frame_bytes: int) -> Layout | None:
    """Two pixels are Y, Y, Cb, Cr (PS3.3 C.7.6.3.1.2)."""
    if picture.bits_allocated != 8 or picture.columns % 2 or picture.planar:
        return None
    plane = Plane(0, picture.columns * 2, 4, bytes((0, 0, 128, 128)))
    return Layout((plane,), frame_bytes, step=2, swapped=picture.swapped)


def _planes(picture: Picture) -> Iterable[Plane]:
    size = picture.bits_allocated // 8
    blacks = [_encoded(value, size, picture.order) for value in black_of(picture)]
    row = picture.columns * size
    if picture.samples == 1 or not picture.planar:
        yield Plane(0, row * picture.samples, size * picture.samples, b"".join(blacks))
        return
    for number, black in enumerate(blacks):
        yield Plane(number * picture.rows * row, row, size, black)


def _encoded(value: int, size: int, order: str) -> bytes:
    return (value % (1 << 8 * size)).to_bytes(size, "little" if order == "<" else "big")


def black_of(picture: Picture) -> tuple[int, ...]:
    """Return the stored values of a black pixel, one for each sample."""
    bits, signed = picture.bits_stored, picture.pixel_representation == 1
    if picture.photometric == "PALETTE COLOR":
        return (_darkest(picture),)
    if picture.photometric in CHROMA:
        return 0, 1 << bits - 1, 1 << bits - 1
    if picture.photometric == "MONOCHROME1":
        return ((1 << bits - 1) - 1 if signed else (1 << bits) - 1,)
    return (-(1 << bits - 1) if signed else 0,) * picture.samples


def _darkest(picture: Picture) -> int:
    """The stored value whose colour is the darkest of the palette."""
    palette = picture.palette or ((0, 0, 0),)
    return picture.first_mapped + min(range(len(palette)), key=lambda index: sum(palette[index]))
