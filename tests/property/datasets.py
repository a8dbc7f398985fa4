"""Any dataset that pydicom writes: every VR, items to depth 5, private blocks, character sets, both forms of length."""

from __future__ import annotations

import io
import string
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import strategies as st
from pydicom import Dataset, Sequence, dcmwrite
from pydicom.dataset import FileMetaDataset

from tests.support.streams import BIG, EXPLICIT, IMPLICIT

DEFLATED = "1.2.840.10008.1.2.1.99"
UIDS = {"implicit": IMPLICIT.uid, "explicit": EXPLICIT.uid, "big": BIG.uid, "deflated": DEFLATED}
DEPTH = 5

ALPHABETS = {
    "": "abcXYZ 019",
    "ISO_IR 100": "abcXYZ 019éüßØ",
    "ISO_IR 192": "abcXYZ 019éя山\N{GRINNING FACE}",
    "GB18030": "abcXYZ 019小东黾",
    "ISO_IR 144": "abcXYZ 019яЖщ",
    "\\ISO 2022 IR 87": "abcXYZ 019",
}
"""Characters of texts by Specific Character Set; code extensions are the unit tests' matter."""

TAGS = {
    "AE": 0x00080054, "AS": 0x00101010, "AT": 0x00280009, "CS": 0x00080060, "DA": 0x00080020, "DS": 0x00180050,
    "DT": 0x0008002A, "FD": 0x00189073, "FL": 0x00189461, "IS": 0x00200013, "LO": 0x00100020, "LT": 0x00104000,
    "OB": 0x00420011, "OD": 0x00660022, "OF": 0x00660016, "OL": 0x00660040, "OW": 0x00281201, "PN": 0x00100010,
    "SH": 0x00200010, "SL": 0x00186020, "SS": 0x00189219, "ST": 0x00080081, "TM": 0x00080030, "UC": 0x00189908,
    "UI": 0x0020000D, "UL": 0x00186016, "US": 0x00280010, "UR": 0x00081190, "UT": 0x0040A160,
}  # fmt: skip
"""An attribute of each VR (PS3.6)."""
MORE = {0x00080021: "DA", 0x00080022: "DA", 0x0008103E: "LO", 0x00081030: "LO", 0x00081155: "UI", 0x0020000E: "UI",
        0x00080018: "UI", 0x00080090: "PN", 0x00101040: "LO", 0x00102160: "SH",
        0x0040A124: "UI", 0x00404005: "DT"}  # fmt: skip
ATTRIBUTES = {tag: vr for vr, tag in TAGS.items()} | MORE
SEQUENCES = (0x00081140, 0x00082112, 0x00101002, 0x00400275, 0x0040A730)
TEXT = ("LO", "LT", "PN", "SH", "ST", "UC", "UT")


@cache
def values(vr: str, alphabet: str) -> st.SearchStrategy[Any]:
    """Legal values of a VR."""
    if vr in ("US", "SS", "UL", "SL"):
        size = 16 if vr in ("US", "SS") else 32
        low = 0 if vr.startswith("U") else -(2 ** (size - 1))
        return st.integers(low, low + 2**size - 1)
    if vr in BY_VR:
        return BY_VR[vr]
    if vr in TEXT:
        return st.text(alphabet, max_size=8).map(str.strip)
    return st.sampled_from([b"", b"8 bytes.", bytes(range(40))])


DAYS = st.dates().map(lambda day: day.strftime("%Y").zfill(4) + day.strftime("%m%d"))
TIMES = st.integers(0, 86399).map(lambda s: f"{s // 3600:02d}{s // 60 % 60:02d}{s % 60:02d}")
BY_VR: dict[str, st.SearchStrategy[Any]] = {
    "AE": st.sampled_from(["", "AE TITLE"]),
    "AS": st.integers(0, 999).map(lambda years: f"{years:03d}Y"),
    "AT": st.sampled_from([0x00100010, 0x00080005]),
    "CS": st.text(string.ascii_uppercase + "_", max_size=5),
    "DA": st.one_of(DAYS, st.just("")),
    "DS": st.integers(-(10**9), 10**9).map(lambda number: f"{number / 1000:g}"),
    "DT": st.tuples(DAYS, TIMES).map("".join),
    "FD": st.floats(allow_nan=False),
    "FL": st.floats(width=32, allow_nan=False),
    "IS": st.integers(-(2**31), 2**31 - 1).map(str),
    "TM": TIMES,
    "UI": st.tuples(st.integers(0, 99), st.integers(0, 10**9)).map(lambda parts: f"1.2.{parts[0]}.{parts[1]}"),
    "UR": st.just("urn:oid:1.2"),
}


@dataclass
class Drawn:
    """A dataset, and how its lengths are to be written."""

    dataset: Dataset
    charset: str


@st.composite
def datasets(draw: st.DrawFn, *, private: bool = True) -> Drawn:
    """A dataset with its character set; one chain of items reaches its greatest depth."""
    charset = draw(st.sampled_from(list(ALPHABETS)))
    ds = Dataset()
    for depth in range(draw(st.integers(0, DEPTH)), -1, -1):
        outer = draw(_elements(ALPHABETS[charset], private))
        if ds or depth == 0:
            items = [ds, Dataset()] if draw(st.booleans()) else [ds]
            for item in items:
                item.is_undefined_length_sequence_item = draw(st.booleans())
            tag = draw(st.sampled_from(SEQUENCES))
            outer.add_new(tag, "SQ", Sequence(items))
            outer[tag].is_undefined_length = draw(st.booleans())
        ds = outer
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", draw(values("UI", ""))
    if charset:
        ds.SpecificCharacterSet = charset.split("\\") if "\\" in charset else charset
    return Drawn(ds, charset)


@st.composite
def _elements(draw: st.DrawFn, alphabet: str, private: bool) -> Dataset:
    ds = Dataset()
    for tag in draw(st.sets(st.sampled_from(sorted(ATTRIBUTES)), max_size=6)):
        ds.add_new(tag, ATTRIBUTES[tag], draw(values(ATTRIBUTES[tag], alphabet)))
    if private and draw(st.booleans()):
        creator, group = draw(st.sampled_from(["ACME 1", "OTHER"])), draw(st.sampled_from([0x0009, 0x0011, 0x0043]))
        block = ds.private_block(group, creator, create=True)
        for offset, vr in enumerate(sorted(draw(st.sets(st.sampled_from(sorted(TAGS)), min_size=1, max_size=3)))):
            block.add_new(offset, vr, draw(values(vr, alphabet)))
    return ds


def encoded(ds: Dataset, syntax: str = "explicit") -> bytes:
    """The Part 10 file that pydicom writes of it."""
    file = Dataset()
    file.update(ds)
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = UIDS[syntax]
    file.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    file.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(out := io.BytesIO(), file, enforce_file_format=True)
    return out.getvalue()


def every_element(ds: Dataset, visit: Callable[[Any], None]) -> None:
    """Visit the elements of a dataset and its items, sequences too."""
    for element in ds:
        visit(element)
        if element.VR == "SQ":
            for item in element.value:
                every_element(item, visit)
