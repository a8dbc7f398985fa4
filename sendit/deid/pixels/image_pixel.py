"""What the Image Pixel Module (PS3.3 C.7.6.3) says of the size of a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SAMPLES_PER_PIXEL, PHOTOMETRIC_INTERPRETATION, NUMBER_OF_FRAMES = 0x00280002, 0x00280004, 0x00280008
ROWS, COLUMNS, BITS_ALLOCATED = 0x00280010, 0x00280011, 0x00280100
ICON_IMAGE_SEQUENCE = 0x00880200
IMAGE_PIXEL_TAGS = frozenset(
    {SAMPLES_PER_PIXEL, PHOTOMETRIC_INTERPRETATION, NUMBER_OF_FRAMES, ROWS, COLUMNS, BITS_ALLOCATED}
)
FLOAT_BITS = {0x7FE00008: 32, 0x7FE00009: 64}
"""Bits of a pixel in Float and Double Float Pixel Data, which Bits Allocated need not repeat."""


@dataclass(frozen=True, slots=True)
class ImagePixel:
    """Rows, columns and so on; `number_of_frames` is None where the element holds no number."""

    rows: int
    columns: int
    bits_allocated: int
    samples_per_pixel: int = 1
    number_of_frames: int | None = 1
    photometric_interpretation: str = ""

    @property
    def samples_in_frame(self) -> int:
        return self.rows * self.columns * self.samples_per_pixel

    def frame_bytes(self) -> int:
        """Bytes of one frame without compression."""
        return (self.samples_in_frame * self.bits_allocated + 7) // 8

    def native_bytes(self, given: int) -> int | None:
        """Bytes of all frames without compression, padding left out; None where that is not known.

        Parameters
        ----------
        given : int
            The bytes that there are. Chrominance that is said to be halved is sometimes there in full.
        """
        if self.number_of_frames is None:
            return None
        whole = (self.samples_in_frame * self.number_of_frames * self.bits_allocated + 7) // 8
        match self.photometric_interpretation:
            case "YBR_FULL_422" | "YBR_PARTIAL_422" if given != whole + whole % 2:
                return whole // 3 * 2
            case "YBR_PARTIAL_420" if given != whole + whole % 2:
                return whole // 2
        return whole


def image_pixel(values: Mapping[int, bytes], order: str, tag: int) -> ImagePixel | None:
    """What encoded values say of the picture in the element `tag`; None where they do not give its size."""
    rows, columns = _number(values.get(ROWS), order), _number(values.get(COLUMNS), order)
    bits = FLOAT_BITS.get(tag) or _number(values.get(BITS_ALLOCATED), order)
    samples = _number(values.get(SAMPLES_PER_PIXEL), order) or 1
    if not (rows and columns and bits):
        return None
    photometric = values.get(PHOTOMETRIC_INTERPRETATION, b"").strip(b" \0").decode("latin-1")
    return ImagePixel(rows, columns, bits, samples, number_of_frames(values), photometric)


def _number(value: bytes | None, order: str) -> int:
    return int.from_bytes(value[:2], "little" if order == "<" else "big") if value else 0


def number_of_frames(values: Mapping[int, bytes]) -> int | None:
    """Number of Frames: one where it is absent or blank, None where it is no number."""
    text = values.get(NUMBER_OF_FRAMES, b"").strip(b" \0")
    if not text:
        return 1
    return int(text) or 1 if text.isdigit() and len(text) < 12 else None
