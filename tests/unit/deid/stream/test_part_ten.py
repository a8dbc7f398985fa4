"""Reading: transfer syntaxes, Part 10 and bare datasets, and what is malformed."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import pytest

from sendit.deid import read_header
from sendit.deid.stream.elements import DEPTH_LIMIT
from sendit.deid.stream.encodings import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, transfer_syntax
from sendit.deid.stream.sources import HEADER_LIMIT, FileSource
from sendit.deid.stream.tags import effective_vr
from tests.support.phantoms import WORD, bundled
from tests.support.streams import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    SYNTAXES,
    UNDEFINED,
    Syntax,
    bundled_files,
    dataset_of,
    deidentified,
    deidentifier,
    differences,
    even,
    part10,
    read,
    refused,
    split_part10,
)

NO_DICOM = {
    "rtplan.dump", "zipMR.gz", "rtstruct.dump", "crayons.icc", "README.txt", "meta_missing_tsyntax.dcm", "test_PN.json",
    "test1.json", "no_meta.dcm", "README", "FileInfo.txt",
}  # fmt: skip
NO_NUMBER_OF_FRAMES = {"badVR.dcm"}
NOT_ALL_PICTURE = {
    "693_J2KI.dcm", "GDCMJ2K_TextGBR.dcm", "J2K_pixelrep_mismatch.dcm", "JPEG-lossy.dcm",
    "JPEG2000-embedded-sequence-delimiter.dcm", "JPEG2000.dcm", "JPGExtended.dcm", "MR_small_jp2klossless.dcm",
    "MR_small_padded.dcm", "SC_rgb_gdcm_KY.dcm", "SC_rgb_jls_lossy_line.dcm", "SC_rgb_jls_lossy_sample.dcm",
    "SC_rgb_jpeg.dcm", "examples_jpeg2k.dcm", "rtdose_rle.dcm",
}  # fmt: skip
"""Files whose Pixel Data holds comments, tables or padding that are no picture."""
TRUNCATED = {"rtplan_truncated.dcm", "MR_truncated.dcm", "DICOMDIR-nooffset"}
NAME, PATIENT_ID, MODALITY = 0x00100010, 0x00100020, 0x00080060


def name(syntax: Syntax, text: str = WORD) -> bytes:
    return syntax.element(NAME, "PN", even(text))


# ------------------------------------------------------------------------------------------------- bundled files


@pytest.mark.parametrize("path", bundled_files(), ids=lambda path: path.name)
def test_every_bundled_file_comes_out_equal_where_no_rule_speaks_or_is_refused(path: Path) -> None:
    if path.name in NO_DICOM:
        with refused("NotDicom"):
            deidentified(path)
    elif path.name in TRUNCATED:
        with refused("Truncated"):
            deidentified(path)
    elif path.name in NO_NUMBER_OF_FRAMES:
        with refused("BadPixelData"):
            deidentified(path)
    else:
        before, after = read(path), read(deidentified(path))
        if "SOPInstanceUID" not in before:  # it is then the File Meta's
            after.pop("SOPInstanceUID", None)
        if path.name in NOT_ALL_PICTURE:  # tests/unit/deid/pixels compares what is decoded
            assert after.pop("PixelData").value != before.pop("PixelData").value
        assert differences(before, after) == []
        assert before.get("PixelData") == after.get("PixelData")


def test_the_bundled_files_cover_the_transfer_syntaxes() -> None:
    found = {read_header(path).transfer_syntax for path in bundled_files() if path.suffix == ".dcm"
             and path.name not in NO_DICOM | TRUNCATED}  # fmt: skip
    jpeg, jpeg_ls, jpeg_2000 = ("50", "51", "70"), ("80", "81"), ("90", "91")
    assert found >= {IMPLICIT.uid, EXPLICIT.uid, BIG.uid, "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"}
    assert found >= {f"1.2.840.10008.1.2.4.{number}" for number in (*jpeg, *jpeg_ls, *jpeg_2000)}


@pytest.mark.parametrize(
    "uid", [f"1.2.840.10008.1.2.4.{n}" for n in (50, 57, 80, 90, 102, "102.1", 201, 203)]
    + ["1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"],
)  # fmt: skip
def test_any_encapsulated_syntax_is_read_as_explicit_little_endian(uid: str) -> None:
    syntax = transfer_syntax(uid.encode())
    assert (syntax.encoding, syntax.encapsulated, syntax.deflated) == (EXPLICIT_LE, True, False)


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"])
def test_a_deflated_dataset_is_inflated_and_deflated_again(uid: str) -> None:
    content = name(EXPLICIT) + EXPLICIT.element(0x00280010, "US", b"\x10\0")
    deflate = zlib.compressobj(wbits=-15)
    data = part10(deflate.compress(content) + deflate.flush() + b"\0", uid)
    meta, after = split_part10(deidentified(data, "REMOVE PatientName"))
    assert meta[0x00020010].rstrip(b"\0").decode() == uid
    assert len(after) % 2 == 0
    assert zlib.decompress(after, wbits=-15) == EXPLICIT.element(0x00280010, "US", b"\x10\0")


@pytest.mark.parametrize("uid", ["1.2.840.113619.5.2", "1.2.3", WORD, "1.2.840.10008.1.2.4.", "1.2.840.10008.1.20"])
def test_an_unknown_transfer_syntax_is_refused(uid: str) -> None:
    with refused("UnknownTransferSyntax", 0x00020010):
        deidentified(part10(name(EXPLICIT), uid))


# ------------------------------------------------------------------------------------------------- opening


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda s: s.uid)
def test_a_bare_dataset_is_recognized_by_its_first_element(syntax: Syntax) -> None:
    content = syntax.element(MODALITY, "CS", b"CT") + name(syntax)
    out = deidentified(content)
    meta, after = split_part10(out)
    assert after == content
    assert meta[0x00020010].rstrip(b"\0").decode() == syntax.uid


def test_a_file_without_preamble_is_read() -> None:
    content = name(EXPLICIT)
    assert dataset_of(part10(content)[132:]) == content


def test_a_group_length_may_come_first_in_a_bare_dataset() -> None:
    content = IMPLICIT.element(0x00080000, "UL", b"\4\0\0\0") + IMPLICIT.element(0x00280010, "US", b"\1\0")
    assert read_header(content).transfer_syntax == IMPLICIT.uid


@pytest.mark.parametrize(
    ("declared", "written"), [(EXPLICIT, IMPLICIT), (IMPLICIT, EXPLICIT), (BIG, EXPLICIT)], ids=lambda s: s.uid
)
def test_a_wrongly_declared_syntax_is_read_as_it_is_written_and_declared_rightly(
    declared: Syntax, written: Syntax
) -> None:
    content = written.element(MODALITY, "CS", b"CT") + name(written)
    meta, after = split_part10(deidentified(part10(content, declared)))
    assert after == content
    assert meta[0x00020010].rstrip(b"\0").decode() == written.uid


@pytest.mark.parametrize("data", [f"{WORD} is no DICOM. ".encode() * 50, bytes(4096), b"\xff" * 4096, b"DICM", b"P\1"])
def test_what_is_not_dicom_is_refused(data: bytes) -> None:
    with refused("NotDicom"):
        deidentified(data)


def test_an_empty_file_is_refused_as_such(tmp_path: Path) -> None:
    (tmp_path / WORD).touch()
    with refused("EmptyFile"):
        deidentified(tmp_path / WORD)


def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / WORD)
    with refused("NotDicom"):
        read_header(tmp_path / WORD)


def test_a_file_that_is_not_there_is_an_os_error_without_a_second_one(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    with pytest.raises(FileNotFoundError):
        FileSource(tmp_path / "none")
    assert not recwarn.list


def test_an_element_of_the_file_meta_that_passes_the_end_is_refused() -> None:
    with refused("Truncated", 0x00020010):
        deidentified(bytes(128) + b"DICM" + EXPLICIT.element(0x00020010, "UI", b"1.2", size=0xFFFE))


def test_a_file_meta_larger_than_any_sane_one_is_refused() -> None:
    private = EXPLICIT.element(0x00020102, "OB", bytes(17 << 20))
    with refused("TooLarge", 0x00020102):
        deidentified(part10(name(EXPLICIT), more=private))


# ------------------------------------------------------------------------------------------------- malformed


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda s: s.uid)
def test_a_file_that_ends_anywhere_within_an_element_is_refused(syntax: Syntax) -> None:
    nested = syntax.sequence(0x00081140, [name(syntax)], delimited=True, items_delimited=True)
    content = syntax.element(MODALITY, "CS", b"CT") + nested + name(syntax)
    whole = len(syntax.element(MODALITY, "CS", b"CT"))
    for end in set(range(1, len(content))) - {whole, len(content) - len(name(syntax))}:
        if end >= 8:
            with refused("Truncated"):
                deidentified(part10(content[:end], syntax))


@pytest.mark.parametrize("vr", ["??", "  ", "\0\0", "xx", "ZZ"])
def test_an_unknown_vr_whose_length_leaves_a_doubt_is_refused(vr: str) -> None:
    bad = struct.pack("<HH", 0x0010, 0x0020) + vr.encode() + b"\4\0" + b"12345"
    with refused("BadElement", PATIENT_ID):
        deidentified(part10(EXPLICIT.element(MODALITY, "CS", b"CT") + bad))


def test_pixel_data_as_a_sequence_is_refused() -> None:
    with refused("BadElement", 0x7FE00010):
        deidentified(part10(EXPLICIT.element(0x7FE00010, "SQ", EXPLICIT.item(name(EXPLICIT)))))


@pytest.mark.parametrize("tag", [0xFFFEE000])
def test_a_tag_that_no_dataset_holds_is_refused(tag: int) -> None:
    with refused("BadElement"):
        deidentified(part10(EXPLICIT.element(MODALITY, "CS", b"CT") + EXPLICIT.element(tag, "UL", b"\4\0\0\0")))


@pytest.mark.parametrize("vr", ["LO", "US", "UT", "OF"])
def test_an_undefined_length_where_none_may_be_is_refused(vr: str) -> None:
    size = UNDEFINED if vr in ("UT", "OF") else 0xFFFF
    with refused("BadElement" if size == UNDEFINED else "Truncated"):
        deidentified(part10(EXPLICIT.element(0x00189999, vr, EXPLICIT.mark(0xE0DD, 0), size=size)))


@pytest.mark.parametrize(
    "value",
    [
        EXPLICIT.mark(0xE000, 8),  # an item longer than the sequence
        EXPLICIT.mark(0xE0DD, 0),  # a delimiter in defined length
        EXPLICIT.mark(0xE00D, 0),
        name(EXPLICIT),  # an element where an item is to be
        EXPLICIT.item(b"") + b"\0" * 4,
        EXPLICIT.mark(0xE000, UNDEFINED) + name(EXPLICIT) + EXPLICIT.mark(0xE0DD, 0),
        EXPLICIT.item(EXPLICIT.mark(0xE00D, 0)),
    ],
)
def test_items_that_do_not_add_up_are_refused_whether_walked_or_kept(value: bytes) -> None:
    data = part10(EXPLICIT.element(0x00081140, "SQ", value))
    for rules in ("", "KEEP ReferencedImageSequence", "KEEP ALL"):
        with pytest.raises(Exception) as caught:
            deidentified(data, rules)
        with refused(caught.value.code):  # type: ignore[attr-defined]
            deidentified(data, rules)
        assert caught.value.code in ("BadSequence", "Truncated")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "value",
    [
        EXPLICIT.mark(0xE000, 8),
        EXPLICIT.mark(0xE0DD, 8) + bytes(8),
        EXPLICIT.mark(0xE000, UNDEFINED) + EXPLICIT.mark(0xE0DD, 0),
        EXPLICIT.mark(0xE000, 0xFFFFFFFE),
        name(EXPLICIT),
    ],
)
def test_encapsulated_pixel_data_that_does_not_add_up_is_refused(value: bytes) -> None:
    data = part10(EXPLICIT.element(0x7FE00010, "OB", value, UNDEFINED), "1.2.840.10008.1.2.5")
    with pytest.raises(Exception) as caught:
        deidentified(data)
    with refused(caught.value.code, 0x7FE00010):  # type: ignore[attr-defined]
        deidentified(data)


@pytest.mark.parametrize("delimited", [False, True])
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda s: s.uid)
def test_sequences_deeper_than_the_limit_are_refused_and_up_to_it_are_read(syntax: Syntax, delimited: bool) -> None:
    def nested(depth: int) -> bytes:
        content = name(syntax)
        for _ in range(depth):
            content = syntax.sequence(0x00081140, [content], delimited=delimited, items_delimited=delimited)
        return part10(content, syntax)

    assert WORD.encode() not in deidentified(nested(DEPTH_LIMIT - 1), "REMOVE PatientName")
    for rules in ("REMOVE PatientName", "KEEP ALL"):
        with refused("TooDeep"):
            deidentified(nested(DEPTH_LIMIT + 2), rules)
    with refused("TooDeep"):
        deidentified(nested(5000))


def test_a_tag_that_stands_twice_is_refused() -> None:
    twice = name(EXPLICIT) + name(EXPLICIT, "Other")
    with refused("DuplicateElement", NAME):
        deidentified(part10(twice))
    with refused("DuplicateElement", NAME):
        deidentified(part10(EXPLICIT.sequence(0x00081140, [twice])))


# ------------------------------------------------------------------------------------------------- bounds


def test_an_inflate_bomb_is_refused_within_its_limit() -> None:
    deflate = zlib.compressobj(9, wbits=-15)
    bomb = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(200)) + deflate.flush()
    with refused("BadDeflate"):
        deidentified(part10(bomb, "1.2.840.10008.1.2.1.99"))


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_deflated_dataset_that_is_cut_or_is_none_is_refused(cut: int) -> None:
    data = bundled("image_dfl.dcm").read_bytes()
    with refused("BadDeflate"):
        deidentified(data[:-cut] if cut > 1 else part10(b"\xff" * 100, "1.2.840.10008.1.2.1.99"))


def test_a_header_value_larger_than_the_limit_is_refused_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.dcm"
    size = HEADER_LIMIT + 1024
    with path.open("wb") as file:
        file.write(part10(EXPLICIT.element(0x00104000, "UT", size=size)))
        file.truncate(file.tell() + size)
    with refused("TooLarge"):
        deidentified(path)
    with refused("TooLarge"):
        read_header(path)


# ------------------------------------------------------------------------------------------------- VRs


@pytest.mark.parametrize(
    ("tag", "written", "effective"),
    [
        (NAME, "PN", "PN"),
        (NAME, "LO", "PN"),
        (NAME, "UN", "PN"),
        (NAME, "", "PN"),
        (0x00280106, "SS", "SS"),
        (0x00280106, "", "US"),
        (0x7FE00010, "OB", "OB"),
        (0x7FE00010, "", "OW"),
        (0x60023000, "", "OW"),
        (0x00091001, "LO", "LO"),
        (0x00091001, "", "UN"),
        (0x00090010, "UN", "LO"),
        (0x00189999, "SH", "SH"),
        (0x00189999, "", "UN"),
    ],
)
def test_rules_go_by_the_written_vr_where_the_dictionary_allows_it(tag: int, written: str, effective: str) -> None:
    assert effective_vr(tag, written) == effective


def test_the_three_encodings_write_what_the_tests_write_by_hand() -> None:
    for encoding, syntax in ((IMPLICIT_LE, IMPLICIT), (EXPLICIT_LE, EXPLICIT), (EXPLICIT_BE, BIG)):
        for vr in ("PN", "UT", "OB", "US"):
            assert encoding.write(NAME, vr, b"abcd") == syntax.element(NAME, vr, b"abcd")


def test_a_value_too_long_for_its_short_form_is_refused() -> None:
    with refused("NotEncodable", NAME):
        EXPLICIT_LE.write(NAME, "PN", bytes(0xFFFF + 1))


# ------------------------------------------------------------------------------------------------- sources


def test_a_source_is_closed_whatever_happens(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(part10(name(EXPLICIT)))
    bad.write_bytes(part10(name(EXPLICIT)[:-2]))
    read_header(good)
    deidentifier().deidentify(good).tobytes()
    deidentifier().deidentify(good).write(tmp_path / "out")
    deidentifier().deidentify(good).close()
    for source in (bad, tmp_path / "out2"):
        with pytest.raises(Exception):  # noqa: B017
            deidentified(source)
    assert len(os.listdir("/proc/self/fd")) == before
