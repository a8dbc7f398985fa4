"""A value in which an identifier is found at the end: emptied, a dummy, or the recipe's own word."""

from __future__ import annotations

import io
import warnings
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence

from sendit.deid import Deidentifier, Identifier, Pseudonyms, deidentify, read_header
from sendit.deid.identifiers.identifiers import extract
from sendit.deid.recipe.recipe import parse_recipe
from sendit.deid.rewriting.account import Account
from tests.support.phantoms import DIGITS
from tests.support.streams import EXPLICIT, KEY, VARIABLES, even, part10, refused

CT = "1.2.840.10008.5.1.4.1.1.2"
NAME = Identifier("name", "zqcanary")
DESCRIPTION, COMMENTS, IMAGE_COMMENTS = 0x00081030, 0x00104000, 0x00204000
KEEPING = "FORMAT dicom\n%header\nKEEP ALL"


def item(**attributes: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def image(**attributes: Any) -> bytes:
    whole = {"SOPClassUID": CT, "SOPInstanceUID": "1.2.3", "StudyInstanceUID": "1.2.4", "SeriesInstanceUID": "1.2.5"}
    whole |= {
        "Modality": "CT",
        "StudyDate": "20200131",
        "PatientName": "Vandersloot^Ermintrude",
        "PatientID": "MRN-77231",
    }
    dataset, stream = item(**whole | attributes), io.BytesIO()
    dataset.save_as(stream, implicit_vr=False, little_endian=True)
    return part10(stream.getvalue(), more=EXPLICIT.element(0x00020002, "UI", even(CT, b"\0")))


def read(data: bytes) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = dcmread(io.BytesIO(data))
        for _ in dataset.iterall():
            pass
    return dataset


def researched(data: bytes) -> Dataset:
    return read(deidentify(data, recipe="research", key=KEY, variables=VARIABLES).tobytes())


def kept(data: bytes, *identifiers: Identifier, rules: str = KEEPING) -> tuple[Dataset, list[str]]:
    """The output under a recipe that keeps everything, and the places that are told to be emptied."""
    made = Deidentifier(parse_recipe(rules), Pseudonyms(KEY), VARIABLES, identifiers or (NAME,)).deidentify(data)
    account = Account()
    account.add(made.done)
    return read(made.tobytes()), [done.place for done in account.rows() if done.action == "EMPTIED"]


# ------------------------------------------------------------------------------------------------- emptied


@pytest.mark.parametrize("keyword", ["StudyDescription", "ImageComments", "ProtocolName", "ReferringPhysicianName"])
def test_a_value_that_is_not_required_is_emptied_and_the_rest_stays(keyword: str) -> None:
    after, emptied = kept(image(**{keyword: "of Zqcanary", "PatientComments": "knee"}))
    assert (after[keyword].is_empty, after.PatientComments) == (True, "knee")
    assert len(emptied) == 1


def test_a_value_of_type_1_becomes_a_dummy() -> None:
    after, emptied = kept(image(Modality="ZQCANARY", DerivationDescription="none"))
    assert (after.Modality, after.DerivationDescription) == ("REMOVED", "none")
    assert emptied == ["(0008,0060)"]


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_a_value_in_an_item_is_emptied_and_lengths_are_right(depth: int, undefined: bool) -> None:
    inner = item(StudyDescription="Zqcanary", PatientComments="knee")
    for _ in range(depth):
        inner.is_undefined_length_sequence_item = undefined
        outer = item(ReferencedStudySequence=Sequence([inner, item(StudyDescription="other")]))
        outer["ReferencedStudySequence"].is_undefined_length = undefined
        inner = outer
    after, emptied = kept(image(ReferencedStudySequence=inner.ReferencedStudySequence, PatientComments="behind"))
    assert emptied == ["(0008,1110)" * depth + "(0008,1030)"]
    assert after.PatientComments == "behind"
    for _ in range(depth):
        assert after.ReferencedStudySequence[1].StudyDescription == "other"
        after = after.ReferencedStudySequence[0]
    assert (after.StudyDescription, after.PatientComments) == ("", "knee")


def test_each_image_of_a_series_is_emptied_and_counted() -> None:
    made = Deidentifier(parse_recipe(KEEPING), Pseudonyms(KEY), VARIABLES, [NAME])
    for number in range(3):
        out = made.deidentify(image(StudyDescription="Zqcanary", InstanceNumber=number))
        assert [deed.tag for deed in out.done if deed.action == "EMPTIED"] == [DESCRIPTION]
        assert read(out.tobytes()).StudyDescription == ""


def test_a_private_value_is_emptied() -> None:
    data = image()
    data += EXPLICIT.element(0x00430010, "LO", b"ACME") + EXPLICIT.element(0x00431001, "OB", even("of Zqcanary "))
    after, emptied = kept(data)
    assert after[0x00431001].value in (b"", None)
    assert emptied == ["private elements"]


def test_bulk_that_is_not_held_in_memory_is_emptied_too() -> None:
    blob = bytes(300_000) + b"of Zqcanary " + bytes(300_000)
    after, emptied = kept(image() + EXPLICIT.element(0x00420011, "OB", blob))
    assert (after.EncapsulatedDocument, emptied) == (None, ["(0042,0011)"])


# ------------------------------------------------------------------------------------------------- withheld


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [(0x00080018, "UI", b"1.7337001973"), (0x00200052, "UI", b"1.7337001973"), (0x0020000D, "UI", b"1.7337001973")],
)
def test_structure_is_withheld(tag: int, vr: str, value: bytes) -> None:
    data, identifier = part10(EXPLICIT.element(tag, vr, even(value, b"\0"))), Identifier("id", DIGITS)
    with refused("ResidualIdentifier", tag):
        kept(data, identifier)


