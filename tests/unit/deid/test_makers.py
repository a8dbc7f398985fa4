"""What other makers say in private elements for converters: numbers and defined terms stay, and nothing else."""

from __future__ import annotations

import gzip
import io

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset

from sendit.deid import Deidentifier, Pseudonyms, load_recipe
from tests.support.mosaics import Mosaic, protocol

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
PLANTED = "Kowalczyk"


def image(syntax: str = EXPLICIT) -> FileDataset:
    ds = FileDataset(None, {}, file_meta=FileMetaDataset(), preamble=bytes(128))
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID, ds.SOPInstanceUID, ds.PatientName = "1.2.840.10008.5.1.4.1.1.4", "1.2.3", "Kowalczyk^Zofia"
    ds.ImageType, ds.Modality = ["ORIGINAL", "PRIMARY"], "MR"
    return ds


def written(ds: FileDataset) -> bytes:
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def deidentify(data: bytes) -> bytes:
    variables = {"entity_id": "E1", "item_id": "I1", "jitter": 5}
    deidentifier = Deidentifier(load_recipe("research"), Pseudonyms(b"a key that tests have"), variables)
    return deidentifier.deidentify(data).tobytes()


def deidentified(ds: FileDataset) -> Dataset:
    return read(deidentify(written(ds)))


def read(data: bytes) -> Dataset:
    return dcmread(io.BytesIO(data))


KEPT = [
    ("SIEMENS MR SDI 02", 0x0021, 0x04, "DS", "1.25"),
    ("SIEMENS MR SDI 02", 0x0021, 0x1C, "IS", "1"),
    ("SIEMENS MR SDI 02", 0x0021, 0x42, "IS", "2100"),
    ("SIEMENS MR SDI 02", 0x0021, 0x53, "FD", 31.25),
    ("SIEMENS MR SDI 02", 0x0021, 0x56, "LO", "p2 s2"),
    ("SIEMENS MR SDI 02", 0x0021, 0x58, "SH", "96p*96"),
    ("SIEMENS MR SDS 01", 0x0021, 0x0C, "SH", "+LPH"),
    ("SIEMENS MR HEADER", 0x0051, 0x0E, "LO", "Tra>Cor(-6.2)"),
    ("SIEMENS MR HEADER", 0x0051, 0x0F, "LO", "T:HEA;HEP"),
    ("SIEMENS MR HEADER", 0x0051, 0x0F, "LO", "HE1-4;NE1,2;SP3"),
    ("GEMS_RELA_01", 0x0021, 0x5E, "DS", "12500"),
    ("GEMS_ACQU_01", 0x0019, 0x9C, "LO", "epiRT"),
    ("Philips MR Imaging DD 001", 0x2005, 0x71, "FL", 1.5),
    ("Philips MR Imaging DD 005", 0x2005, 0x13, "IS", "3"),
    ("Image Private Header", 0x0065, 0x37, "FD", [0.0, 0.6, 0.8]),
    ("Image Private Header", 0x0065, 0x50, "DS", "25"),
]
GONE = [
    ("SIEMENS MR SDI 02", 0x0021, 0x1C, "IS", "7"),
    ("SIEMENS MR SDI 02", 0x0021, 0x56, "LO", PLANTED),
    ("SIEMENS MR SDI 02", 0x0021, 0x58, "SH", "Zofia"),
    ("SIEMENS MR SDI 02", 0x0021, 0x75, "CS", "KOWALCZYK"),
    ("SIEMENS MR HEADER", 0x0051, 0x0E, "LO", "Zofia"),
    ("SIEMENS MR HEADER", 0x0051, 0x0F, "LO", "T:ZOFIA"),
    ("SIEMENS MR SDI 02", 0x0021, 0x4F, "LO", "Dr Abernathy's coil"),
    ("GEMS_RELA_01", 0x0021, 0x5E, "DS", "369000000"),
    ("GEMS_ACQU_01", 0x0019, 0x9C, "LO", "zofia_epi"),
    ("Philips MR Imaging DD 005", 0x2005, 0x29, "CS", "ZOFIA"),
    ("Image Private Header", 0x0065, 0x05, "SH", PLANTED),
]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize(("creator", "group", "offset", "vr", "value"), KEPT)
def test_a_number_or_term_stays(creator: str, group: int, offset: int, vr: str, value: object, syntax: str) -> None:
    ds = image(syntax)
    ds.private_block(group, creator, create=True).add_new(offset, vr, value)
    tag, data = group << 16 | 0x1000 | offset, written(ds)
    assert read(deidentify(data)).get_item(tag).value == read(data).get_item(tag).value


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize(("creator", "group", "offset", "vr", "value"), GONE)
def test_anything_else_goes(creator: str, group: int, offset: int, vr: str, value: object, syntax: str) -> None:
    ds = image(syntax)
    ds.private_block(group, creator, create=True).add_new(offset, vr, value)
    assert group << 16 | 0x1000 | offset not in deidentified(ds)


