"""A header is read without its pixels and says what pydicom says, in every transfer syntax."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from sendit.deid.stream import header as header_module
from sendit.deid.stream.header import Header, known_tag, read_header
from sendit.deid.stream.sources import WINDOW, BytesSource
from sendit.errors import DataFault
from tests.support.phantoms import FILES, bundled

NOT_READ = {"MR_truncated.dcm", "rtplan_truncated.dcm", "badVR.dcm", "no_meta.dcm", "meta_missing_tsyntax.dcm"}
REAL = [path for path in sorted([*FILES.glob("*.dcm"), *FILES.glob("dicomdirtests/*/*/*")]) if path.is_file()]
REAL = [path for path in REAL if path.name not in NOT_READ and not path.name.startswith("IM0")]
SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
every_syntax = pytest.mark.parametrize("syntax", SYNTAXES, ids=["implicit", "explicit", "big", "deflated"])


def read(path: Path) -> FileDataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path, force=True)


def written(dataset: Dataset, syntax: Any = ExplicitVRLittleEndian) -> bytes:
    stream = io.BytesIO()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def texts_of(ds: Dataset) -> Iterator[tuple[int, tuple[str, ...]]]:
    """pydicom's strings before the pixels, by tag."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for elem in ds:
            if (
                elem.tag < 0x7FE00008
                and elem.VR in ("CS", "DA", "LO", "PN", "SH", "TM", "UI", "AE")
                and not elem.tag.is_private
            ):
                value = elem.value
                several = list(value) if isinstance(value, MultiValue) else [value] if value not in (None, "") else []
                yield int(elem.tag), tuple(str(part).strip() for part in several)


# ------------------------------------------------------------------------------------------------ real files


@pytest.mark.parametrize("path", [*REAL, *sorted(FILES.parent.glob("charset_files/*.dcm"))], ids=lambda path: path.name)
def test_a_header_says_what_pydicom_says(path: Path) -> None:
    header, ds = read_header(path), read(path)
    assert list(header) == [elem.tag for elem in ds if elem.tag < 0x7FE00008]
    for tag, values in texts_of(ds):
        said = header.get(tag)
        assert said is not None
        assert tuple(value.rstrip("=") for value in said) == values  # pydicom drops a name's empty groups
        assert header.text(tag) == "\\".join(said)
    for name in ("Rows", "Columns", "BitsAllocated"):
        assert header.get(name) == (
            (str(ds[name].value),) if ds.get(name) is not None else (() if name in ds else None)
        )
    assert header.sop_class_uid == ds.get("SOPClassUID", ds.file_meta.get("MediaStorageSOPClassUID", ""))
    if "TransferSyntaxUID" in ds.file_meta and path.name != "SC_rgb_dcmtk_+eb+cr.dcm":
        assert header.transfer_syntax == ds.file_meta.TransferSyntaxUID


def test_those_files_are_of_every_kind_of_syntax() -> None:
    found = {read_header(path).transfer_syntax for path in REAL}
    assert {str(uid) for uid in SYNTAXES} <= found
    assert len(REAL) >= 75
    assert len(found) >= 10


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "reportsi.dcm", "rtplan.dcm", "image_dfl.dcm", "MR_small_bigendian.dcm"]
)
def test_a_file_and_its_bytes_have_the_same_header(name: str) -> None:
    path = bundled(name)
    by_path, by_bytes, by_text = (read_header(source) for source in (path, path.read_bytes(), str(path)))
    for header in (by_bytes, by_text):
        assert {tag: header.raw(tag) for tag in header} == {tag: by_path.raw(tag) for tag in by_path}


def test_items_are_headers_too() -> None:
    header, ds = read_header(bundled("rtplan.dcm")), read(bundled("rtplan.dcm"))
    beams = header.items("BeamSequence")
    assert len(beams) == len(ds.BeamSequence) == len(header.get("BeamSequence") or ())
    for beam, expected in zip(beams, ds.BeamSequence, strict=True):
        assert beam.text("BeamName") == expected.BeamName
        points = beam.items("ControlPointSequence")
        assert [point.text("ControlPointIndex") for point in points] == [
            str(point.ControlPointIndex) for point in expected.ControlPointSequence
        ]


