"""Pixel Data that is no picture goes, by any way that it can be put there; the picture stays what it was."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import numpy
import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames, parse_basic_offsets

from sendit.deid import Identifier
from tests.support.codestreams import (
    JFIF,
    JPEG_2000_PLANTS,
    JPEG_LS_PLANTS,
    JPEG_PLANTS,
    RLE_PLANTS,
    TEXT,
    boxed,
    dataset,
    decoded,
    encapsulated,
    fragmented,
    frames_of,
    layouts,
    segment,
    with_pixels,
)
from tests.support.phantoms import DIGITS, WORD
from tests.support.streams import bundled_files, deidentified, deidentifier, refused

JPEGS = ("SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_jpeg_app14_dcmd.dcm")
JPEG_LS = ("MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jls_lossy_line.dcm")
JPEG_2000 = ("MR_small_jp2klossless.dcm", "JPEG2000.dcm", "SC_rgb_gdcm_KY.dcm")
RLE = ("MR_small_RLE.dcm", "SC_rgb_rle.dcm", "SC_rgb_rle_16bit.dcm")
CINES = (
    "JPEG2000.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "rtdose_rle.dcm",
    "examples_ybr_color.dcm",
)
PIXEL_DATA = 0x7FE00010
FAMILIES = (
    *((name, plant) for name in JPEGS for plant in JPEG_PLANTS.items()),
    *((name, plant) for name in JPEG_LS for plant in JPEG_LS_PLANTS.items()),
    *((name, plant) for name in JPEG_2000 for plant in JPEG_2000_PLANTS.items()),
    *((name, plant) for name in RLE for plant in RLE_PLANTS.items()),
)


def read(data: bytes) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(io.BytesIO(data))


def same_picture(before: bytes, after: bytes) -> bool:
    try:
        expected = decoded(before)
    except Exception:  # noqa: BLE001 - whatever pydicom and its decoders raise
        return True
    return numpy.array_equal(expected, decoded(after))


def cine(name: str) -> tuple[Dataset, list[bytes], numpy.ndarray]:
    """A file of several frames, its encoded frames, and its pixels; seven times the frame where there is one."""
    ds = dataset(name)
    frames, pixels = frames_of(ds), dataset(name).pixel_array
    if len(frames) > 1:
        return ds, frames, pixels
    ds.NumberOfFrames = 7
    return ds, frames * 7, numpy.stack([pixels] * 7)


# ------------------------------------------------------------------------------------------------- codestreams


@pytest.mark.parametrize(("name", "plant"), FAMILIES, ids=[f"{name}: {plant[0]}" for name, plant in FAMILIES])
def test_a_text_planted_in_a_codestream_goes_and_the_picture_stays(name: str, plant: tuple[str, object]) -> None:
    ds = dataset(name)
    streams = [plant[1](stream) for stream in frames_of(ds)]  # type: ignore[operator]
    data = with_pixels(ds, encapsulated([[stream] for stream in streams]))
    assert TEXT[:24] in data
    out = deidentified(data)
    assert TEXT[:24] not in out
    assert numpy.array_equal(decoded(out), dataset(name).pixel_array)
    assert deidentified(out) == out


@pytest.mark.parametrize("name", [*JPEGS[:2], JPEG_LS[0], JPEG_2000[0]])
@pytest.mark.parametrize("at", range(2, 14, 2))
def test_a_marker_split_between_fragments_is_found(name: str, at: int) -> None:
    ds = dataset(name)
    plants = JPEG_2000_PLANTS if name in JPEG_2000 else JPEG_PLANTS
    (stream,) = (plants["COM"](stream) for stream in frames_of(ds))
    begin = stream.index(TEXT) - 8
    begin -= begin % 2
    out = deidentified(with_pixels(ds, encapsulated([fragmented(stream, [begin + at, 2, 4])])))
    assert b"Kilroy" not in out
    assert b"Quagmire" not in out
    assert numpy.array_equal(decoded(out), dataset(name).pixel_array)


@pytest.mark.parametrize("path", bundled_files(), ids=lambda path: path.name)
def test_the_picture_of_a_real_file_stays(path: Path) -> None:
    try:
        out = deidentified(path)
    except Exception as error:  # noqa: BLE001 - what is no image
        assert type(error).__name__ == "DataFault"
        assert error.code != "BadPixelData" or path.name == "badVR.dcm"  # whose Number of Frames is text
        return
    assert same_picture(path.read_bytes(), out)


@pytest.mark.parametrize(
    ("planted", "stays"),
    [
        (JFIF, JFIF),
        (segment(0xE0, JFIF[4:18] + TEXT), JFIF),
        (segment(0xEE, b"Adobe\0d\0\0\0\0\1" + TEXT), segment(0xEE, b"Adobe\0d\0\0\0\0\1")),
    ],
)
def test_what_decoding_needs_of_an_application_segment_stays(planted: bytes, stays: bytes) -> None:
    ds = dataset(JPEGS[1])
    (stream,) = frames_of(ds)
    out = deidentified(with_pixels(ds, encapsulated([[stream[:2] + planted + stream[2:]]])))
    (after,) = frames_of(read(out))
    assert after.startswith(stream[:2] + stays)
    assert TEXT not in after


def profile(text: bytes) -> bytes:
    """The head of an ICC profile, and a text in it."""
    head = struct.pack(">I4sI4s4s4s12s4s", 200, b"test", 0x02100000, b"mntr", b"RGB ", b"XYZ ", bytes(12), b"acsp")
    return segment(0xE2, b"ICC_PROFILE\0\1\1" + head + bytes(88) + text)


def test_a_colour_profile_stays_and_is_searched() -> None:
    (stream,) = frames_of(dataset(JPEGS[0]))
    data = with_pixels(dataset(JPEGS[0]), encapsulated([[stream[:2] + profile(b"of a maker") + stream[2:]]]))
    assert b"of a maker" in deidentified(data)
    data = with_pixels(dataset(JPEGS[0]), encapsulated([[stream[:2] + profile(f"of {WORD}".encode()) + stream[2:]]]))
    with refused("ResidualIdentifier", PIXEL_DATA):
        deidentified(data, "", [Identifier("name", WORD)])


def test_an_identifier_behind_the_last_coded_pixel_is_found() -> None:
    ds = dataset(JPEGS[0])
    (stream,) = frames_of(ds)
    at = stream.rindex(b"\xff\xd9")
    data = with_pixels(ds, encapsulated([[stream[:at] + WORD.encode() + stream[at:]]]))
    with refused("ResidualIdentifier", PIXEL_DATA):
        deidentified(data, "", [Identifier("name", WORD)])


@pytest.mark.parametrize("tail", [b"", b"\0" * 6, b"\xff\xff"])
@pytest.mark.parametrize("ends", [True, False])
def test_common_dirt_at_the_end_is_no_fault(tail: bytes, ends: bool) -> None:
    ds = dataset(JPEGS[0])
    (stream,) = frames_of(ds)
    stream = stream[: stream.rindex(b"\xff\xd9") + 2 * ends] + tail
    data = with_pixels(ds, encapsulated([[stream]]))
    assert same_picture(data, deidentified(data))


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        (JPEGS[0], TEXT),
        (JPEGS[0], b"\xff\xd8\xff\xe1\xff\xff" + TEXT),
        (JPEGS[0], b"\xff\xd8\xff\xe1\0\1" + TEXT),
        (JPEGS[0], b"\xff\xd8" + segment(0x02, TEXT)),
        (JPEGS[0], b"\xff\xd8\xff\xd8"),
        (JPEG_2000[0], TEXT),
        (JPEG_2000[0], b"\xff\x4f\xff\x51\0\1" + TEXT),
        (JPEG_2000[0], b"\xff\x4f\xff\x51\xff\xff" + TEXT),
        (JPEG_2000[0], boxed(bytes(50)).replace(b"jp2c", b"jp2d")),
        (RLE[0], TEXT),
        (RLE[0], struct.pack("<16L", 16, *range(15)) + TEXT),
        (RLE[0], struct.pack("<16L", 2, 64, 1 << 31, *[0] * 13) + TEXT),
    ],
)
def test_a_codestream_that_cannot_be_understood_is_withheld(name: str, stream: bytes) -> None:
    with refused("BadPixelData", PIXEL_DATA):
        deidentified(with_pixels(dataset(name), encapsulated([[stream]])))


# ------------------------------------------------------------------------------------------------- frames and tables


@pytest.mark.parametrize("name", CINES)
@pytest.mark.parametrize("planted", [False, True])
@pytest.mark.parametrize("layout", range(5))
def test_frames_stay_in_their_places_and_tables_are_true(name: str, planted: bool, layout: int) -> None:
    ds, frames, pixels = cine(name)
    streams = [plant_any(frame, number) if planted and number % 3 else frame for number, frame in enumerate(frames)]
    _, value = list(layouts(streams))[layout]
    out = deidentified(with_pixels(ds, value))
    assert b"Kilroy" not in out
    assert numpy.array_equal(decoded(out), pixels)
    after = read(out)
    assert parse_basic_offsets(after.PixelData) in ([], true_offsets(after))


def plant_any(frame: bytes, number: int) -> bytes:
    plants = RLE_PLANTS if frame[1:4] == bytes(3) else JPEG_2000_PLANTS if frame[:2] == b"\xff\x4f" else JPEG_LS_PLANTS
    return list(plants.values())[number % len(plants)](frame)


def true_offsets(ds: Dataset) -> list[int]:
    """Where its frames begin, each of which is one fragment."""
    frames = list(generate_frames(ds.PixelData, number_of_frames=int(ds.NumberOfFrames)))
    sizes = [8 + len(frame) for frame in frames]
    return [sum(sizes[:number]) for number in range(len(sizes))]


def test_a_frame_of_several_fragments_is_told_by_its_beginning() -> None:
    ds, frames, pixels = cine(CINES[1])
    streams = [JPEG_LS_PLANTS["COM"](frame) for frame in frames]
    value = encapsulated([fragmented(stream, [10, 40, 600]) for stream in streams], spare=[TEXT])
    out = deidentified(with_pixels(ds, value))
    assert b"Kilroy" not in out
    assert numpy.array_equal(decoded(out), pixels)


@pytest.mark.parametrize("lengths_are_true", [True, False])
def test_an_extended_offset_table_is_true_again_or_goes(lengths_are_true: bool) -> None:
    ds, frames, pixels = cine(CINES[0])
    streams = [JPEG_2000_PLANTS["COM"](frame) for frame in frames]
    offsets = [sum(8 + len(stream) + len(stream) % 2 for stream in streams[:at]) for at in range(len(streams))]
    shift = 0 if lengths_are_true else 2
    ds.ExtendedOffsetTable = struct.pack(f"<{len(streams)}Q", *(offset + shift for offset in offsets))
    ds.ExtendedOffsetTableLengths = struct.pack(f"<{len(streams)}Q", *map(len, streams))
    after = read(deidentified(with_pixels(ds, encapsulated([[stream] for stream in streams]))))
    assert ("ExtendedOffsetTable" in after) is ("ExtendedOffsetTableLengths" in after) is lengths_are_true
    if lengths_are_true:
        assert list(struct.unpack(f"<{len(streams)}Q", after.ExtendedOffsetTable)) == true_offsets(after)
    assert numpy.array_equal(after.pixel_array, pixels)


@pytest.mark.parametrize("name", [*JPEGS, *JPEG_LS, *RLE, *CINES[3:]])
def test_a_clean_file_keeps_its_bytes_and_nothing_is_said(name: str) -> None:
    once = deidentified(with_pixels(dataset(name), encapsulated([[frame] for frame in frames_of(dataset(name))])))
    image = deidentifier().deidentify(once)
    assert not [each for each in image.done if each.tag == PIXEL_DATA]
    assert image.tobytes() == once


def test_what_was_dropped_is_counted() -> None:
    ds = dataset(JPEGS[0])
    (stream,) = frames_of(ds)
    stream = JPEG_PLANTS["COM"](JPEG_PLANTS["Exif"](JPEG_PLANTS["behind EOI"](stream)))
    image = deidentifier().deidentify(with_pixels(ds, encapsulated([[stream]], table=TEXT, spare=[TEXT])))
    actions = sorted(each.action for each in image.done if each.tag == PIXEL_DATA)
    assert actions == ["PIXELS_APPLICATION", "PIXELS_COMMENT", "PIXELS_OFFSETS", "PIXELS_TAIL"]


def test_video_is_searched_and_stays() -> None:
    ds = dataset(JPEGS[0])
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    data = with_pixels(ds, encapsulated([[b"\0\0\1\xb2" + f"number {DIGITS} of 9".encode() * 60_000]]))
    assert DIGITS.encode() in deidentified(data)
    with refused("ResidualIdentifier", PIXEL_DATA):
        deidentified(data, "", [Identifier("id", DIGITS)])