def test_xa_sequences_keep_what_is_known_and_their_items_rules() -> None:
    ds, item, frame = image(), Dataset(), Dataset()
    block = item.private_block(0x0021, "SIEMENS MR SDI 02", create=True)
    block.add_new(0x04, "DS", "1.25")
    block.add_new(0x0F, "LO", PLANTED)
    item.PatientName, item.AcquisitionDateTime = "Kowalczyk^Zofia", "20200131101500"
    frame.private_block(0x0021, "SIEMENS MR SDI 02", create=True).add_new(0xFE, "SQ", [item])
    ds.PerFrameFunctionalGroupsSequence = [frame]
    after = deidentified(ds)
    (found,) = after.PerFrameFunctionalGroupsSequence[0].private_block(0x0021, "SIEMENS MR SDI 02")[0xFE].value
    known = found.private_block(0x0021, "SIEMENS MR SDI 02")
    assert known[0x04].value == 1.25 and 0x0F not in known
    assert found.PatientName == "E1" and found.AcquisitionDateTime[:8] == "20200205"


def test_what_is_written_as_unknown_in_the_place_of_such_a_sequence_goes() -> None:
    ds = image()
    ds.private_block(0x0021, "SIEMENS MR SDI 02", create=True).add_new(0xFE, "UN", b"Kowalczyk^Zofia!")
    assert 0x002110FE not in deidentified(ds)


@pytest.mark.parametrize("vr", ["OB", "UN"])
def test_protocols_are_made_anew(vr: str) -> None:
    ds = image()
    settings = {"sFastImaging__lEchoSpacing": 560, "tProtocolName": f'""{PLANTED}""'}
    ds.private_block(0x0021, "SIEMENS MR SDS 01", create=True).add_new(0x19, vr, protocol(**settings).encode() + b" ")
    block = gzip.compress(f'set SLICEORDER "1"\nset PATNAME "{PLANTED}"\n'.encode())
    ds.private_block(0x0025, "GEMS_SERS_01", create=True).add_new(0x1B, vr, block + bytes(len(block) % 2))
    after = deidentified(ds)
    siemens = after.private_block(0x0021, "SIEMENS MR SDS 01")[0x19].value
    assert b"lEchoSpacing\t = \t560" in siemens and PLANTED.encode() not in siemens
    assert gzip.decompress(after.private_block(0x0025, "GEMS_SERS_01")[0x1B].value) == b'set SLICEORDER "1"\n'


def test_a_header_that_passes_the_first_window_is_read_whole() -> None:
    """Siemens' headers are of a hundred kilobytes; the engine begins with sixteen."""
    big = Mosaic(settings={f"sSliceArray__asSlice[{n}]__dThickness": 3 for n in range(900)})
    ds = big.dataset()
    assert len(ds[0x00291020].value) > 32 * 1024
    ds.private_block(0x0051, "SIEMENS MR HEADER", create=True).add_new(0x0E, "LO", "Tra")
    after = deidentified(ds)
    assert after[0x00291020].value.count(b"dThickness") == 900 and after.PixelData == ds.PixelData
    assert after[0x0051100E].value == "Tra"
