"""What an output says of itself is what pydicom reads in it."""

from __future__ import annotations

import json
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from sendit.deid import description
from sendit.deid.description import WANTED, Describer, Instance
from sendit.deid.stream.elements import elements
from sendit.deid.stream.encodings import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from sendit.deid.stream.header import read_header
from sendit.deid.stream.heads import heads
from sendit.deid.stream.part_ten import open_part_ten
from sendit.deid.stream.sources import Bulk
from sendit.deid.stream.tags import PIXEL_DATA_TAGS
from tests.support.phantoms import FILES

TEXTS = sorted(FILES.parent.glob("charset_files/*.dcm"))
IMAGES = [
    *(
        path
        for path in sorted([*FILES.glob("*.dcm"), *FILES.glob("dicomdirtests/DICOMDIR*")])
        if "truncated" not in path.name
        and path.name not in {"badVR.dcm", "no_meta.dcm", "meta_missing_tsyntax.dcm", "DICOMDIR-nooffset"}
    ),
    *sorted(FILES.glob("dicomdirtests/*/*/*"))[::4],
]
IMAGES = [path for path in IMAGES if path.is_file()]


def pieces_of(path: Path, size: int) -> tuple[list[bytes], Any]:
    """The dataset before its pixel data in runs of `size` elements, as they stand in the file."""
    part_ten = open_part_ten(path)
    data = part_ten.source.read(part_ten.start, part_ten.source.size)
    part_ten.source.close()
    table = heads(stops=PIXEL_DATA_TAGS)[part_ten.encoding]
    ends = [0, *(end for *_, end, _ in elements(data, 0, len(data), table))]
    cuts = [*ends[:-1:size], ends[-1]]
    return [data[begin:end] for begin, end in pairwise(cuts)], part_ten


def described(path: Path, size: int = 1000, describer: Describer | None = None) -> Instance:
    pieces, part_ten = pieces_of(path, size)
    return (describer or Describer()).instance(pieces, part_ten.encoding, part_ten.syntax.uid)


def read(path: Path) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path, force=True)


