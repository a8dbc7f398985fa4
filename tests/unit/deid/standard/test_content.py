"""A structured report's tree: each Value Type, and concepts whose value identifies whatever it is."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence

from sendit.deid import Deidentifier, Identifier, Pseudonyms
from sendit.deid.recipe.recipe import Recipe, load_recipe, parse_recipe
from sendit.deid.standard.content import CONCEPTS

KEY = b"a key that tests have"
VARIABLES = {"jitter": 3, "entity_id": "E1", "item_id": "I1"}
DOE = (Identifier("name", "Doe"), Identifier("name", "Jane"), Identifier("id", "4711-88"))
EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
STRUCTURE = parse_recipe(
    """FORMAT dicom
%header
BLANK select:VR:UT
BLANK select:VR:PN
REPLACE select:VR:UI deid_func:pydicom_uuid
JITTER select:VR:DA var:jitter
JITTER select:VR:DT var:jitter
REMOVE ContentSequence
CLEAN ContentSequence var:jitter
KEEP ValueType
KEEP RelationshipType
"""
)


def dataset(**attributes: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def code(value: str, scheme: str, meaning: str) -> Dataset:
    return dataset(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def item(value_type: str, concept: str = "121071", scheme: str = "DCM", **attributes: Any) -> Dataset:
    name = code(concept, scheme, "Finding")
    return dataset(ValueType=value_type, ConceptNameCodeSequence=Sequence([name]), **attributes)


def number(value: str, unit: str, concept: str, **attributes: Any) -> Dataset:
    units = Sequence([code(unit, "UCUM", unit)])
    measured = dataset(NumericValue=value, MeasurementUnitsCodeSequence=units, **attributes)
    return item("NUM", concept, MeasuredValueSequence=Sequence([measured]))


def report(*items: Dataset, syntax: str = EXPLICIT, undefined: bool = False) -> bytes:
    ds = FileDataset(None, {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.33", "1.2.3"
    ds.ContentSequence = Sequence([item("CONTAINER", ContentSequence=Sequence(items))])
    if undefined:
        for sequence in (ds["ContentSequence"], ds.ContentSequence[0]["ContentSequence"]):
            sequence.is_undefined_length = True
            for one in sequence.value:
                one.is_undefined_length_sequence_item = True
    stream = io.BytesIO()
    ds._read_implicit, ds._read_little = syntax == IMPLICIT, syntax != BIG
    ds.save_as(stream, enforce_file_format=False)
    return stream.getvalue()


def tree(data: bytes, recipe: Recipe = STRUCTURE) -> list[Dataset]:
    """The items of the container."""
    done = Deidentifier(recipe, Pseudonyms(KEY), VARIABLES, DOE).deidentify(data)
    ds = dcmread(io.BytesIO(done.tobytes()))
    return list(ds.ContentSequence[0].ContentSequence)


def only(one: Dataset) -> Dataset:
    (found,) = tree(report(one))
    return found


# ------------------------------------------------------------------------------------------------ Value Types


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
@pytest.mark.parametrize("undefined", [False, True])
def test_each_value_type_has_its_way(syntax: str, undefined: bool) -> None:
    reference = dataset(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID="1.2.3.4")
    out = tree(
        report(
            item("TEXT", TextValue="Nodule seen by Doe on 2020-01-31, 4711-88"),
            item("PNAME", PersonName="Doe^Jane"),
            item("UIDREF", UID="1.2.3.5"),
            item("DATE", Date="20200131"),
            item("DATETIME", DateTime="20200131120000"),
            item("TIME", Time="120000"),
            number("12.5", "mm", "121211"),
            item("CODE", ConceptCodeSequence=Sequence([code("T-28000", "SRT", "Lung of Doe")])),
            item("IMAGE", ReferencedSOPSequence=Sequence([reference])),
            item("COMPOSITE", ReferencedSOPSequence=Sequence([reference]), ObservationDateTime="20200131120000"),
            item("SCOORD", GraphicData=[1.0, 2.0], GraphicType="POINT"),
            item("TCOORD", ReferencedDateTime="20200131120000", TemporalRangeType="POINT"),
            item(
                "CONTAINER", ContinuityOfContent="SEPARATE", ContentSequence=Sequence([item("TEXT", TextValue="Doe")])
            ),
            syntax=syntax,
            undefined=undefined,
        )
    )
    uid = Pseudonyms(KEY).uid
    text, pname, uidref, date, moment, time, num, coded, image, composite, scoord, tcoord, container = out
    assert text.TextValue == "Nodule seen by on 2020-02-03"
    assert pname.PersonName == "REMOVED"
    assert uid("1.2.3.5") == uidref.UID
    assert (date.Date, moment.DateTime, time.Time) == ("20200203", "20200203120000", "120000")
    assert num.MeasuredValueSequence[0].NumericValue == 12.5
    assert num.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue == "mm"
    assert (coded.ConceptCodeSequence[0].CodeValue, coded.ConceptCodeSequence[0].CodeMeaning) == ("T-28000", "Lung of")
    for one in (image, composite):
        assert one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == uid("1.2.3.4")
        assert one.ReferencedSOPSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert composite.ObservationDateTime == "20200203120000"
    assert (scoord.GraphicType, list(scoord.GraphicData)) == ("POINT", [1.0, 2.0])
    assert (tcoord.ReferencedDateTime, tcoord.TemporalRangeType) == ("20200203120000", "POINT")
    assert container.ContentSequence[0].TextValue == "REMOVED"
    assert [one.ValueType for one in out][:3] == ["TEXT", "PNAME", "UIDREF"]
    assert all(one.ConceptNameCodeSequence[0].CodeMeaning == "Finding" for one in out)


def test_what_is_not_of_a_content_item_follows_the_rules_or_is_cleaned() -> None:
    one = only(
        item("TEXT", TextValue="Nodule", PatientName="Doe^Jane", PatientComments="Nodule of Doe", MakerNote=b"Doe")
    )
    assert (one.TextValue, one.PatientName, one.PatientComments, one.MakerNote) == ("Nodule", "", "Nodule of", None)


def test_a_text_in_the_character_set_of_its_item_is_cleaned_and_written_in_it() -> None:
    one = item("TEXT", TextValue="Schädel, Doe")
    one.SpecificCharacterSet = "ISO_IR 100"
    assert only(one).TextValue == "Schädel"


# ------------------------------------------------------------------------------------------------ concepts


@pytest.mark.parametrize("concept", [key[1] for key, concept in CONCEPTS.items() if concept == "IDENTITY"])
def test_the_value_of_an_identifying_concept_goes_whatever_it_is(concept: str) -> None:
    assert only(item("TEXT", concept, TextValue="chest")).TextValue == "REMOVED"
    assert only(item("PNAME", concept, PersonName="Roe^Rex")).PersonName == "REMOVED"
    assert only(item("TEXT", concept, scheme="99LOCAL", TextValue="chest")).TextValue == "chest"


def test_a_birth_date_is_not_shifted() -> None:
    assert only(item("DATE", "121031", Date="19800131")).Date == "19000101"
    assert only(item("DATETIME", "121031", DateTime="19800131")).DateTime == "19000101000000"
    assert only(item("TEXT", "121031", TextValue="chest")).TextValue == "REMOVED"


@pytest.mark.parametrize(
    ("value", "unit", "concept", "after"),
    [
        ("93", "a", "121033", 90),
        ("90", "a", "121033", 90),
        ("89", "a", "121033", 89),
        ("1e2", "a", "121033", 90),
        ("200", "d", "121033", 200),
        ("93", "a", "121211", 93),
    ],
)
def test_an_age_in_years_is_capped(value: str, unit: str, concept: str, after: float) -> None:
    found = only(number(value, unit, concept)).MeasuredValueSequence[0]
    assert found.NumericValue == after


def test_an_age_is_not_said_again_as_a_number_of_another_kind() -> None:
    old = only(number("93", "a", "121033", FloatingPointValue=93.0)).MeasuredValueSequence[0]
    assert "FloatingPointValue" not in old
    other = only(number("93", "d", "121033", FloatingPointValue=93.0)).MeasuredValueSequence[0]
    assert other.FloatingPointValue == 93.0


def test_a_rule_of_ones_own_that_keeps_wins() -> None:
    recipe = parse_recipe("FORMAT dicom\n%header\nCLEAN ContentSequence\nKEEP TextValue\n")
    (one,) = tree(report(item("TEXT", "121022", TextValue="A1")), recipe)
    assert one.TextValue == "A1"


def test_items_out_of_order_are_cleaned_like_the_others() -> None:
    data = report(item("TEXT", "121022", TextValue="ABCD"))
    concept = data.rindex(b"\x40\x00\x43\xa0SQ")
    text = data.index(b"\x40\x00\x60\xa1UT")
    swapped = data[:concept] + data[text:] + data[concept:text]
    (one,) = tree(swapped)
    assert one.TextValue == "REMOVED"


def test_the_shipped_recipe_cleans_structured_content() -> None:
    (one,) = tree(report(item("TEXT", TextValue="Nodule of Doe, 2020-01-31")), load_recipe("research"))
    assert one.TextValue == "Nodule of 2020-02-03"
