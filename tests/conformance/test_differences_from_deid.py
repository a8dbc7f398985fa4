"""What docs/recipes.md says of deid and of sendit where they differ, tried on both: one claim a row of its table."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence

from sendit.deid import Deidentifier, Pseudonyms
from sendit.deid.recipe.recipe import parse_recipe
from sendit.deid.recipe.screen import screen
from sendit.deid.stream.header import read_header
from sendit.errors import SenditError

with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
    warnings.simplefilter("ignore")
    from deid.config import DeidRecipe
    from deid.dicom.parser import DicomParser
    from deid.dicom.pixels.detect import has_burned_pixels

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
ABSENT = "absent"


def _fail(dicom: Any, value: Any, field: Any, item: Any) -> str:
    raise ValueError("Doe^Jane")


VARIABLES = {"text": "VAR", "days": 5, "fail": _fail}


def image() -> bytes:
    """One image with a little of everything."""
    item, lut = Dataset(), Dataset()
    item.PatientName, item.StudyDate, item.ReferencedSOPClassUID = "Doe^Jane", "20200131", "1.2.840.10008.5.1.4.1.1.2"
    lut.LUTDescriptor, lut.LUTExplanation = [1, 0, 8], "Doe^Jane"
    ds = FileDataset(None, {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds.SpecificCharacterSet, ds.SOPClassUID, ds.SOPInstanceUID = "ISO_IR 100", "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4"
    ds.ImageType, ds.Modality, ds.Rows, ds.SeriesNumber = ["ORIGINAL", "PRIMARY"], "CT", 512, 0
    ds.PatientName, ds.PatientID, ds.PatientComments = "Doe^Jane", "4711", "Jane Doe (4711)"
    ds.PatientWeight, ds.ImageComments, ds.StudyID, ds.StudyDescription = None, "none", "a.c", "abc"
    ds.StudyDate, ds.StudyTime, ds.ContentDate = "20200131", "101112", "unknown"
    ds.AcquisitionDateTime, ds.BurnedInAnnotation = "20200131093000", "NO"
    ds.RequestAttributesSequence, ds.VOILUTSequence = Sequence([item]), Sequence([lut])
    ds.add_new(0x00330010, "LO", "MITRA")
    ds.add_new(0x0033101E, "LO", "secret")
    ds.DoubleFloatPixelData = bytes(8)
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=False)
    return stream.getvalue()


HEADER_CLAIMS = [
    # row, recipe, place, what deid makes of it, what sendit makes of it (or the error)
    ("an action in lower case", "remove PatientID", "PatientID", "4711", ABSENT),
    ("a comment behind a REMOVE", "REMOVE PatientID # why", "PatientID", "4711", ABSENT),
    ("a comment behind a value", "REPLACE PatientID var:text # why", "PatientID", "4711", "VAR"),
    ("a line that is no rule", "ERASE PatientID", "PatientID", "4711", "BadRecipe"),
    ("an attribute that does not exist", "REMOVE PatientsID", "PatientID", "4711", "BadRecipe"),
    ("more words than an action takes", "BLANK PatientID now", "PatientID", "", "BadRecipe"),
    ("REMOVE with another value", "REMOVE ALL contains:47", "PatientName", ABSENT, "BadRecipe"),
    ("REMOVE of a field with `values:`",
     "%values v\nFIELD PatientID\n%header\nREMOVE ALL values:v", "Modality", ABSENT, "CT"),
    ("an unknown `deid_func:`", "REPLACE PatientID deid_func:simple_uuid", "PatientID", "4711", "BadRecipe"),
    ("`allexcept:`", "REMOVE allexcept:Modality", "PatientID", "4711", ABSENT),
    ("`allfields`", "REMOVE allfields", "PatientID", "4711", ABSENT),
    ("upper case in an expression", r"REMOVE contains:^Study\D+$", "StudyID", "a.c", ABSENT),
    ("an expression that is found in everything", "REMOVE contains:Foo||Bar", "PatientID", ABSENT, "BadRecipe"),
    ("an element's name in quotes", 'REMOVE "Patient\'s Name"', "PatientName", "Doe^Jane", ABSENT),
    ("quotes and blanks in a value", "REPLACE PatientName O'Brien  the   third",
     "PatientName", "O Brien the third", "O'Brien  the   third"),
    ("`ADD (gggg,eeee)`", "ADD (0010,0020) x", "PatientID", "ValueError", "x"),
    ("ADD to an item", "ADD RequestAttributesSequence__0__PatientName x",
     "RequestAttributesSequence__PatientName", "ValueError", "x"),
    ("ADD of a private element", "ADD 00331020 x", "PatientID", "4711", "BadRecipe"),
    ("a list that is not there", "REMOVE fields:none", "PatientID", "4711", "BadRecipe"),
    ("`splitval=` in SPLIT", "%values v\nSPLIT PatientName splitval=^;minlength=4\n%header\nBLANK values:v",
     "PatientComments", "Jane Doe (4711)", ""),
    ("KEEP of a nested attribute", "KEEP RequestAttributesSequence__PatientName\nBLANK PatientName",
     "RequestAttributesSequence__PatientName", "", "Doe^Jane"),
    ("KEEP at the root, and the same tag nested", "KEEP except:Request\nBLANK StudyDate",
     "RequestAttributesSequence__StudyDate", "20200131", ""),
    ("`KEEP fields:`", "%fields f\nFIELD PatientID\n%header\nKEEP fields:f\nREMOVE ALL", "PatientID", ABSENT, "4711"),
    ("`REPLACE fields:` and REMOVE",
     "%fields f\nFIELD PatientID\n%header\nREMOVE ALL\nREPLACE fields:f x", "PatientID", ABSENT, "x"),
    ("a nested FIELD in a list",
     "%fields f\nFIELD RequestAttributesSequence__PatientName\n%header\nBLANK fields:f", "PatientName", "", "Doe^Jane"),
    ("%values of a kept element",
     "%values v\nFIELD PatientID\n%header\nKEEP PatientID\nREMOVE values:v",
     "PatientComments", "Jane Doe (4711)", ABSENT),
    ("SPLIT of an empty value",
     "%values v\nSPLIT PatientWeight\n%header\nREMOVE values:v", "ImageComments", ABSENT, "none"),
    ("terms of %values", "%values v\nFIELD StudyID\n%header\nREMOVE values:v", "StudyDescription", ABSENT, "abc"),
    ("`values:` and sequences",
     "%values v\nFIELD StudyDate\n%header\nREMOVE values:v",
     "RequestAttributesSequence__PatientName", ABSENT, "Doe^Jane"),
    ("a variable that is missing", "REPLACE PatientID var:none", "PatientID", "4711", "UnknownVariable"),
    ("a function that is missing", "REPLACE PatientID func:none", "PatientID", "4711", "UnknownFunction"),
    ("a function that fails", "REPLACE PatientID func:fail", "PatientID", "ValueError", "FunctionFailed"),
    ("JITTER of what is no date", "JITTER ContentDate 5", "ContentDate", "ValueError", ""),
    ("JITTER of DT", "JITTER AcquisitionDateTime 5", "AcquisitionDateTime", "20200205093000.000000", "20200205093000"),
    ("JITTER of a time of day", "JITTER StudyTime 5", "StudyTime", "20121016", "101112"),
    ("REPLACE with what its VR does not allow", "REPLACE StudyDate tomorrow", "StudyDate", "tomorrow", "NotEncodable"),
    ("REPLACE of a number with what is none of its VR", "REPLACE Rows many", "Rows", "512", ""),
    ("REPLACE of a sequence by its name", "REPLACE RequestAttributesSequence x", "PatientID", "TypeError", "BadRecipe"),
    ("REPLACE of a sequence by an expander", "REPLACE contains:Request 20200101",
     "RequestAttributesSequence__StudyDate", "TypeError", "20200101"),
    ("uuid functions", "REPLACE PatientID deid_func:dicom_uuid org_root=1.2", "PatientID", "1.2.", "1.2."),
    ("attributes that say what the bytes are", "REMOVE ALL", "SOPClassUID", ABSENT, "1.2.840.10008.5.1.4.1.1.2"),
    ("attributes that say what the bytes are", "REMOVE ALL", "DoubleFloatPixelData", ABSENT, "\0" * 8),
    ("REMOVE, BLANK or JITTER of a Type 1 UID", "REMOVE contains:UID", "SOPInstanceUID", ABSENT, "2.25."),
    ("VOI LUT Sequence", "REMOVE LUTExplanation", "VOILUTSequence__LUTExplanation", "Doe^Jane", ABSENT),
    ("a Private Creator", "BLANK select:VR:LO", "(0033,0010)", "", "MITRA"),
]  # fmt: skip


def as_recipe(rules: str) -> str:
    return f"FORMAT dicom\n{rules}\n" if rules.startswith("%") else f"FORMAT dicom\n%header\n{rules}\n"


def value_at(dataset: Dataset, place: str) -> str:
    """The value at a keyword, a tag, or in the first item of a sequence."""
    outer, _, rest = place.partition("__")
    key = int(outer.strip("()").replace(",", ""), 16) if outer.startswith("(") else outer
    if key not in dataset:
        return ABSENT
    if rest:
        items = dataset[key].value
        return value_at(items[0], rest) if items else ABSENT
    value = dataset[key].value
    return value.decode() if isinstance(value, bytes) else "" if value is None else str(value)


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize(("row", "rules", "place", "theirs", "ours"), HEADER_CLAIMS)
def test_a_difference_in_the_header_is_as_the_table_says(
    row: str, rules: str, place: str, theirs: str, ours: str, tmp_path: Path
) -> None:
    path = tmp_path / "deid.dicom"
    path.write_text(as_recipe(rules))
    assert _same(deids(path, place), theirs), "deid does something else by now"
    assert _same(sendits(as_recipe(rules), place), ours)
    assert f"\n| {row} |" in PAGE, f"docs/recipes.md has no row {row!r}"


def _same(found: str, claimed: str) -> bool:
    """Equal; a claim of a UID is its beginning."""
    return found == claimed or (claimed in ("2.25.", "1.2.") and found.startswith(claimed))


def deids(path: Path, place: str) -> str:
    try:
        parser = DicomParser(dcmread(io.BytesIO(image()), force=True), recipe=DeidRecipe(str(path)))
        for name, value in VARIABLES.items():
            parser.define(name, value)
        parser.parse()
    except (AttributeError, TypeError, ValueError) as crash:
        return type(crash).__name__
    return value_at(parser.dicom, place)


def sendits(text: str, place: str) -> str:
    try:
        done = Deidentifier(parse_recipe(text), Pseudonyms(b"a key of the conformance test"), VARIABLES)
        return value_at(dcmread(io.BytesIO(done.deidentify(image()).tobytes())), place)
    except SenditError as error:
        assert "Doe" not in str(error)
        return error.code


def test_uuid_functions_are_keyed_and_repeat(tmp_path: Path) -> None:
    for name in ("pydicom_uuid", "dicom_uuid", "basic_uuid", "suffix_uuid"):
        text = as_recipe(f"REPLACE PatientID deid_func:{name}")
        recipe = parse_recipe(text)
        by_key = {
            key: {
                value_at(
                    dcmread(io.BytesIO(Deidentifier(recipe, Pseudonyms(key)).deidentify(image()).tobytes())),
                    "PatientID",
                )
                for _ in range(2)
            }
            for key in (b"one key of the test", b"another key of it")
        }
        assert all(len(values) == 1 for values in by_key.values()), name
        assert not set.intersection(*by_key.values()), name


def test_registered_uids_stay_under_a_uid_function() -> None:
    text = as_recipe("REPLACE select:VR:UI deid_func:pydicom_uuid")
    assert sendits(text, "RequestAttributesSequence__ReferencedSOPClassUID") == "1.2.840.10008.5.1.4.1.1.2"
    assert sendits(text, "SOPInstanceUID").startswith("2.25.")


# ------------------------------------------------------------------------------------------------ filters

FILTER_CLAIMS = [
    # row, filter, whether deid flags the image, whether sendit withholds it
    ("a line that begins with `\\|\\|`",
     "%filter blacklist\nLABEL x\nequals Modality XA\n|| equals Modality CT", False, True),
    ("a line without an operator", "%filter blacklist\nLABEL x\nequals Modality XA\nequals Modality CT", False, True),
    ("`equals` with alternatives", "%filter blacklist\nLABEL x\nequals Modality XA|CT", False, True),
    ("a value behind `missing`, `present` or `empty`",
     "%filter blacklist\nLABEL x\nmissing Modality || contains Modality CT", False, True),
    ("several values", "%filter blacklist\nLABEL x\nequals ImageType PRIMARY", False, True),
    ("an attribute by its tag", "%filter blacklist\nLABEL x\nequals 0x00080060 CT", False, True),
    ("`empty` and the number 0", "%filter blacklist\nLABEL x\nempty SeriesNumber", True, False),
    ("a comment behind a criterion", "%filter blacklist\nLABEL x\nequals Modality CT # these", False, True),
    ("a whitelist", "%filter whitelist\nLABEL x\nequals Modality CT", True, False),
    ("a whitelist before a blacklist",
     "%filter whitelist\nLABEL x\nequals Modality CT\n%filter blacklist\nLABEL y\npresent Rows", True, False),
]  # fmt: skip


@pytest.mark.parametrize(("row", "rules", "flagged", "withheld"), FILTER_CLAIMS)
def test_a_difference_in_a_filter_is_as_the_table_says(
    row: str, rules: str, flagged: bool, withheld: bool, tmp_path: Path
) -> None:
    recipe, file = tmp_path / "deid.dicom", tmp_path / "image.dcm"
    recipe.write_text(f"FORMAT dicom\n{rules}\n")
    file.write_bytes(image())
    assert has_burned_pixels(str(file), deid=DeidRecipe(str(recipe)))["flagged"] is flagged, (
        "deid does otherwise by now"
    )
    assert screen(read_header(file), parse_recipe(recipe.read_text())).passed is not withheld
    assert f"\n| {row} |" in PAGE, f"docs/recipes.md has no row {row!r}"


def test_a_label_of_coordinates_alone_ends_deid_where_it_comes_first(tmp_path: Path) -> None:
    recipe, file = tmp_path / "deid.dicom", tmp_path / "image.dcm"
    recipe.write_text("FORMAT dicom\n%filter graylist\nLABEL blank\ncoordinates all\n")
    file.write_bytes(image())
    with pytest.raises(UnboundLocalError):
        has_burned_pixels(str(file), deid=DeidRecipe(str(recipe)))
    assert not screen(read_header(file), parse_recipe(recipe.read_text())).passed


# ------------------------------------------------------------------------------------------------ the table


def _rows() -> list[list[str]]:
    table = PAGE.split("## Where sendit differs from deid", 1)[1]
    lines = [
        line for line in table.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| Construct"))
    ]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


TESTS = {
    name
    for path in Path(__file__).parents[1].rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
}


def test_every_row_has_a_construct_both_outcomes_a_reason_and_a_test() -> None:
    assert len(_rows()) > 50
    for row in _rows():
        assert len(row) == 5, row
        assert all(row), row
        named = re.findall(r"`(test_\w+)`", row[-1])
        assert named, row
        assert set(named) <= TESTS, row


def test_no_row_stands_twice() -> None:
    constructs = [row[0] for row in _rows()]
    assert len(constructs) == len(set(constructs))