@pytest.mark.parametrize("name", ["DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-implicit"])
def test_a_dicomdir_is_read_with_its_records(name: str) -> None:
    path = FILES / "dicomdirtests" / name
    header, ds = read_header(path), read(path)
    assert header.sop_class_uid == "1.2.840.10008.1.3.10"
    assert header.get(0x00020002) == ("1.2.840.10008.1.3.10",)
    records = header.items("DirectoryRecordSequence")
    assert [record.text("DirectoryRecordType") for record in records] == [
        record.DirectoryRecordType for record in ds.DirectoryRecordSequence
    ]
    assert {record.text("PatientID") for record in records} >= {
        record.get("PatientID", "") for record in ds.DirectoryRecordSequence
    }


# ------------------------------------------------------------------------------------------------ made ones


def nested(depth: int) -> Dataset:
    dataset = Dataset()
    dataset.PatientID = f"depth-{depth}"
    if depth:
        dataset.ReferencedStudySequence = Sequence([nested(depth - 1), Dataset()])
    return dataset


@every_syntax
@pytest.mark.parametrize("undefined", [True, False])
def test_items_are_read_at_any_depth(syntax: Any, undefined: bool) -> None:
    dataset = nested(12)
    level = dataset
    while "ReferencedStudySequence" in level:
        level["ReferencedStudySequence"].is_undefined_length = undefined
        level = level.ReferencedStudySequence[0]
    header = read_header(written(dataset, syntax))
    for depth in range(12, -1, -1):
        assert header.text("PatientID") == f"depth-{depth}"
        items = header.items("ReferencedStudySequence")
        assert len(items) == (2 if depth else 0)
        header = items[0] if items else header


def test_an_item_has_its_own_character_set_or_the_one_around_it() -> None:
    dataset, own, none = Dataset(), Dataset(), Dataset()
    dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 100", "Jérôme"
    own.SpecificCharacterSet, own.PatientName = "ISO_IR 192", "山田"
    none.PatientName = "Müller"
    dataset.ReferencedPatientSequence = Sequence([own, none])
    header = read_header(written(dataset))
    assert [item.text("PatientName") for item in header.items("ReferencedPatientSequence")] == ["山田", "Müller"]
    assert (header.text("PatientName"), header.encodings) == ("Jérôme", ("latin_1",))


@every_syntax
@pytest.mark.parametrize("around", [-12, -3, -1, 0, 1, 3, WINDOW, 4 * WINDOW, 16 * WINDOW])
def test_a_header_longer_than_the_first_window_is_read_to_its_end(syntax: Any, around: int) -> None:
    dataset = Dataset()
    dataset.PatientID = "first"
    dataset.add_new(0x00081115, "SQ", Sequence([nested(2)]))
    dataset.add_new(0x0040A160, "UT", "x" * (WINDOW + around))
    dataset.add_new(0x00880906, "ST", "last")
    dataset.add_new(0x7FE00010, "OW", bytes(1000))
    header = read_header(written(dataset, syntax))
    assert (header.text("PatientID"), header.text(0x00880906)) == ("first", "last")
    assert len(header.text(0x0040A160)) == WINDOW + around
    assert 0x7FE00010 not in header


def test_pixels_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = Dataset()
    dataset.PatientID = "P"
    dataset.add_new(0x7FE00010, "OW", bytes(1_000_000))
    data, furthest = written(dataset), []
    original = BytesSource.read

    def reading(self: BytesSource, offset: int, length: int) -> bytes:
        furthest.append(offset + length)
        return original(self, offset, length)

    monkeypatch.setattr(BytesSource, "read", reading)
    assert read_header(data).text("PatientID") == "P"
    assert 0 < max(furthest) <= 2 * WINDOW


def test_a_header_without_end_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header_module, "HEADER_LIMIT", 2 * WINDOW)
    dataset = Dataset()
    dataset.add_new(0x0040A160, "UT", "x" * (3 * WINDOW))
    with pytest.raises(DataFault) as caught:
        read_header(written(dataset))
    assert caught.value.code == "TooLarge"


# ------------------------------------------------------------------------------------------------ asking


