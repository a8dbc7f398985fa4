"""libjpeg-turbo blanks the blocks that the coder of its own blanks, and leaves every other coefficient and marker."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
import pytest

from sendit.deid.burned_in.coding import codecs, jpeg_blocks, turbo_jpeg
from sendit.deid.burned_in.coding.jpeg_frame import NotSequential, segments
from sendit.deid.burned_in.picture import Picture
from sendit.deid.burned_in.record import Box

BOXES = (Box(16, 16, 48, 32), Box(64, 0, 80, 16))


def frame(samples: int = 3, rows: int = 70, columns: int = 91, **more: Any) -> bytes:
    noise = np.random.default_rng(4).integers(0, 256, (rows // 7 + 1, columns // 7 + 1, samples), np.uint8)
    picture = np.ascontiguousarray(np.kron(noise, np.ones((7, 7, 1), np.uint8))[:rows, :columns])
    return bytes(imagecodecs.jpeg8_encode(picture[..., 0] if samples == 1 else picture, level=88, **more))


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    return data[:2] + bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body + data[2:]


def without_jfif(data: bytes) -> bytes:
    (jfif,) = (s for s in segments(data) if s.marker == 0xE0)
    return data[: jfif.begin] + data[jfif.end :]


def markers(data: bytes) -> list[bytes]:
    return [data[s.begin : s.end] for s in segments(data) if s.marker in turbo_jpeg.APPLICATION_AND_COMMENT]


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_it_makes_what_the_own_coder_makes(subsampling: str) -> None:
    data = frame(subsampling=subsampling)
    one = turbo_jpeg.with_blank_blocks(data, BOXES, (0, 128, 128))
    other = jpeg_blocks.with_blank_blocks(data, BOXES, (0, 128, 128))
    assert (imagecodecs.jpeg8_decode(one) == imagecodecs.jpeg8_decode(other)).all()
    assert one != data


def test_gray_frames_too() -> None:
    data = frame(1)
    one = imagecodecs.jpeg8_decode(turbo_jpeg.with_blank_blocks(data, BOXES, (0,)))
    before, blank = imagecodecs.jpeg8_decode(data), np.zeros((70, 91), bool)
    for box in BOXES:
        blank[box.top : box.bottom, box.left : box.right] = True
    assert (one[blank] == 0).all() and (one[~blank] == before[~blank]).all()


@pytest.mark.parametrize(
    "data",
    [
        without_jfif(frame()),
        frame(colorspace="RGB", outcolorspace="RGB"),
        with_segment(frame(), 0xFE, b"a comment"),
    ],
    ids=["no JFIF", "Adobe", "comment"],
)
def test_no_marker_comes_and_none_goes(data: bytes) -> None:
    made = turbo_jpeg.with_blank_blocks(data, BOXES, (0, 0, 0))
    assert markers(made) == markers(data)
    assert made[:2] == b"\xff\xd8" and made[-2:] == b"\xff\xd9"


@pytest.mark.parametrize("cut", [40, 400, 900])
def test_a_frame_that_is_cut_short_is_not_transformed(cut: int) -> None:
    with pytest.raises((turbo_jpeg.NotTransformed, NotSequential)):
        turbo_jpeg.with_blank_blocks(frame()[:cut], BOXES, (0, 128, 128))


def test_without_the_library_the_own_coder_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Picture("1.2.840.10008.1.2.4.50", "<", 70, 91, 3, 8, 8, 0, 0, "YBR_FULL_422", 1)
    blank = codecs.CODECS[picture.syntax].blank
    assert blank is not None
    by_library = blank(frame(), picture, BOXES)
    turbo_jpeg.library.cache_clear()
    monkeypatch.setattr(turbo_jpeg, "LIBRARY", "no such library")
    assert turbo_jpeg.library() is None
    by_own_coder = blank(frame(), picture, BOXES)
    turbo_jpeg.library.cache_clear()
    assert (imagecodecs.jpeg8_decode(by_library) == imagecodecs.jpeg8_decode(by_own_coder)).all()
