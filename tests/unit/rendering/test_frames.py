"""Frames: compressed files decode as by pydicom's other plug-ins; windows and colours are right."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import Dataset, dcmread, uid
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from sendit.errors import DataFault
from sendit.rendering import codecs
from sendit.rendering.display import default_window, fitting_window, shown
from sendit.rendering.frames import Frame, Picture, Window
from sendit.rendering.png import png
from tests.support.phantoms import FILES, bundled

NO_DECODER_READS = {"JPEG2000-embedded-sequence-delimiter.dcm"}


def _compressed() -> Iterator[Path]:
    for path in sorted(FILES.rglob("*.dcm")):
        ds = dcmread(path, force=True, stop_before_pixels=False)
        meta = getattr(ds, "file_meta", {})
        if meta.get("TransferSyntaxUID") in codecs.DECODER_DEPENDENCIES and "PixelData" in ds:
            yield path


READABLE = [path for path in _compressed() if path.name not in NO_DECODER_READS]


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)
def test_a_compressed_image_decodes_as_by_other_decoders(path: Path) -> None:
    ds = dcmread(path)
    ours = pixel_array(ds, index=0, decoding_plugin=codecs.LABEL)
    theirs = [
        _by(ds, name) for name in get_decoder(ds.file_meta.TransferSyntaxUID).available_plugins if name != codecs.LABEL
    ]
    for other in (one for one in theirs if one is not None):
        assert ours.shape == other.shape and np.array_equal(ours, other)
    assert png(shown(Picture(path).frame(1), None)).startswith(b"\x89PNG")


def _by(ds: Dataset, plugin: str) -> np.ndarray[Any, Any] | None:
    try:
        return pixel_array(ds, index=0, decoding_plugin=plugin)
    except (RuntimeError, ValueError, OSError):
        return None


ENCODERS = {
    uid.JPEGLossless: lambda pixels: imagecodecs.jpeg_encode(pixels, lossless=True, predictor=4, bitspersample=12),
    uid.JPEGLosslessSV1: lambda pixels: imagecodecs.jpeg_encode(pixels, lossless=True, predictor=1, bitspersample=12),
    uid.JPEGLSLossless: imagecodecs.jpegls_encode,
    uid.JPEG2000Lossless: lambda pixels: imagecodecs.jpeg2k_encode(pixels, reversible=True, codecformat="j2k"),
    uid.HTJ2KLossless: lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=True),
    uid.HTJ2KLosslessRPCL: lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=True),
    uid.HTJ2K: lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=True),
}


@pytest.mark.parametrize("syntax", ENCODERS, ids=lambda syntax: syntax.name)
def test_12_bits_of_every_lossless_syntax_come_back_exactly(syntax: uid.UID) -> None:
    pixels = np.random.default_rng(1).integers(0, 4096, (64, 48), np.uint16)
    source = grey(pixels, BitsStored=12, HighBit=11)
    ds = dcmread(source, force=True)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate([bytes(ENCODERS[syntax](pixels))])
    ds["PixelData"].is_undefined_length = True
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=False)
    out.seek(0)
    assert np.array_equal(Picture(out).frame(1).pixels, pixels)


def test_every_compressed_syntax_but_rle_and_video_has_a_decoder_and_a_test() -> None:
    seen = {dcmread(path).file_meta.TransferSyntaxUID for path in _compressed()} | set(ENCODERS)
    assert seen == set(codecs.DECODER_DEPENDENCIES)


def grey(pixels: np.ndarray[Any, Any], **attributes: object) -> io.BytesIO:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    frames, (rows, columns) = (pixels.shape[0] if pixels.ndim == 3 else 1), pixels.shape[-2:]
    bits = pixels.dtype.itemsize * 8
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = rows, columns, bits, bits, bits - 1
    ds.PixelRepresentation, ds.SamplesPerPixel = int(pixels.dtype.kind == "i"), 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    if frames > 1:
        ds.NumberOfFrames = frames
    ds.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=False)
    out.seek(0)
    return out


def picture(pixels: np.ndarray[Any, Any], **attributes: object) -> Picture:
    return Picture(grey(pixels, **attributes))


def decoded(content: bytes) -> np.ndarray[Any, Any]:
    return imagecodecs.png_decode(content)  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", ["u1", "i1", "<u2", "<i2", "<u4", "<i4"])
def test_a_window_is_the_linear_function_of_the_standard(kind: str) -> None:
    levels = np.arange(-60, 68) if "i" in kind else np.arange(128)
    pixels = levels.astype(kind).reshape(8, 16)
    found = decoded(png(shown(picture(pixels, RescaleSlope="2", RescaleIntercept="-10").frame(1), Window(30, 41))))
    values = pixels.astype(float) * 2 - 10
    expected = np.clip(((values - 29.5) / 40 + 0.5) * 255, 0, 255).astype(np.uint8)
    assert np.array_equal(found, expected)
    assert (found[values <= 9.5] == 0).all() and (found[values > 49.5] == 255).all()


def test_monochrome_1_is_inverted() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    plain, inverted = (
        shown(picture(pixels, PhotometricInterpretation=word).frame(1), Window(128, 256))
        for word in ("MONOCHROME2", "MONOCHROME1")
    )
    assert np.array_equal(plain, 255 - inverted)


def test_windows_are_the_headers_with_their_names_and_else_one_that_fits() -> None:
    pixels = np.full((100, 100), 50, "<i2")
    pixels[:, 50:] = 150
    pixels[0, 0] = 30_000
    named = picture(
        pixels, WindowCenter=["40", "300"], WindowWidth=["400", "1500"], WindowCenterWidthExplanation=["soft", "bone"]
    ).frame(1)
    assert named.windows == (Window(40, 400, "soft"), Window(300, 1500, "bone"))
    assert default_window(named) == named.windows[0]
    fits = default_window(picture(pixels).frame(1))
    assert (fits.center, fits.width) == (100, 100) and fits == fitting_window(named)


@pytest.mark.parametrize(("center", "width"), [("x", "400"), ("40", "0"), ("40", ""), (None, None)])
def test_a_window_that_makes_no_sense_is_no_window(center: str | None, width: str | None) -> None:
    picture_of = picture(np.arange(16, dtype="<i2").reshape(4, 4))
    picture_of._ds.add_new("WindowCenter", "LO", center)
    picture_of._ds.add_new("WindowWidth", "LO", width)
    assert picture_of.frame(1).windows == ()


def test_frames_have_the_window_and_the_slope_of_their_own_groups() -> None:
    pixels = np.arange(3 * 16, dtype="<i2").reshape(3, 4, 4)

    def voi(center: int) -> Dataset:
        item, inner = Dataset(), Dataset()
        inner.WindowCenter, inner.WindowWidth = center, 10
        item.FrameVOILUTSequence = Sequence([inner])
        return item

    shared, values = Dataset(), Dataset()
    values.RescaleSlope, values.RescaleIntercept = 3, -5
    shared.PixelValueTransformationSequence = Sequence([values])
    many = picture(
        pixels,
        PerFrameFunctionalGroupsSequence=Sequence([voi(1), voi(2), voi(3)]),
        SharedFunctionalGroupsSequence=Sequence([shared]),
    )
    found = [many.frame(number) for number in (1, 2, 3)]
    assert [frame.windows[0].center for frame in found] == [1, 2, 3]
    assert [(frame.lowest, frame.highest) for frame in found] == [(-5, 40), (43, 88), (91, 136)]
    assert [int(frame.pixels[0, 0]) for frame in found] == [0, 16, 32]


@pytest.mark.parametrize("number", [0, -1, 4, 10**9])
def test_there_is_no_frame_beyond_the_last(number: int) -> None:
    with pytest.raises(DataFault, match="NoPicture"):
        picture(np.zeros((3, 4, 4), "<i2")).frame(number)


@pytest.mark.parametrize(
    "name", ["SC_rgb_rle.dcm", "examples_ybr_color.dcm", "examples_palette.dcm", "SC_rgb_gdcm_KY.dcm"]
)
def test_colours_are_rgb_of_8_bits(name: str) -> None:
    frame = Picture(bundled(name)).frame(1)
    assert frame.is_color and decoded(png(shown(frame, None))).shape == (*frame.pixels.shape[:2], 3)


def test_a_16_bit_palette_becomes_8_bits() -> None:
    frame = Picture(bundled("examples_palette.dcm")).frame(1)
    assert frame.is_color and frame.pixels.dtype == np.uint8 and frame.pixels.max() > 200


@pytest.mark.parametrize(
    "change", [{"Rows": 60000, "Columns": 60000}, {"BitsAllocated": 7}, {"PixelData": b"\0"}, {"Rows": 0}]
)
def test_what_cannot_be_decoded_is_no_picture(change: dict[str, object]) -> None:
    with pytest.raises(DataFault, match="NoPicture"):
        picture(np.zeros((4, 4), "<i2"), **change).frame(1)


@pytest.mark.parametrize("content", [b"", b"no image", b"\0" * 200])
def test_what_is_no_image_is_no_picture(content: bytes) -> None:
    with pytest.raises(DataFault, match="NoPicture"):
        Picture(io.BytesIO(content)).frame(1)


def test_a_png_has_nothing_but_pixels() -> None:
    content = png(np.arange(12, dtype=np.uint8).reshape(3, 4))
    chunks, at = [], 8
    while at < len(content):
        length = int.from_bytes(content[at : at + 4])
        chunks.append(content[at + 4 : at + 8])
        body = content[at + 4 : at + 8 + length]
        assert zlib.crc32(body) == int.from_bytes(content[at + 8 + length : at + 12 + length])
        at += 12 + length
    assert chunks == [b"IHDR", b"IDAT", b"IEND"]
    assert np.array_equal(decoded(content), np.arange(12).reshape(3, 4))


def test_one_row_and_one_pixel_are_pictures_too() -> None:
    for shape in ((1, 5), (5, 1), (1, 1)):
        pixels = np.full(shape, 7, np.uint8)
        found = decoded(png(shown(Frame(pixels, is_color=False), Window(128, 257))))
        assert found.size == pixels.size and len(np.unique(found)) == 1