def test_a_number_that_the_image_needs_is_never_made_up() -> None:
    with refused("ResidualIdentifier", 0x00280030):
        kept(image(PixelSpacing=["73370019", "1"], Rows=4), Identifier("id", "73370019"))


# ------------------------------------------------------------------------------------------------- the recipe's word


WORDS = ["Safe", "January", "Clean", "Private", "Basic", "Modified", "Table", "Device", "Profile", "Confidentiality"]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("keyword", ["PatientName", "OperatorsName", "ReferringPhysicianName", "VerifyingObserverName"])
def test_what_sendit_writes_is_no_trace_of_who_is_called_so(keyword: str, word: str) -> None:
    after = researched(image(**{keyword: f"{word}^Eve"}))
    assert after.DeidentificationMethod and len(after.DeidentificationMethodCodeSequence) > 3


@pytest.mark.parametrize("word", WORDS)
def test_who_is_called_so_is_found_in_what_the_file_says(word: str) -> None:
    texts = {"StudyDescription": f"for {word}", "DeidentificationMethod": f"by {word}"}
    after, emptied = kept(image(**texts), Identifier("name", word.lower()))
    assert after.StudyDescription == ""
    assert after.DeidentificationMethod == "REMOVED"  # of Type 1C
    assert emptied == ["(0008,1030)", "(0012,0063)"]


def test_a_dummy_is_no_trace_of_who_is_called_removed() -> None:
    after = researched(image(PatientName="Removed^Ermintrude", ReasonForStudy="Removed"))
    assert after.PatientIdentityRemoved == "YES"


PLACEHOLDERS = [
    "Anon",
    "Patient^Test",
    "TEST^PATIENT",
    "UNKNOWN",
    "Removed by CTP",
    "Phantom",
    "QA^Phantom^ACR",
    "Patient^01",
]


@pytest.mark.parametrize("name", PLACEHOLDERS)
@pytest.mark.parametrize("keyword", ["PatientName", "PerformingPhysicianName", "PatientID"])
def test_a_placeholder_identifies_nobody(keyword: str, name: str) -> None:
    data = image(**{"PatientName": "", "PatientID": "X", "SeriesDescription": "Phantom test", keyword: name})
    found = [one for one in extract(read_header(data)) if one.kind != "day"]
    assert [one for one in found if one.kind != "id" or "01" not in one.text] == []
    assert researched(data).SeriesDescription == "Phantom test"


