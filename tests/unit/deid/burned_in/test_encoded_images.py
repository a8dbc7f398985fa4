"""Compressed images: outside of what is blanked, every decoder finds the pixels that it found before."""

from __future__ import annotations

import io
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, encapsulate_extended, generate_fragmented_frames
from pydicom.uid import (
    JPEG2000,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from sendit.deid import deidentify
from sendit.deid.burned_in import cleaning
from sendit.deid.burned_in.coding.codecs import CODECS
from sendit.deid.burned_in.record import Box
from sendit.deid.rewriting.withheld import Withheld
from tests.support.burned_in import KEY, VARIABLES, encoded, image
from tests.unit.deid.burned_in.test_native_images import BOX, gray

pytestmark = pytest.mark.usefixtures("detector_of_tests")

LOSSLESS = (JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless, JPEG2000, HTJ2KLossless, RLELossless)


def compressed(pixels: Any, syntax: str, frames: list[bytes], **more: Any) -> Any:
    """An image whose frames are these."""
    ds = image(pixels, syntax=syntax, **more)
    ds.PixelData = encapsulate(frames)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return ds


def encoded_without_loss(pixels: Any, syntax: str, **more: Any) -> Any:
    from sendit.deid.burned_in.picture import Picture

    ds = image(pixels, syntax=syntax, **more)
    picture = Picture(
        syntax, "<", ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.BitsAllocated, ds.BitsStored,
        ds.PixelRepresentation, 0, ds.PhotometricInterpretation, 1,
    )  # fmt: skip
    samples = pixels.reshape(len(pixels), ds.Rows, ds.Columns, ds.SamplesPerPixel)
    unsigned = samples.view(samples.dtype.str.replace("i", "u")) if "jpeg2000" not in syntax else samples
    unsigned = unsigned & np.array((1 << ds.BitsStored) - 1, unsigned.dtype)
    return compressed(pixels, syntax, [CODECS[syntax].encode(frame, picture) for frame in unsigned], **more)


def cleaned(ds: Any) -> tuple[Any, Any]:
    made = deidentify(encoded(ds), key=KEY, variables=VARIABLES)
    size = made.size
    data = made.tobytes()
    assert len(data) == size and made.pixels is not None
    return dcmread(io.BytesIO(data)), made.pixels


def ensure_same_outside(before: Any, after: Any, boxes: list[Box], margin: int = 0) -> None:
    shape = (-1, before.Rows, before.Columns, before.SamplesPerPixel)
    one, other = before.pixel_array.reshape(shape), after.pixel_array.reshape(shape)
    outside = np.ones((before.Rows, before.Columns), bool)
    for box in boxes:
        outside[max(box.top - margin, 0) : box.bottom + margin, max(box.left - margin, 0) : box.right + margin] = False
    assert outside.any() and (one[:, outside] == other[:, outside]).all()


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda uid: uid.keyword)
@pytest.mark.parametrize("kind", ["gray 8", "gray 12", "gray 16", "rgb"])
def test_without_loss_the_rest_is_what_it_was(syntax: str, kind: str) -> None:
    dtype, white, more = {
        "gray 8": ("uint8", 255, {}),
        "gray 12": ("uint16", 4095, {"BitsStored": 12}),
        "gray 16": ("uint16", 65535, {}),
        "rgb": ("uint8", 255, {}),
    }[kind]
    pixels = gray(frames=2, dtype=dtype, white=white)
    if kind == "rgb":
        pixels = np.repeat(pixels[..., None], 3, axis=3)
        pixels[..., 1] //= 2
        pixels[:, BOX.top : BOX.bottom, BOX.left : BOX.right] = 255
    ds = encoded_without_loss(pixels, syntax, **more)
    assert (ds.pixel_array == pixels).all(), "what the test compares with"
    after, record = cleaned(ds)
    assert after.file_meta.TransferSyntaxUID == syntax
    assert [mask.box for mask in record.masks] == [BOX]
    ensure_same_outside(ds, after, [BOX])
    assert (after.pixel_array[:, BOX.top : BOX.bottom, BOX.left : BOX.right] == 0).all()
    assert len(list(generate_fragmented_frames(after.PixelData))) == 2, "the offset table tells the frames"


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
@pytest.mark.parametrize("size", [(48, 64), (45, 61)])
def test_blocks_of_jpeg_are_blanked_and_all_others_stay(subsampling: str, size: tuple[int, int]) -> None:
    rows, columns = size
    pixels = np.repeat(gray(rows, columns, frames=3)[..., None], 3, axis=3)
    frames = [imagecodecs.jpeg8_encode(frame, level=90, subsampling=subsampling) for frame in pixels]
    ds = compressed(pixels, JPEGBaseline8Bit, frames, PhotometricInterpretation="YBR_FULL_422")
    after, record = cleaned(ds)
    (mask,) = record.masks
    across, down = {"444": (8, 8), "422": (16, 8), "420": (16, 16)}[subsampling]
    assert (mask.box.left % across, mask.box.top % down) == (0, 0)
    assert mask.box.common(BOX) == BOX
    ensure_same_outside(ds, after, [mask.box], 0 if subsampling == "444" else 1)
    inside = after.pixel_array[:, mask.box.top + 2 : mask.box.bottom - 2, mask.box.left + 2 : mask.box.right - 2]
    assert inside.size and inside.max() <= 2