def expected(ds: Dataset) -> dict[str, Any]:
    """pydicom's JSON of everything before the pixels, without bulk data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {f"{e.tag:08X}": e.to_json_dict(None, 1 << 30) for e in ds if e.tag < 0x7FE00008}


def alike(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """The members that differ; what pydicom knows of private VRs and what PS3.18 F.2.5 leaves open does not count."""
    assert list(found) == list(wanted)
    return [key for key in found if not _same(found[key], wanted[key])]


def _same(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    if found["vr"] == "UN" or "InlineBinary" in wanted:
        return "Value" not in found
    if found["vr"] != wanted["vr"]:
        return False
    ours, theirs = found.get("Value", []), wanted.get("Value", [])
    if found["vr"] == "SQ":
        return len(ours) == len(theirs) and not any(alike(*items) for items in zip(ours, theirs, strict=True))
    return ours == [(value.rstrip(" \0") or None) if isinstance(value, str) else value for value in theirs]


@pytest.mark.parametrize("path", [*TEXTS, *IMAGES], ids=lambda path: path.name)
def test_the_header_is_the_dicom_json_that_pydicom_makes(path: Path) -> None:
    assert alike(json.loads(described(path).header_json), expected(read(path))) == []


def test_the_files_of_that_test_are_most_of_the_bundled_ones() -> None:
    assert len(TEXTS) >= 16
    assert len(IMAGES) >= 75


@pytest.mark.parametrize("path", [*TEXTS[::3], *IMAGES[::12]], ids=lambda path: path.name)
@pytest.mark.parametrize("size", [1, 3])
def test_how_the_elements_are_cut_into_pieces_does_not_show(path: Path, size: int) -> None:
    pieces = described(path, size)
    assert pieces.header_json == described(path).header_json
    assert {name: getattr(pieces, name) for name in WANTED} == {name: getattr(described(path), name) for name in WANTED}
    assert pieces.attributes == described(path).attributes


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_an_instance_says_what_pydicom_reads(path: Path) -> None:
    ds, instance = read(path), described(path)
    for name, tag in WANTED.items():
        value = ds[tag].value if tag in ds else None
        value = value[0] if isinstance(value, pydicom.multival.MultiValue) else value
        said = getattr(instance, name)
        assert said == (int(value) if value not in (None, "") else None) if _is_number(name) else said == (value or "")
    assert instance.transfer_syntax_uid == read_header(path).transfer_syntax


def _is_number(name: str) -> bool:
    return name.endswith("_number") or name in ("rows", "columns", "number_of_frames")


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_attributes_are_pydicoms_in_the_root_or_the_shared_groups(path: Path) -> None:
    dataset, found = read(path), described(path).attributes
    shared = Dataset()
    for item in dataset.get("SharedFunctionalGroupsSequence", []):
        for element in item.iterall():
            shared.setdefault(element.tag, element)
    for keyword in description.ATTRIBUTES:
        where = dataset if keyword in dataset else shared
        element = where[keyword] if keyword in where else None  # noqa: SIM401 - get() gives the value
        wanted = [] if element is None or element.value in (None, "", b"") else element.value
        wanted = list(wanted) if element is not None and element.VM > 1 else [wanted] if wanted != [] else []
        assert [str(value) for value in found.get(keyword, ())] == [str(value).strip() for value in wanted], keyword


def test_a_describer_that_has_seen_others_says_the_same() -> None:
    together = Describer()
    for path in [*TEXTS, *IMAGES[::4], *TEXTS]:
        assert described(path, 1, together) == described(path, 1)


def test_a_describer_forgets_and_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(description, "MEMO_BYTES", 2000)
    together = Describer()
    for path in [*TEXTS, *TEXTS]:
        assert described(path, 1, together) == described(path, 1)
        assert together._bytes <= 2000 or len(together._known) == 1


# ------------------------------------------------------------------------------------------------ one member


def member(encoding: Any, tag: int, vr: str, raw: bytes, charset: bytes = b"") -> Any:
    data = encoding.write(0x00080005, "CS", charset) if charset else b""
    said = Describer().instance(
        [data, encoding.write(tag, vr, raw)] if data else [encoding.write(tag, vr, raw)], encoding, ""
    )
    return json.loads(said.header_json)[f"{tag:08X}"]


@pytest.mark.parametrize(
    ("tag", "vr", "raw", "wanted"),
    [
        (0x00081030, "LO", b"", {"vr": "LO"}),
        (0x00081030, "LO", b"a\\b ", {"vr": "LO", "Value": ["a", "b"]}),
        (0x00080008, "CS", b"A\\\\B ", {"vr": "CS", "Value": ["A", None, "B"]}),
        (0x00204000, "LT", b"a\\b ", {"vr": "LT", "Value": ["a\\b"]}),
        (0x00200013, "IS", b"-7\\012", {"vr": "IS", "Value": [-7, 12]}),
        (0x00200032, "DS", b"1.5\\-2e3\\+4", {"vr": "DS", "Value": [1.5, -2000.0, 4]}),
        (0x00200013, "IS", b"1A", {"vr": "IS"}),
        (0x00089459, "FL", b"\x00\x00\x80\xff", {"vr": "FL", "Value": ["-inf"]}),
        (0x00280009, "AT", b"\x18\x00\x63\x10", {"vr": "AT", "Value": ["00181063"]}),
        (0x00111001, "UN", b"opaque", {"vr": "UN"}),
        (0x00282000, "OB", b"opaque", {"vr": "OB"}),
    ],
)
def test_a_member_has_the_form_of_ps3_18_annex_f(tag: int, vr: str, raw: bytes, wanted: Any) -> None:
    assert member(EXPLICIT_LE, tag, vr, raw) == wanted


@pytest.mark.parametrize(("signed", "vr", "value"), [(1, "SS", -2000), (0, "US", 63536)])
def test_an_implicit_value_is_signed_where_the_pixels_are(signed: int, vr: str, value: int) -> None:
    """Pixel Padding Value is "US or SS" in PS3.6, by Pixel Representation; Rows is US in any case."""
    describer, padding = Describer(), IMPLICIT_LE.write(0x00280120, "SS", (-2000).to_bytes(2, "little", signed=True))
    first = [IMPLICIT_LE.write(0x00280010, "US", b"\xff\xff"), IMPLICIT_LE.write(0x00280103, "US", bytes([signed, 0]))]
    for _ in range(2):
        said = json.loads(describer.instance([*first, padding], IMPLICIT_LE, "").header_json)
        assert (said["00280120"], said["00280010"]["Value"]) == ({"vr": vr, "Value": [value]}, [65535])
        assert json.loads(describer.instance([padding], IMPLICIT_LE, "").header_json)["00280120"]["vr"] == "US"


def test_a_name_has_its_groups_apart() -> None:
    found = member(EXPLICIT_LE, 0x00100010, "PN", "A^B=山=C\\D ".encode(), b"ISO_IR 192")
    first = {"Alphabetic": "A^B", "Ideographic": "山", "Phonetic": "C"}
    assert found == {"vr": "PN", "Value": [first, {"Alphabetic": "D"}]}


@pytest.mark.parametrize("encoding", [EXPLICIT_LE, EXPLICIT_BE, IMPLICIT_LE], ids=["LE", "BE", "implicit"])
def test_bulk_data_is_named_and_not_described(encoding: Any) -> None:
    head = encoding.write(0x7FE00010, "OW", b"")[:-4] + b"\xff" * 4
    said = Describer().instance(
        [encoding.write(0x00280010, "US", encoding.write(0, "US", b"")[:2]), Bulk(0x7FE00010, head, 0, 100)],
        encoding,
        "",
    )
    assert json.loads(said.header_json) == {"00280010": {"vr": "US", "Value": [0]}, "7FE00010": {"vr": "OW"}}


def test_nothing_says_nothing() -> None:
    said = Describer().instance([], EXPLICIT_LE, "1.2")
    assert said == Instance(transfer_syntax_uid="1.2")
    assert said.header_json == "{}"


def test_the_header_is_not_in_the_instances_repr() -> None:
    said = Describer().instance([EXPLICIT_LE.write(0x00204000, "LT", b"comments")], EXPLICIT_LE, "")
    assert "comments" in said.header_json
    assert "comments" not in repr(said)
