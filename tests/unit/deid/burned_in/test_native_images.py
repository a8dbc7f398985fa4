"""Uncompressed images of every form: what is found goes, what is outside stays to the bit, and the header says so."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from sendit.deid import deidentify
from sendit.deid.burned_in import cleaning, detector
from sendit.deid.burned_in.detector import Detector
from sendit.deid.burned_in.record import Box, Mask, PixelRecord, Reason
from sendit.deid.image import DeidentifiedImage
from sendit.deid.rewriting.withheld import Withheld
from sendit.errors import ServiceDown
from tests.support.burned_in import KEY, VARIABLES, encoded, image

pytestmark = pytest.mark.usefixtures("detector_of_tests")
BOX = Box(6, 4, 20, 10)


def gray(rows: int = 24, columns: int = 32, frames: int = 1, dtype: str = "uint8", white: int = 255) -> Any:
    """Frames of noise that is not white, with a white rectangle."""
    pixels = np.random.default_rng(3).integers(1, max(white // 2, 2), (frames, rows, columns)).astype(dtype)
    pixels[:, BOX.top : BOX.bottom, BOX.left : BOX.right] = white
    return pixels


def cleaned(ds: Any, recipe: str = "research") -> tuple[Any, PixelRecord]:
    """The output as pydicom reads it, and what was done."""
    made = deidentify(encoded(ds), recipe=recipe, key=KEY, variables=VARIABLES)
    assert made.pixels is not None
    size = made.size
    data = made.tobytes()
    assert len(data) == size
    return dcmread(io.BytesIO(data)), made.pixels


def ensure_clean(before: Any, after: Any, black: Any, box: Box = BOX) -> None:
    """The rectangle is black, and nothing else has changed."""
    one, other = before.pixel_array, after.pixel_array
    shape = (-1, before.Rows, before.Columns, before.SamplesPerPixel)
    one, other = one.reshape(shape), other.reshape(shape)
    inside = np.zeros((before.Rows, before.Columns), bool)
    inside[box.top : box.bottom, box.left : box.right] = True
    assert (other[:, inside] == black).all()
    assert (one[:, ~inside] == other[:, ~inside]).all()
    assert (one[:, inside] != other[:, inside]).any()


@pytest.mark.parametrize(
    ("dtype", "white", "more", "black"),
    [
        ("uint8", 255, {}, 0),
        ("uint8", 0, {"PhotometricInterpretation": "MONOCHROME1"}, 255),
        ("uint16", 4095, {"BitsStored": 12}, 0),
        ("uint16", 0, {"BitsStored": 12, "PhotometricInterpretation": "MONOCHROME1"}, 4095),
        ("int16", 2000, {"BitsStored": 12}, -2048),
        ("uint32", 70000, {"BitsStored": 20}, 0),
    ],
)
@pytest.mark.parametrize("frames", [1, 3])
def test_gray_images(dtype: str, white: int, more: dict[str, Any], black: int, frames: int) -> None:
    pixels = gray(frames=frames, dtype=dtype, white=max(white, 2))
    if white == 0:
        top = (1 << more.get("BitsStored", 8)) - 1
        pixels = (top - gray(frames=frames, dtype=dtype, white=top)).astype(dtype)
    ds = image(pixels, **more)
    after, record = cleaned(ds)
    ensure_clean(ds, after, black)
    assert [mask.box for mask in record.masks] == [BOX] and record.frames == frames


def test_a_photograph_in_three_samples_whatever_their_order() -> None:
    pixels = np.repeat(gray()[..., None], 3, axis=3)
    for planar in (0, 1):
        ds = image(pixels, PlanarConfiguration=planar)
        if planar:
            ds.PixelData = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).tobytes()
        after, _ = cleaned(ds)
        ensure_clean(ds, after, 0)


def test_black_of_ybr_is_no_zero() -> None:
    pixels = np.full((1, 24, 32, 3), 128, np.uint8)
    pixels[..., 0] = gray()
    ds = image(pixels, PhotometricInterpretation="YBR_FULL")
    after, _ = cleaned(ds)
    stored = np.frombuffer(after.PixelData, np.uint8).reshape(24, 32, 3)
    assert (stored[BOX.top : BOX.bottom, BOX.left : BOX.right] == (0, 128, 128)).all()
    ensure_clean(ds, after, 0)  # pydicom shows RGB


def test_of_pixels_that_share_their_colour_whole_pairs_go() -> None:
    luma = gray()[0]
    luma[BOX.top : BOX.bottom, 20] = 255
    pairs = np.full((24, 16, 4), 128, np.uint8)
    pairs[..., 0], pairs[..., 1] = luma[:, ::2], luma[:, 1::2]
    ds = image(np.zeros((1, 24, 32, 3), np.uint8), PhotometricInterpretation="YBR_FULL_422")
    ds.PixelData = pairs.tobytes()
    after, record = cleaned(ds)
    (mask,) = record.masks
    assert mask.box == Box(6, 4, 22, 10)
    before, now = pairs, np.frombuffer(after.PixelData, np.uint8).reshape(24, 16, 4)
    assert (now[4:10, 3:11] == (0, 0, 128, 128)).all()
    changed = (before != now).any(axis=2)
    changed[4:10, 3:11] = False
    assert not changed.any()


def test_the_darkest_colour_of_a_palette_is_its_black() -> None:
    pixels = np.full((1, 24, 32), 1, np.uint8)
    pixels[:, BOX.top : BOX.bottom, BOX.left : BOX.right] = 2
    ds = image(pixels, PhotometricInterpretation="PALETTE COLOR")
    for color in ("Red", "Green", "Blue"):
        setattr(ds, f"{color}PaletteColorLookupTableDescriptor", [4, 0, 16])
        setattr(ds, f"{color}PaletteColorLookupTableData", np.array([90, 100, 255, 3], "<u2").__lshift__(8).tobytes())
    after, _ = cleaned(ds)
    ensure_clean(ds, after, 3)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_every_uncompressed_syntax(syntax: str, dtype: str) -> None:
    pixels = gray(dtype=dtype, white=255 if dtype == "uint8" else 4000)
    ds = image(pixels, syntax=syntax)
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
        if dtype == "uint8":
            ds["PixelData"].VR = "OW"
            ds.PixelData = pixels.view("<u2").astype(">u2").tobytes()
    after, _ = cleaned(ds)
    box = BOX
    assert after.file_meta.TransferSyntaxUID == syntax
    if syntax == ExplicitVRBigEndian and dtype == "uint8":
        words = np.frombuffer(after.PixelData, ">u2").astype("<u2").view("uint8").reshape(24, 32)
        assert (words[box.top : box.bottom, box.left : box.right] == 0).all()
        changed = words != pixels[0]
        changed[box.top : box.bottom, box.left : box.right] = False
        assert not changed.any()
    else:
        ensure_clean(ds, after, 0)


def test_what_was_looked_at_says_so_and_what_was_not_does_not() -> None:
    ds = image(gray(), BurnedInAnnotation="NO", DerivationDescription="resampled")
    after, record = cleaned(ds)
    assert (after.BurnedInAnnotation, list(after.ImageType)) == ("NO", ["DERIVED", "PRIMARY"])
    assert after.DerivationDescription == "resampled; Text burned into the pixels was blanked"
    assert [item.CodeValue for item in after.DeidentificationMethodCodeSequence][-1] == "113101"
    assert after.DeidentificationMethod[-1] == "Clean Pixel Data Option"
    assert record == PixelRecord(
        "ultrasound, not declared free of burned-in text", (Mask(BOX, Reason.TEXT),), "white 1", 1, 24, 32
    ) or (record.rule == "ultrasound")
    other = image(gray())
    other.Modality, other.SOPClassUID = "MR", "1.2.840.10008.5.1.4.1.1.4"
    made = deidentify(encoded(other), key=KEY, variables=VARIABLES)
    assert made.pixels is None
    plain = dcmread(io.BytesIO(made.tobytes()))
    assert "BurnedInAnnotation" not in plain and list(plain.ImageType) == ["ORIGINAL", "PRIMARY"]
    assert "113101" not in [item.CodeValue for item in plain.DeidentificationMethodCodeSequence]
    assert "Clean Pixel Data Option" not in plain.DeidentificationMethod


@pytest.mark.parametrize("detector_of_tests", ["FindsNothing"], indirect=True)
def test_an_image_without_text_is_not_derived() -> None:
    ds = image(gray())
    after, record = cleaned(ds)
    assert record.masks == () and after.BurnedInAnnotation == "NO"
    assert list(after.ImageType) == ["ORIGINAL", "PRIMARY"] and "DerivationDescription" not in after
    assert (after.pixel_array == ds.pixel_array).all()


@pytest.mark.parametrize("detector_of_tests", ["FindsNothing"], indirect=True)
def test_an_image_that_says_that_it_shows_text_in_which_none_is_found_is_withheld() -> None:
    with pytest.raises(Withheld) as caught:
        cleaned(image(gray(), BurnedInAnnotation="YES"))
    assert (caught.value.code, caught.value.rule) == ("TextInPixels", "burned-in annotation")


@pytest.mark.parametrize("detector_of_tests", ["FindsEverywhere"], indirect=True)
def test_text_that_is_still_found_after_two_rounds_withholds_the_image() -> None:
    with pytest.raises(Withheld) as caught:
        cleaned(image(gray(rows=200)))
    assert caught.value.rule == cleaning.TEXT_LEFT


@pytest.mark.parametrize("detector_of_tests", ["Dies", "DiesAtOnce"], indirect=True)
def test_a_detector_that_dies_is_a_service_that_is_down(detector_of_tests: Detector) -> None:
    with pytest.raises(ServiceDown, match="DetectorDown"):
        cleaned(image(gray()))


def test_a_detector_that_was_killed_while_it_was_idle_is_started_again(detector_of_tests: Detector) -> None:
    cleaned(image(gray()))
    process = detector_of_tests._process
    assert process is not None
    process.kill()
    process.wait()
    _, record = cleaned(image(gray()))
    assert record.masks


def test_without_the_extra_an_image_at_risk_is_withheld_by_its_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "PACKAGES", ("a package that nobody has",))
    with pytest.raises(Withheld) as caught:
        cleaned(image(gray()))
    assert caught.value.rule == "ultrasound, not declared free of burned-in text"


COORDINATES = "FORMAT dicom\nPROFILE Basic + Clean Pixel Data\n%filter graylist\nLABEL ours\nequals Modality US\n"


@pytest.mark.parametrize("detector_of_tests", ["FindsNothing"], indirect=True)
def test_coordinates_are_blanked_whatever_is_found(tmp_path: Any) -> None:
    recipe = tmp_path / "ours.recipe"
    recipe.write_text(f"{COORDINATES}coordinates 0,0,32,8\nkeepcoordinates 10,2,14,6\n")
    ds = image(gray())
    after, record = cleaned(ds, str(recipe))
    assert {mask.reason for mask in record.masks} == {Reason.COORDINATES}
    one, other = ds.pixel_array, after.pixel_array
    blank = np.zeros((24, 32), bool)
    blank[:8] = True
    blank[2:6, 10:14] = False
    assert (other[blank] == 0).all() and (other[~blank] == one[~blank]).all()


def test_what_coordinates_keep_is_looked_at_all_the_same(tmp_path: Any) -> None:
    recipe = tmp_path / "ours.recipe"
    recipe.write_text(f"{COORDINATES}keepcoordinates all\n")
    _, record = cleaned(image(gray()), str(recipe))
    assert [mask.box for mask in record.masks] == [BOX]


def test_an_image_of_which_nothing_would_be_left_is_withheld(tmp_path: Any) -> None:
    recipe = tmp_path / "ours.recipe"
    recipe.write_text(f"{COORDINATES}coordinates all\n")
    with pytest.raises(Withheld) as caught:
        cleaned(image(gray()), str(recipe))
    assert caught.value.rule == cleaning.ALL_BLANK


@pytest.mark.parametrize(
    "change",
    [
        {"NumberOfFrames": 7},
        {"SamplesPerPixel": 2},
        {"PhotometricInterpretation": "HSV"},
        {"BitsAllocated": 12},
        {"Rows": 0},
        {"Rows": 9999},
    ],
)
def test_pixels_that_cannot_be_understood_are_withheld(change: dict[str, Any]) -> None:
    ds = image(gray())
    for keyword, value in change.items():
        setattr(ds, keyword, value)
    with pytest.raises(Withheld) as caught:
        cleaned(ds)
    assert caught.value.rule == cleaning.NOT_DECODED


def test_a_change_outside_of_the_rectangles_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from sendit.deid.burned_in.native import Layout

    blank = Layout.blank

    def wrong(self: Layout, frame: bytearray, boxes: Any) -> None:
        blank(self, frame, boxes)
        frame[-1] ^= 1

    monkeypatch.setattr(Layout, "blank", wrong)
    with pytest.raises(Withheld) as caught:
        cleaned(image(gray()))
    assert caught.value.rule == cleaning.NOT_PROVEN


def test_pixels_are_blanked_as_they_are_read_in_whatever_pieces() -> None:
    ds = image(gray(frames=5))
    made = deidentify(encoded(ds), key=KEY, variables=VARIABLES)
    assert isinstance(made, DeidentifiedImage)
    stream, parts = made.stream(), []
    buffer = memoryview(bytearray(101))
    while count := stream.readinto(buffer):
        parts.append(bytes(buffer[:count]))
    ensure_clean(ds, dcmread(io.BytesIO(b"".join(parts))), 0)