@pytest.mark.parametrize(
    "name", ["Case^Pat", "Hidden^Sample", "Null^Jennifer", "Test^Ermintrude", "Water^Rose", "Tester^Jo"]
)
def test_a_name_that_only_looks_like_a_placeholder_is_a_name(name: str) -> None:
    found = {one.text.lower() for one in extract(read_header(image(PatientName=name))) if one.kind == "name"}
    assert found >= {part.lower() for part in name.split("^") if len(part) > 2}


TERMS = [
    ("BodyPartExamined", "HAND"),
    ("BodyPartExamined", "CHEST"),
    ("ConvolutionKernel", "SHARP"),
    ("Manufacturer", "Philips"),
    ("Manufacturer", "SIEMENS"),
    ("Manufacturer", "Philips Medical Systems"),
]


@pytest.mark.parametrize(("keyword", "word"), TERMS)
def test_a_term_is_nobodys_name_in_the_attribute_that_is_meant_to_hold_it(keyword: str, word: str) -> None:
    data = image(PatientName=f"{word.split()[0]}^Ermintrude", **{keyword: word})
    assert str(researched(data)[keyword].value) == word


@pytest.mark.parametrize(("keyword", "word"), TERMS)
def test_the_same_word_is_a_name_elsewhere_and_beside_another_name(keyword: str, word: str) -> None:
    name = word.split()[0]
    after = researched(
        image(PatientName=f"{name}^Ermintrude", ImageComments=f"{name} was here", **{keyword: f"{word} Ermintrude"})
    )
    assert name.lower() not in str(after.get("ImageComments", "")).lower()
    assert "ermintrude" not in str(after.get(keyword, "")).lower()


# ------------------------------------------------------------------------------------------------- kept by name


RESEARCH = "FORMAT dicom\nINCLUDE research\n%header\n"


def under(rules: str, data: bytes, **spoken: str) -> Dataset:
    identifiers = extract(read_header(data))
    recipe = parse_recipe(rules)
    variables = {**VARIABLES, **spoken}
    made = Deidentifier(recipe, Pseudonyms(KEY), variables, identifiers, spoken).deidentify(data)
    return read(made.tobytes())


@pytest.mark.parametrize(
    ("field", "keyword"), [("PatientID", "PatientID"), ("(0010,0010)", "PatientName"), ("PatientName", "PatientName")]
)
def test_what_a_rule_keeps_by_name_stays_there_and_only_there(field: str, keyword: str) -> None:
    data = image(ImageComments="MRN-77231 Vandersloot", SeriesDescription="T1")
    after = under(f"{RESEARCH}KEEP {field}", data)
    assert after[keyword].value == read(data)[keyword].value
    assert "77231" not in str(after.get("ImageComments", "")) and "Vandersloot" not in str(
        after.get("ImageComments", "")
    )
    assert "Basic Application" not in str(after.get("DeidentificationMethod", ""))


@pytest.mark.parametrize("field", ["ALL", "contains:Patient", "select:VR:LO"])
def test_what_a_rule_keeps_with_others_does_not_stay(field: str) -> None:
    after, emptied = kept(image(), *extract(read_header(image())), rules=f"FORMAT dicom\n%header\nKEEP {field}")
    assert (str(after.PatientID), emptied[-1]) == ("", "(0010,0020)")


def test_a_variable_that_the_operator_gave_is_written_as_it_is() -> None:
    data = image(PatientID="SUBJ0001", PatientName="SUBJ0001")
    assert under(RESEARCH, data, entity_id="SUBJ0001").PatientID == "SUBJ0001"


def test_a_pseudonym_that_is_the_original_is_not_written() -> None:
    data = image(PatientID="SUBJ0001", PatientName="SUBJ0001")
    identifiers = extract(read_header(data))
    variables = {**VARIABLES, "entity_id": "SUBJ0001"}
    made = Deidentifier(parse_recipe(RESEARCH), Pseudonyms(KEY), variables, identifiers).deidentify(data)
    assert b"SUBJ0001" not in made.tobytes()
