"""Every attribute of PS3.6 holds what it may not, at the root and in an item: nothing of it is in the output.

What is planted names somebody whom no header knows, says a way to reach them, or tells a true day. It is looked for in
the output's bytes, and in its values as pydicom reads them.
"""

from __future__ import annotations

import io
import random
import re
import warnings
from collections.abc import Iterator, Sequence

import pytest
from pydicom import Dataset, dcmread
from pydicom._dicom_dict import DicomDictionary

from sendit.deid import Deidentifier, Identifier, Pseudonyms, load_recipe
from sendit.deid.stream.values import BYTES_VRS, NUMBERS
from tests.support.streams import EXPLICIT, KEY, VARIABLES, even, part10

STUDY_DAY = "20170923"
PLANTED: dict[str, tuple[str, ...]] = {
    "Dr. Susanne Hoffmann": ("susanne", "hoffmann"),
    "reported by Fernandez": ("fernandez",),
    "Gonzalez^Ricardo": ("gonzalez", "ricardo"),
    "r.gonzalez@kantonsspital.example": ("gonzalez", "kantonsspital"),
    "+49 6221 56-7401": ("56-7401", "567401"),
    "MRN 7734512": ("7734512",),
    "192.168.4.71": ("192.168.4.71",),
    STUDY_DAY: (STUDY_DAY,),
    STUDY_DAY + "114502": (STUDY_DAY,),
    "1506167102": ("1506167102",),
    "23.09.17": ("23.09.17",),
    "2017-09-23T11:45:02": ("2017-09-23",),
    f"1.2.826.0.1.3680043.9.{STUDY_DAY}114502.3": (STUDY_DAY,),
}
SHAPES = ("{}", "FLASH {}", "fl3d_{}_cor", "AXIAL\\{}", "{} ")
MARKS = re.compile("|".join(re.escape(mark) for marks in PLANTED.values() for mark in marks).encode(), re.IGNORECASE)
OF_ANY_VR = ("MRN 7734512", STUDY_DAY, "2017-09-23T11:45:02")
UIDS = {0x00080016: b"1.2.840.10008.5.1.4.1.1.4", 0x00080018: b"1.2.3.4", 0x0020000D: b"1.2.3", 0x0020000E: b"1.2.3.1"}
NEEDED = (0x00080005, 0x00080020, *UIDS)
PALETTES, PIXELS = range(0x00281101, 0x00281300), (0x7FE00008, 0x7FE00009, 0x7FE00010)
SOURCE_IMAGE_SEQUENCE = 0x00082112


def attributes() -> Iterator[tuple[int, str]]:
    """Tag and VR of what an image may hold beside what it must."""
    for tag, (vrs, _, _, _, keyword) in sorted(DicomDictionary.items()):
        vr = vrs.split(" or ")[0]
        stays_out = tag in NEEDED or tag in PIXELS or tag in PALETTES or not 0x0008 <= tag >> 16 < 0xFFF0
        if keyword and not stays_out and vr not in ("SQ", "NONE", ""):
            yield tag, vr


def image(chance: random.Random, *, nested: bool, vr: str = "", choice: Sequence[str] = ()) -> bytes:
    """A file in which every attribute has a value that is drawn of what is planted, in one of the SHAPES."""
    elements = {}
    for tag, own in attributes():
        planted = chance.choice(SHAPES).format(chance.choice(choice or list(PLANTED)))
        elements[tag] = EXPLICIT.element(tag, vr or own, even(planted))
    if nested:
        item = b"".join(elements.values())
        elements = {SOURCE_IMAGE_SEQUENCE: EXPLICIT.sequence(SOURCE_IMAGE_SEQUENCE, [item])}
    elements |= {tag: EXPLICIT.element(tag, "UI", even(uid, b"\0")) for tag, uid in UIDS.items()}
    elements[0x00080005] = EXPLICIT.element(0x00080005, "CS", b"ISO_IR 192")
    elements[0x00080020] = EXPLICIT.element(0x00080020, "DA", STUDY_DAY.encode())
    return part10(b"".join(elements[tag] for tag in sorted(elements)))


def raw_values(ds: Dataset) -> Iterator[tuple[str, bytes]]:
    for tag in sorted(ds.keys()):
        element = ds.get_item(tag)
        if element is None or element.VR == "SQ" or isinstance(element.value, list):
            for item in ds[tag].value:
                yield from raw_values(item)
        elif isinstance(element.value, bytes):
            yield f"{tag} {element.VR}", element.value


def left(output: bytes) -> list[str]:
    """Where something planted stands. UIDs that are pseudonyms have any digits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = list(raw_values(dcmread(io.BytesIO(output), force=True)))
    return [
        f"{where} {value!r}"
        for where, value in found
        if MARKS.search(value) and not value.startswith(b"2.25.") and not where.startswith("(0008,0020)")
    ]


@pytest.fixture(scope="module")
def gateway() -> Deidentifier:
    """One study's: what was compiled for one image serves the others."""
    return Deidentifier(load_recipe("research"), Pseudonyms(KEY), VARIABLES, [Identifier("day", STUDY_DAY)])


@pytest.mark.parametrize("nested", [False, True], ids=["root", "item"])
@pytest.mark.parametrize("seed", range(4))
def test_no_attribute_lets_it_pass(seed: int, nested: bool, gateway: Deidentifier) -> None:
    data = image(random.Random(seed), nested=nested)
    assert left(gateway.deidentify(data).tobytes()) == []


@pytest.mark.parametrize("vr", ["LO", "UN", "ST"])
def test_no_attribute_lets_it_pass_in_another_vr(vr: str, gateway: Deidentifier) -> None:
    data = image(random.Random(vr), nested=True, vr=vr, choice=OF_ANY_VR)
    assert left(gateway.deidentify(data).tobytes()) == []


def test_there_is_something_to_find() -> None:
    assert len(left(image(random.Random(0), nested=False))) > 3_500
    assert {vr for _, vr in attributes()} >= BYTES_VRS - {"UN"} | NUMBERS.keys()
