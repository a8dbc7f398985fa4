"""CLEAN: what becomes of an element's value, by its VR, and of the items of a sequence."""

from __future__ import annotations

import io

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence

from sendit.deid import Deidentifier, Identifier, Pseudonyms
from sendit.deid.recipe.recipe import RecipeError, parse_recipe
from sendit.errors import Misconfigured

KEY = b"a key that tests have"


def image(**attributes: object) -> Dataset:
    ds = FileDataset(None, {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def cleaned(ds: Dataset, *lines: str, identifiers: tuple[Identifier, ...] = (), **variables: object) -> Dataset:
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=False)
    recipe = parse_recipe("\n".join(["FORMAT dicom", "%header", *lines]))
    done = Deidentifier(recipe, Pseudonyms(KEY), variables, identifiers).deidentify(stream.getvalue())
    return dcmread(io.BytesIO(done.tobytes()))


def value(keyword: str, before: object, rule: str, **variables: object) -> object:
    return cleaned(image(**{keyword: before}), rule, **variables)[keyword].value


def test_a_text_keeps_its_clinical_words_and_loses_the_patients_name() -> None:
    ds = image(SeriesDescription="Chest Doe lateral")
    out = cleaned(ds, "REMOVE SeriesDescription", "CLEAN SeriesDescription", identifiers=(Identifier("name", "Doe"),))
    assert out.SeriesDescription == "Chest lateral"


def test_each_value_of_several_is_cleaned_alone() -> None:
    ds = image(AdmittingDiagnosesDescription=["fracture", "Doe", "tumor"])
    out = cleaned(ds, "CLEAN AdmittingDiagnosesDescription", identifiers=(Identifier("name", "Doe"),))
    assert out.AdmittingDiagnosesDescription == ["fracture", "", "tumor"]


@pytest.mark.parametrize(
    ("keyword", "before", "rule", "after"),
    [
        ("StudyDate", "20200131", "CLEAN StudyDate 1", "20200201"),
        ("StudyDate", "20200131", "CLEAN StudyDate", ""),
        ("StudyDate", "20200131", "CLEAN StudyDate var:days", "20200203"),
        ("StudyTime", "1200", "CLEAN StudyTime 1", "1200"),
        ("StudyTime", "1200", "CLEAN StudyTime", ""),
        ("PatientAge", "093Y", "CLEAN PatientAge", "090Y"),
        ("PatientName", "Doe^Jane", "CLEAN PatientName", ""),
        ("StudyInstanceUID", "1.2.840.10008.1.1", "CLEAN StudyInstanceUID", "1.2.840.10008.1.1"),
        ("MakerNote", b"Jane", "CLEAN MakerNote", None),
        ("SliceThickness", "5.0", "CLEAN select:VR:DS", 5.0),
        ("Rows", 512, "CLEAN ALL", 512),
    ],
)
def test_another_vr_has_its_own_way(keyword: str, before: object, rule: str, after: object) -> None:
    assert value(keyword, before, rule, days=3) == after


def test_a_uid_becomes_its_pseudonym() -> None:
    assert value("StudyInstanceUID", "1.2.3", "CLEAN StudyInstanceUID") == Pseudonyms(KEY).uid("1.2.3")


@pytest.mark.parametrize(("lines", "after"), [((), ""), (("REPLACE SeriesDescription none",), "none")])
def test_what_is_not_left_is_empty_or_what_the_recipe_puts_there(lines: tuple[str, ...], after: str) -> None:
    out = cleaned(image(SeriesDescription="Qwxyz"), *lines, "CLEAN SeriesDescription")
    assert out.SeriesDescription == after


def test_a_text_that_cannot_be_written_back_is_empty() -> None:
    ds = image(SeriesDescription="chest \x01 Qwxyz")
    assert cleaned(ds, "CLEAN SeriesDescription").SeriesDescription == ""


def test_a_variable_that_is_missing_stops_the_image() -> None:
    with pytest.raises(Misconfigured, match="UnknownVariable"):
        cleaned(image(SeriesDescription="chest"), "CLEAN SeriesDescription var:jitter")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("CLEAN SeriesDescription func:f", "a value of CLEAN"),
        ("CLEAN SeriesDescription soon", "a value of CLEAN"),
        ("CLEAN Rows", "is a number"),
        ("CLEAN values:v", "cannot be of a values: list"),
        ("CLEAN PixelData", "no rule changes it"),
    ],
)
def test_a_cleaning_that_makes_no_sense_is_refused(line: str, reason: str) -> None:
    with pytest.raises(RecipeError, match=reason):
        parse_recipe(f"FORMAT dicom\n%values v\nFIELD PatientID\n%header\n{line}")


def content(**attributes: object) -> Dataset:
    item = Dataset()
    for keyword, one in attributes.items():
        setattr(item, keyword, one)
    return item


def code(value: str, meaning: str) -> Dataset:
    return content(CodeValue=value, CodingSchemeDesignator="99X", CodeMeaning=meaning)


def test_a_cleaned_sequence_keeps_its_items_and_cleans_what_no_rule_speaks_of() -> None:
    inner = content(ValueType="TEXT", TextValue="lateral Doe", ConceptNameCodeSequence=Sequence([code("1", "Doe")]))
    inner.Date, inner.PersonName, inner.DoseComment = "20200131", "Doe^Jane", "lateral Doe"
    ds = image(ContentSequence=Sequence([content(ValueType="CONTAINER", ContentSequence=Sequence([inner]))]))
    rules = ("BLANK select:VR:UT", "BLANK select:VR:PN", "REMOVE ContentSequence", "CLEAN ContentSequence 1")
    out = cleaned(ds, *rules, identifiers=(Identifier("name", "Doe"),))
    (item,) = out.ContentSequence[0].ContentSequence
    assert (item.ValueType, item.TextValue, item.Date, item.PersonName) == ("TEXT", "lateral", "20200201", "REMOVED")
    assert item.ConceptNameCodeSequence[0].CodeMeaning == "REMOVED"
    assert item.ConceptNameCodeSequence[0].CodeValue == "1"