def test_gray_jpeg_with_restart_markers_and_without_room_to_spare() -> None:
    import cv2

    pixels = gray(64, 96)
    for interval in (0, 1, 5):
        _, frame = cv2.imencode(".jpg", pixels[0], [cv2.IMWRITE_JPEG_RST_INTERVAL, interval])
        ds = compressed(pixels, JPEGBaseline8Bit, [frame.tobytes()])
        after, record = cleaned(ds)
        ensure_same_outside(ds, after, [mask.box for mask in record.masks])
        (mask,) = record.masks
        assert (after.pixel_array[mask.box.top : mask.box.bottom, mask.box.left : mask.box.right] == 0).all()


def test_jpeg_of_twelve_bits_is_decoded_once_and_written_without_more_loss() -> None:
    pixels = gray(dtype="uint16", white=4000)
    frame = imagecodecs.jpeg8_encode(pixels[0], level=95, bitspersample=12)
    ds = compressed(pixels, JPEGExtended12Bit, [frame], BitsStored=12, LossyImageCompression="01")
    after, record = cleaned(ds)
    assert after.file_meta.TransferSyntaxUID == JPEGLSLossless and after.LossyImageCompression == "01"
    before = imagecodecs.jpeg8_decode(frame)
    outside = np.ones(before.shape, bool)
    for mask in record.masks:
        outside[mask.box.top : mask.box.bottom, mask.box.left : mask.box.right] = False
    assert (after.pixel_array[outside] == before[outside]).all() and not after.pixel_array[~outside].any()


@pytest.mark.parametrize("table", ["none", "extended"])
def test_frames_are_told_with_and_without_tables(table: str) -> None:
    pixels = gray(frames=3, dtype="uint8")
    ds = encoded_without_loss(pixels, JPEG2000Lossless)
    frames = [bytes(frame) for (frame,) in generate_fragmented_frames(ds.PixelData)]
    if table == "none":
        ds.PixelData = encapsulate(frames, fragments_per_frame=2, has_bot=False)
    else:
        value, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(frames)
        ds.PixelData = value
    after, _ = cleaned(ds)
    assert "ExtendedOffsetTable" not in after
    ensure_same_outside(ds, after, [BOX])


@pytest.mark.parametrize("syntax", [*LOSSLESS, JPEGBaseline8Bit], ids=lambda uid: uid.keyword)
def test_a_frame_that_does_not_decode_is_withheld(syntax: str) -> None:
    pixels = gray()
    frame = imagecodecs.jpeg8_encode(pixels[0]) if syntax == JPEGBaseline8Bit else None
    whole = frame or next(iter(next(generate_fragmented_frames(encoded_without_loss(pixels, syntax).PixelData))))
    for broken in (bytes(whole)[: len(whole) // 3], bytes(whole[:40]), b"\0" * 64):
        with pytest.raises(Withheld) as caught:
            cleaned(compressed(pixels, syntax, [broken]))
        assert caught.value.rule == cleaning.NOT_DECODED


def test_a_frame_of_another_size_than_the_header_says_is_not_decoded() -> None:
    ds = encoded_without_loss(gray(), JPEG2000Lossless)
    ds.Rows = 25
    with pytest.raises(Withheld):
        cleaned(ds)
