"""PS3.15 Table E.1-1: every row under the Basic Profile, under each Option, and under the shipped recipes.

What is expected is read off the table anew here; what happens is what comes out of a file in which every attribute of
the table is planted.
"""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence

import sendit.deid
from sendit.deid import Deidentifier, Pseudonyms, Recipe, load_recipe
from sendit.deid.recipe.addresses import Field
from sendit.deid.recipe.profile import METHODS, NOT_OFFERED, OPTIONS
from sendit.deid.recipe.recipe import parse_recipe
from sendit.deid.standard.attribute_types import types
from standard import profile_table as generator

pytestmark = pytest.mark.xdist_group("profile")  # one file de-identified with each recipe, for all of them

CT = "1.2.840.10008.5.1.4.1.1.2"
VARIABLES = {"entity_id": "E1", "item_id": "I1", "jitter": 5}
SHIPPED = ("basic", "research", "limited-dataset")
FULL, MODIFIED = (
    "Retain Longitudinal Temporal Information with Full Dates",
    "Retain Longitudinal Temporal Information with Modified Dates",
)
JSON_TABLE = Path(__file__).parents[3] / "shared" / "data" / "ps3.15_table_E.1-1.json"

TERMS = {0x00100040: "O", 0x001021A0: "UNKNOWN", 0x00102203: "ALTERED"}
"""What is planted where PS3.3 closes the list of values."""
PLANTED: dict[str, Any] = {
    "AE": "ZQCANARY", "AS": "099Y", "CS": "ZQCANARY", "DA": "19330707", "DS": "73.37", "DT": "19330707101112",
    "FD": 73.37, "FL": 73.5, "IS": "7337", "LO": "Zqcanary", "LT": "Zqcanary", "OB": b"\1\2Zqcanary",
    "PN": "Zqcanary^Zq", "SH": "Zqcanary",
    "ST": "Zqcanary", "TM": "101112", "UC": "Zqcanary", "UI": "1.2.826.0.1.7337", "UN": b"Zqcanary",
    "UR": "http://zqcanary", "US": 7337, "UT": "Zqcanary",
}  # fmt: skip
SHIFTED = {"DA": "19330712", "DT": "19330712101112", "TM": "101112"}
PSEUDONYMS = {"PatientName": "E1", "PatientID": "E1", "AccessionNumber": "I1"}


def table() -> list[dict[str, str]]:
    text = (Path(sendit.deid.__file__).parent / "standard" / "profile_table.tsv").read_text()
    return list(csv.DictReader(io.StringIO(text.partition("\n")[2]), delimiter="\t", restval=""))


ROWS = {row["tag"]: row for row in table()}
ATTRIBUTES = [tag for tag in ROWS if tag.isalnum() and "x" not in tag and tag != "private" and tag > "0003"]
ATTRIBUTES.remove("FFFCFFFC")


SHARED = {
    "ApprovalStatusDateTime", "CalibrationDate", "CalibrationDateTime", "CalibrationTime", "ContextGroupLocalVersion",
    "ContextGroupVersion", "DateOfInstallation", "DateOfLastCalibration", "DateOfLastDetectorCalibration",
    "DateOfManufacture", "DateTimeOfLastCalibration", "EffectiveDateTime",
    "EthicsCommitteeApprovalEffectivenessEndDate", "EthicsCommitteeApprovalEffectivenessStartDate",
    "HangingProtocolCreationDateTime", "InformationIssueDateTime", "ProductExpirationDateTime",
    "SourceStrengthReferenceDate", "SourceStrengthReferenceTime", "TemplateLocalVersion", "TemplateVersion",
    "TimeOfLastCalibration", "TimeOfLastDetectorCalibration",
}  # fmt: skip
"""Dates that are no patient's: shifted by each patient's own days, they would tell the shifts (docs/warehouse.md)."""

# ---------------------------------------------------------------------------------------------- what is planted