def test_an_attribute_is_absent_empty_or_has_values() -> None:
    dataset = Dataset()
    dataset.PatientID, dataset.AccessionNumber, dataset.ImageType = "P", "", ["A", "B"]
    dataset.InstanceNumber, dataset.Rows = 7, 512
    header = read_header(written(dataset))
    assert [header.get(name) for name in ("PatientID", "AccessionNumber", "ImageType", "PatientName")] == [
        ("P",),
        (),
        ("A", "B"),
        None,
    ]
    assert [header.text(name) for name in ("ImageType", "AccessionNumber", "PatientName")] == ["A\\B", "", ""]
    assert (header.get("InstanceNumber"), header.get("Rows")) == (("7",), ("512",))
    assert (header.vr("Rows"), header.vr("PatientName")) == ("US", "")
    assert (header.raw("Rows"), header.raw("PatientName")) == (b"\0\x02", b"")
    assert "PatientID" in header
    assert 0x00100020 in header
    assert "PatientName" not in header
    assert header.items("PatientName") == header.items("PatientID") == []


def test_a_keyword_that_there_is_not_is_absent() -> None:
    header = read_header(bundled("CT_small.dcm"))
    assert known_tag("NoSuchKeyword") == -1
    assert "NoSuchKeyword" not in header
    assert header.get("NoSuchKeyword") is None
    assert header.text("NoSuchKeyword") == ""


@every_syntax
def test_the_file_meta_answers_for_its_own_and_never_in_place_of_the_dataset(syntax: Any) -> None:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.PatientID = "1.2.840.10008.5.1.4.1.1.4", "P"
    header = read_header(written(dataset, syntax).replace(b"5.1.4.1.1.4", b"5.1.4.1.1.2", 1))  # in the File Meta
    assert header.get("MediaStorageSOPClassUID") == ("1.2.840.10008.5.1.4.1.1.2",)
    assert header.text("MediaStorageSOPInstanceUID") == "1.2.3.4"
    assert header.get("TransferSyntaxUID") == (str(syntax),)
    assert header.sop_class_uid == "1.2.840.10008.5.1.4.1.1.4"
    stream = io.BytesIO()
    del dataset.SOPClassUID
    dataset.save_as(stream)
    assert read_header(stream.getvalue()).sop_class_uid == "1.2.840.10008.5.1.4.1.1.2"


def test_headers_that_are_alike_in_some_attributes_are_encoded_alike() -> None:
    def made(**attributes: str) -> Header:
        dataset = Dataset()
        for name, value in attributes.items():
            setattr(dataset, name, value)
        return read_header(written(dataset))

    tags = (0x00100010, 0x00100020)
    first = made(PatientID="P", PatientName="N", StudyID="1").encoded(tags)
    assert first == made(PatientID="P", PatientName="N", StudyID="2").encoded(tags)
    assert first != made(PatientID="Q", PatientName="N", StudyID="1").encoded(tags)
    assert first != made(PatientID="P", PatientName="N", SpecificCharacterSet="ISO_IR 100").encoded(tags)
    assert first != made(PatientID="P").encoded(tags)
    assert hash(first) is not None


# ------------------------------------------------------------------------------------------------ bad files


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm"])
def test_a_file_cut_within_its_header_is_truncated(name: str) -> None:
    data = bundled(name).read_bytes()
    end = data.index(read_header(data).raw("PixelSpacing")) + 1
    with pytest.raises(DataFault) as caught:
        read_header(data[:end])
    assert caught.value.code == "Truncated"


@every_syntax
def test_a_file_cut_anywhere_is_read_or_a_fault(syntax: Any) -> None:
    data = written(nested(3), syntax)
    codes = set()
    for size in range(len(data)):
        try:
            read_header(data[:size])
        except DataFault as fault:
            codes.add(fault.code)
    assert codes >= {"EmptyFile", "NotDicom"}
    assert codes & {"Truncated", "BadDeflate"}


@pytest.mark.parametrize("content", [b"", b"not DICOM at all, only text of some length" * 10, bytes(500)])
def test_what_is_no_dicom_is_a_fault(content: bytes) -> None:
    with pytest.raises(DataFault) as caught:
        read_header(content)
    assert caught.value.code == ("NotDicom" if content else "EmptyFile")


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_header(tmp_path / "absent")
