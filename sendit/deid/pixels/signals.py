"""Waveforms (PS3.3 C.10.9) and spectra (C.8.14.4): how many bytes their samples are; what is behind them goes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from math import prod

from sendit.deid.pixels.image_pixel import COLUMNS, ROWS, number_of_frames

CHANNELS, SAMPLES, WAVEFORM_BITS, WAVEFORM_DATA = 0x003A0005, 0x003A0010, 0x54001004, 0x54001010
DATA_POINT_ROWS, DATA_POINT_COLUMNS, DATA_REPRESENTATION, SPECTROSCOPY_DATA = (
    0x00289001,
    0x00289002,
    0x00289108,
    0x56000020,
)
SIGNALS = frozenset({WAVEFORM_DATA, SPECTROSCOPY_DATA})
OF_A_WAVEFORM = frozenset({CHANNELS, SAMPLES, WAVEFORM_BITS})
OF_A_SPECTRUM = frozenset({DATA_POINT_ROWS, DATA_POINT_COLUMNS, DATA_REPRESENTATION})
SIGNAL_TAGS = OF_A_WAVEFORM | OF_A_SPECTRUM
"""Attributes that say how much there is, beside the Image Pixel Module's."""


def signal_bytes(tag: int, values: Mapping[int, bytes], order: str) -> int | None:
    """Bytes of all samples, padding left out; None where the encoded values do not tell.

    Parameters
    ----------
    tag : int
        Waveform Data or Spectroscopy Data.
    values : mapping
        The encoded values of its dataset, by tag.
    order : str
        The byte order, as `struct` has it.
    """
    if tag == WAVEFORM_DATA:
        bits = prod(_number(values.get(one), order) for one in OF_A_WAVEFORM)
        return (bits + 7) // 8 or None
    parts = 1 if values.get(DATA_REPRESENTATION, b"COMPLEX").strip(b" \0") != b"COMPLEX" else 2
    points = prod(_number(values.get(one), order) for one in (ROWS, COLUMNS, DATA_POINT_ROWS, DATA_POINT_COLUMNS))
    frames = number_of_frames(values)
    return points * frames * parts * 4 if points and frames else None


def _number(value: bytes | None, order: str) -> int:
    """A number of VR US or UL; 0 where there is none."""
    form = {2: "H", 4: "I"}.get(len(value or b""))
    return 0 if form is None or value is None else int(struct.unpack(order + form, value)[0])
