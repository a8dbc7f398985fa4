"""Spoilt codestreams: each is withheld, or decodes to what it decoded to before, without the text planted in it."""

from __future__ import annotations

import io
import random
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy
import pytest
from pydicom import dcmread

from sendit.errors import DataFault
from tests.support.codestreams import (
    JPEG_2000_PLANTS,
    JPEG_LS_PLANTS,
    JPEG_PLANTS,
    RLE_PLANTS,
    TEXT,
    Plant,
    dataset,
    encapsulated,
    fragmented,
    frames_of,
    with_pixels,
)
from tests.support.streams import deidentified

FILES: dict[str, tuple[str, Sequence[Plant]]] = {
    "SC_rgb_dcmtk_+eb+cr.dcm": ("pillow", tuple(JPEG_PLANTS.values())),
    "SC_rgb_small_odd_jpeg.dcm": ("pillow", tuple(JPEG_PLANTS.values())),
    "MR_small_jpeg_ls_lossless.dcm": ("pyjpegls", tuple(JPEG_LS_PLANTS.values())),
    "MR_small_jp2klossless.dcm": ("pylibjpeg", tuple(JPEG_2000_PLANTS.values())),
    "SC_rgb_rle_16bit.dcm": ("pydicom", tuple(RLE_PLANTS.values())),
}
PARTS = (b"\xff", b"\xff\xd9", b"\xff\xfe\0\x0aKilroy12", b"\xff\xd8", bytes(9), b"\xff\xff", b"\xff\xd0", b"Kilroy")


def spoilt(stream: bytes, chance: random.Random) -> bytes:
    """The stream with a byte or a few changed, taken away or put in, mostly in its header."""
    data = bytearray(stream)
    for _ in range(chance.choice((0, 1, 1, 2))):
        at = chance.randrange(len(data) if chance.random() < 0.4 else min(len(data), 700))
        match chance.randrange(4):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.choice((1, 2, 20))]
            case 2:
                data[at:at] = chance.choice(PARTS)
            case _:
                data += chance.choice(PARTS)
    return bytes(data)


def pixels(data: bytes, decoder: str) -> numpy.ndarray | None:
    """What the decoder makes of it; None for nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = dcmread(io.BytesIO(data))
        ds.pixel_array_options(decoding_plugin=decoder)
        try:
            return ds.pixel_array
        except Exception:  # noqa: BLE001 - whatever decoders raise
            return None


@pytest.mark.parametrize("name", FILES)
def test_a_spoilt_codestream_is_withheld_or_decodes_to_the_same(name: str) -> None:
    decoder, plants = FILES[name]
    (stream,), seen = frames_of(dataset(name)), Counter[str]()
    for seed in range(60):
        chance = random.Random(f"{name} {seed}")
        planted = chance.choice(plants)(stream)
        sizes = (
            [] if decoder == "pydicom" else [2 * chance.randrange(1, 200) for _ in range(chance.choice((0, 0, 1, 3)))]
        )
        data = with_pixels(dataset(name), encapsulated([fragmented(spoilt(planted, chance), sizes)]))
        try:
            out = deidentified(data)
        except DataFault as fault:
            seen[fault.code] += 1
            continue
        before = pixels(data, decoder)
        after = None if before is None else pixels(out, decoder)
        assert before is None or (after is not None and numpy.array_equal(before, after)), seed
        assert deidentified(out) == out, seed
        seen["undecodable" if before is None else "leaks" if before.size and TEXT in out else "same"] += 1
    assert set(seen) <= {"BadPixelData", "undecodable", "same"}
    assert seen["same"] > 10
