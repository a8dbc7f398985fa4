"""What a header says of its pixels (PS3.3 C.7.6.3, C.11.2), as far as somebody needs it who looks at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sendit.deid.stream.header import Header, HeaderReader

_NUMBERS = {
    "samples": 0x00280002,
    "planar": 0x00280006,
    "rows": 0x00280010,
    "columns": 0x00280011,
    "bits_allocated": 0x00280100,
    "bits_stored": 0x00280101,
    "pixel_representation": 0x00280103,
}
PHOTOMETRIC_INTERPRETATION, NUMBER_OF_FRAMES, PIXEL_DATA = 0x00280004, 0x00280008, 0x7FE00010
WINDOW_CENTER, WINDOW_WIDTH, RESCALE_INTERCEPT, RESCALE_SLOPE = 0x00281050, 0x00281051, 0x00281052, 0x00281053
PALETTE_DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
PALETTES = (0x00281201, 0x00281202, 0x00281203)
BURNED_IN_ANNOTATION = 0x00280301

READER = HeaderReader(
    {
        *_NUMBERS.values(),
        *PALETTE_DESCRIPTORS,
        *PALETTES,
        PHOTOMETRIC_INTERPRETATION,
        NUMBER_OF_FRAMES,
        WINDOW_CENTER,
        WINDOW_WIDTH,
        RESCALE_INTERCEPT,
        RESCALE_SLOPE,
        BURNED_IN_ANNOTATION,
    }
)
"""Reads what this module asks of a header."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The pixels' form.

    Parameters
    ----------
    syntax : str
        The transfer syntax that frames are encoded in.
    order : str
        The byte order of words, "<" or ">".
    swapped : bool
        Whether pixels of one byte stand in words of the other byte order.
    window : tuple of float, optional
        The lowest and the highest stored value that the first window of the header shows.
    palette : tuple of tuple of int, optional
        Red, green and blue of each stored value, from the first mapped one on, of 8 bits each.
    first_mapped : int
        The stored value that the palette begins with.
    """

    syntax: str
    order: str
    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    pixel_representation: int
    planar: int
    photometric: str
    frames: int
    swapped: bool = False
    window: tuple[float, float] | None = None
    palette: tuple[tuple[int, int, int], ...] | None = None
    first_mapped: int = 0
    said_yes: bool = False
    """Whether Burned In Annotation is YES."""

    @property
    def is_inverted(self) -> bool:
        """Whether the lowest value is white."""
        return self.photometric == "MONOCHROME1"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON's values."""
        return asdict(self)

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Picture:
        """Return the picture that `as_json` gave."""
        window, palette = values["window"], values["palette"]
        return cls(
            **{
                **values,
                "window": None if window is None else tuple(window),
                "palette": None if palette is None else tuple(map(tuple, palette)),
            }
        )


JPEG_EXTENDED, JPEG_LS_LOSSLESS = "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.80"


def written_syntax(picture: Picture) -> str:
    """Return the transfer syntax of blanked frames: another one of 12-bit JPEG, which is not blanked block by block."""
    is_twelve_bit = picture.syntax == JPEG_EXTENDED and picture.bits_allocated > 8
    return JPEG_LS_LOSSLESS if is_twelve_bit else picture.syntax


def picture_of(header: Header, syntax: str, order: str) -> Picture | None:
    """Return what a header says of its pixels; None where it does not say it."""
    numbers = {name: _whole(header, tag) for name, tag in _NUMBERS.items()}
    text = header.text(NUMBER_OF_FRAMES).strip()
    if not (numbers["rows"] and numbers["columns"] and numbers["bits_allocated"]) or not (not text or text.isdigit()):
        return None
    numbers["samples"] = numbers["samples"] or 1
    numbers["bits_stored"] = numbers["bits_stored"] or numbers["bits_allocated"]
    return Picture(
        syntax=syntax,
        order=order,
        photometric=header.text(PHOTOMETRIC_INTERPRETATION).strip().upper(),
        frames=int(text or 1) or 1,
        swapped=order == ">" and numbers["bits_allocated"] == 8 and header.vr(PIXEL_DATA) != "OB",
        window=_window(header),
        said_yes=header.text(BURNED_IN_ANNOTATION).strip().upper() == "YES",
        palette=_palette(header, order),
        first_mapped=_descriptor(header, order)[1],
        **numbers,
    )


def _whole(header: Header, tag: int) -> int:
    text = (header.get(tag) or ("",))[0].strip()
    return int(text) if text.isdecimal() else 0


def _real(header: Header, tag: int) -> float | None:
    try:
        return float((header.get(tag) or ("",))[0])
    except ValueError:
        return None


def _window(header: Header) -> tuple[float, float] | None:
    """The stored values that the first window shows (PS3.3 C.11.2.1.2)."""
    center, width = _real(header, WINDOW_CENTER), _real(header, WINDOW_WIDTH)
    intercept, slope = _real(header, RESCALE_INTERCEPT) or 0.0, _real(header, RESCALE_SLOPE) or 1.0
    if center is None or width is None or width <= 0:
        return None
    low, high = sorted(((center - width / 2 - intercept) / slope, (center + width / 2 - intercept) / slope))
    return low, high


def _descriptor(header: Header, order: str) -> tuple[int, int, int]:
    """Entries, first mapped value and bits of the red palette (PS3.3 C.7.6.3.1.5)."""
    raw = header.raw(PALETTE_DESCRIPTORS[0])
    if len(raw) < 6:
        return 0, 0, 0
    byte_order = "little" if order == "<" else "big"
    entries, first, bits = (int.from_bytes(raw[at : at + 2], byte_order) for at in (0, 2, 4))  # type: ignore[arg-type]
    return entries or 1 << 16, first, bits


def _palette(header: Header, order: str) -> tuple[tuple[int, int, int], ...] | None:
    entries, _, bits = _descriptor(header, order)
    raws = [header.raw(tag) for tag in PALETTES]
    if not entries or not all(raws):
        return None
    red, green, blue = (_entries(raw, entries, bits, order) for raw in raws)
    return tuple(zip(red, green, blue, strict=False))


def _entries(raw: bytes, entries: int, bits: int, order: str) -> bytes:
    """One colour's table with 8 bits an entry: of words, the upper byte, where the table does not hold bytes."""
    if len(raw) < 2 * entries:
        return raw[:entries]
    upper, lower = (raw[1::2], raw[::2]) if order == "<" else (raw[::2], raw[1::2])
    return (upper if bits > 8 and any(upper) else lower)[:entries]