def plant(tag: int, dataset: Dataset) -> None:
    """A value of the tag's VR; a sequence gets an item with a name, an id, a text and a UID."""
    vr = dictionary_VR(tag).split(" or ")[0]
    if vr != "SQ":
        dataset.add_new(tag, vr, TERMS.get(int(tag), PLANTED[vr]))
        return
    item = Dataset()
    item.PatientName, item.PatientID, item.ReferencedSOPInstanceUID = PLANTED["PN"], PLANTED["LO"], PLANTED["UI"]
    item.PersonTelephoneNumbers, item.PatientComments = PLANTED["LO"], PLANTED["LT"]
    dataset.add_new(tag, "SQ", Sequence([item]))


@cache
def original() -> bytes:
    ds = FileDataset(None, {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CT
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for tag in ATTRIBUTES:
            plant(int(tag, 16), ds)
        for tag in (0x50003000, 0x501E3000, 0x60003000, 0x60004000, 0x60000022, 0x601E3000):
            plant(tag, ds)
        ds.add_new(0x00189999, "LO", "Zqcanary")  # none that PS3.6 has
        ds.add_new(0x00204000 + 0x0FFF, "UN", b"Zqcanary")
        block = ds.private_block(0x0033, "ZQCANARY", create=True)
        block.add_new(0x10, "LO", PLANTED["LO"])
        ds.save_as(stream, enforce_file_format=False)
    return stream.getvalue()


@cache
def recipe(name: str) -> Recipe:
    return load_recipe(name) if name in SHIPPED else parse_recipe(f"FORMAT dicom\nPROFILE {name}\n")


@cache
def outcome(name: str) -> Dataset:
    done = Deidentifier(recipe(name), Pseudonyms(b"a key of the conformance test"), VARIABLES).deidentify(original())
    ds = dcmread(io.BytesIO(done.tobytes()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in ds.iterall():
            pass
    return ds


def chosen(name: str) -> tuple[str, ...]:
    profile = recipe(name).profile
    assert profile is not None
    return profile.options


OFFERED = [option for option in OPTIONS if option not in NOT_OFFERED]
PROFILES = ["Basic", *(f"Basic + {option}" for option in OFFERED), *SHIPPED]


# ---------------------------------------------------------------------------------------------- what is expected


def code_of(row: dict[str, str], options: tuple[str, ...]) -> tuple[str, str]:
    """The code in force and the Option that it is of, "" for the Basic Profile."""
    for dates in (FULL, MODIFIED):
        if dates in options and row[dates]:
            return row[dates], dates
    for code in "KC":
        for option in options:
            if row.get(option) == code:  # Clean Pixel Data has no column
                return code, option
    return row["Basic Profile"], ""


def text(element: Any) -> str:
    value = element.value
    return value.decode("latin-1") if isinstance(value, bytes) else str(value if value is not None else "")


def leaves(dataset: Dataset) -> Iterator[str]:
    for element in dataset.iterall():
        if element.VR != "SQ":
            yield text(element)


def says_nothing(element: Any, keyword: str) -> bool:
    """Whether nothing that was planted is left of an element, pseudonyms being meant for some."""
    if element.VR == "SQ":
        return not any("zqcanary" in leaf.lower() for item in element for leaf in leaves(item))
    return keyword in PSEUDONYMS or (
        "zqcanary" not in text(element).lower() and text(element) not in (str(PLANTED[element.VR]), *TERMS.values())
    )


def is_empty(element: Any, keyword: str) -> bool:
    return keyword in PSEUDONYMS or (len(element.value) == 0 if element.VR == "SQ" else text(element) == "")


def problem(name: str, tag: str) -> str | None:
    """What is wrong with what became of an attribute; None if it is as the table says."""
    number, keyword = int(tag, 16), DicomDictionary[int(tag, 16)][4]
    code, option = code_of(ROWS[tag], chosen(name))
    element = outcome(name).get(number)
    type_ = types().type_of(CT, (), number)
    vr = DicomDictionary[number][0].split(" or ")[0]
    if keyword in PSEUDONYMS and (element is None or text(element) != PSEUDONYMS[keyword]):
        return "it is no pseudonym"
    cannot_be_cleaned = vr == "OB" or (option == MODIFIED and vr not in SHIFTED)
    if code == "C" and (cannot_be_cleaned or (option == MODIFIED and keyword in SHARED)):
        code = ROWS[tag]["Basic Profile"]
    if code == "K":
        return kept(element, vr, number)
    if code == "C":
        return cleaned(element, vr, option, keyword)
    if element is not None and not says_nothing(element, keyword):
        return "what was planted is left"
    return changed(element, code, type_, keyword)


def kept(element: Any, vr: str, tag: int) -> str | None:
    if element is None:
        return "it is gone"
    if vr == "SQ":
        return None if len(element.value) == 1 else "its item is gone"
    return None if text(element) == ("090Y" if vr == "AS" else TERMS.get(tag) or text_of(vr)) else "it was changed"


def text_of(vr: str) -> str:
    value = PLANTED[vr]
    return value.decode() if isinstance(value, bytes) else str(value)


def cleaned(element: Any, vr: str, option: str, keyword: str) -> str | None:
    if option == MODIFIED:
        return None if element is not None and text(element) == SHIFTED[vr] else "it was not shifted"
    return None if element is None or says_nothing(element, keyword) else "what was planted is left"


def changed(element: Any, code: str, type_: str, keyword: str) -> str | None:
    """X, Z, D, U and their conditional forms, resolved by the Type in the root of a CT image."""
    if code == "X/Z/U*":
        return None if element is not None and len(element.value) == 1 else "the reference is gone"
    needs_value = type_ in (("1", "1C") if "/" in code else ("1",))
    needs_presence = needs_value or type_ in (("2", "2C") if "/" in code else ("2",))
    wanted = code.split("/")[0]
    if needs_value:
        wanted = "D"
    elif needs_presence and wanted == "X":
        wanted = "Z" if "Z" in code or "/" not in code else "D"
    if wanted in "DU" and keyword in ("ContentSequence", "GraphicAnnotationSequence", "FlowIdentifierSequence"):
        wanted = "X"
    match wanted:
        case "X":
            return None if element is None else "it is there"
        case "Z":
            return None if element is not None and is_empty(element, keyword) else "it is not there without a value"
        case "U":
            return None if element is not None and text(element).startswith("2.25.") else "it is no pseudonym"
        case _:
            there = element is not None and (len(element.value) > 0 if element.VR == "SQ" else text(element) != "")
            return None if there else "it has no value"


@pytest.mark.parametrize("tag", ATTRIBUTES, ids=lambda tag: f"{tag} {ROWS[tag]['name']}")
def test_a_row_becomes_what_its_code_says_under_every_option(tag: str) -> None:
    problems = {name: problem(name, tag) for name in PROFILES}
    assert {name: what for name, what in problems.items() if what} == {}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_description_that_the_table_does_not_list_is_dealt_with_like_one_that_it_lists(name: str) -> None:
    ds = dcmread(io.BytesIO(original()), specific_tags=["SOPClassUID"])
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    ds.AcquisitionProtocolName, ds.PerformedProcedureTypeDescription = "CHEST Dr. Zqcanary", "Dr. Zqcanary"
    ds.ConvolutionKernel, ds.ReceiveCoilName, ds.ManufacturerModelName = "Dr. Zq", "Zq 8", "Ingenia, Dr. Zq"
    ds.SegmentSequence = Sequence([Dataset(), Dataset()])
    ds.SegmentSequence[0].SegmentLabel, ds.SegmentSequence[1].SegmentLabel = "Dr. Zqcanary", "Left kidney"
    stream = io.BytesIO()
    ds.save_as(stream)
    done = Deidentifier(recipe(name), Pseudonyms(bytes(16)), VARIABLES).deidentify(stream.getvalue()).tobytes()
    ds = dcmread(io.BytesIO(done))
    assert b"Zqcanary" not in done
    assert ds.AcquisitionProtocolName == ("REMOVED" if name == "basic" else "CHEST")
    assert ds.PerformedProcedureTypeDescription == "REMOVED"
    labels = [item.SegmentLabel for item in ds.SegmentSequence]
    assert labels == ["SEGMENT", "SEGMENT -2" if name == "basic" else "Left kidney"]
    assert not ds.get("ConvolutionKernel")
    assert (ds.ReceiveCoilName, ds.ManufacturerModelName) == ("Zq 8", "Ingenia")


@pytest.mark.parametrize("name", PROFILES)
def test_repeating_groups_unknown_and_private_elements_go(name: str) -> None:
    left = [str(element.tag) for element in outcome(name) if element.tag.group >> 8 in (0x50, 0x60)]
    left += [str(element.tag) for element in outcome(name) if element.tag.is_private or element.tag == 0x00189999]
    assert left == []
    unknown = {str(element.tag): element.value for element in outcome(name) if element.VR == "UN"}
    assert unknown in ({}, {"(0072,006D)": b"REMOVED\0"})  # Selector UN Value, which has a row and the code D


@pytest.mark.parametrize("name", PROFILES)
def test_the_output_says_what_was_done(name: str) -> None:
    ds, options = outcome(name), chosen(name)
    done = [option for option in options if option != "Clean Pixel Data"]  # said only of pixels that were looked at
    codes = [METHODS["Basic Profile"], *(METHODS[option] for option in done)]
    said = [
        (item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning)
        for item in ds.DeidentificationMethodCodeSequence
    ]
    assert said == [(code.value, code.scheme, code.meaning) for code in codes]
    assert ds.PatientIdentityRemoved == "YES"
    assert list(ds.DeidentificationMethod)[1:] == [code.meaning for code in codes]
    dates = "UNMODIFIED" if FULL in options else "MODIFIED" if MODIFIED in options else "REMOVED"
    assert ds.LongitudinalTemporalInformationModified == dates


def test_the_codes_are_those_of_cid_7050() -> None:
    from pydicom.sr.codedict import codes

    listed = {(code.value, code.scheme_designator) for code in codes.cid7050.concepts.values()}
    assert {(code.value, code.scheme) for code in METHODS.values()} == listed


@pytest.mark.skipif(not JSON_TABLE.exists(), reason="the Standard's table as JSON is not here")
def test_the_table_is_the_standards() -> None:
    rows = generator.rows_of(json.loads(JSON_TABLE.read_text()))
    assert [row.tag for row in rows] == list(ROWS)
    assert generator.text_of(rows, "January 2025") == generator.ROWS_FILE.read_text()


# ---------------------------------------------------------------------------------------------- as text


PLACES = [(), (0x00081140,), (0x00400275,), (0x0040A730, 0x0040A043), (0x00081072,), (0x00330010,)]


@pytest.mark.parametrize("name", PROFILES)
def test_the_text_of_a_profile_decides_what_its_line_decides(name: str) -> None:
    ours, twin = recipe(name), parse_recipe(recipe(name).text)
    assert twin.profile is None
    assert [str(rule) for rule in twin.rules] == [str(rule) for rule in ours.rules]
    assert twin.filters == ours.filters or [f.name for f in twin.filters] == [f.name for f in ours.filters]
    for number, (tag, (vr, *_)) in enumerate(DicomDictionary.items()):
        if number % len(PROFILES) == PROFILES.index(name) or f"{tag:08X}" in ROWS:
            field = Field(PLACES[tag % len(PLACES)], tag, vr.split(" or ")[0], sop_class_uid=CT)
            assert deed(twin, field) == deed(ours, field)


def deed(one: Recipe, field: Field) -> tuple[bool, list[str]]:
    decision = one.decide(field)
    return decision.kept, [str(step.rule) for step in decision.steps]
