"""What of a header identifies the patient and the staff, and how little of it is told."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from sendit.deid.identifiers.descriptors import Cleaner
from sendit.deid.identifiers.identifiers import (
    DAY_TAGS,
    ID_TAGS,
    INSTITUTION_CODES,
    INSTITUTION_TAGS,
    NAME_TAGS,
    NUMBER_TAGS,
    OTHER_IDS,
    PEOPLE_SEQUENCES,
    STAFF_TAGS,
    TAGS,
    Collected,
    Identifier,
    extract,
)
from sendit.deid.stream.header import Header, read_header
from tests.support.phantoms import BIRTH_DATE, DIGITS, WORD, leaks_in


def header(**attributes: Any) -> Header:
    dataset, stream = Dataset(), io.BytesIO()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return encoded(dataset, stream)


def encoded(dataset: Dataset, stream: io.BytesIO) -> Header:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(stream)
    return read_header(stream.getvalue())


def found(**attributes: Any) -> list[tuple[str, str]]:
    """Kind and text of each, but for whole names."""
    identifiers = extract(header(**attributes))
    return [(identifier.kind, identifier.text) for identifier in identifiers if identifier.kind != "person"]


def item(**attributes: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


# ------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize("tag", NAME_TAGS)
def test_every_name_of_the_patient_and_kin_is_taken_apart(tag: int) -> None:
    dataset = Dataset()
    dataset.add_new(tag, "PN", "Smith^Jane^Margaret^Dr")
    kinds = [(identifier.kind, identifier.text) for identifier in extract(encoded(dataset, io.BytesIO()))]
    assert kinds == [*(("name", word) for word in ("Smith", "Jane", "Margaret")), ("person", "Smith^Jane^Margaret^Dr")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("O'Neil^Mary-Ann", ["Neil", "Mary", "Ann"]),
        ("van der Berg^Jan", ["Berg", "Jan"]),
        ("Van^Den", ["Van", "Den"]),
        ("Li^Bo", []),
        ("Lee^Bo", ["Lee"]),
        ("SMITH_JONES 3RD", ["SMITH", "JONES"]),
        ("Jérôme^É", ["Jérôme"]),
        ("Ng^Žé", ["Žé"]),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ["Yamada", "Tarou", "山田", "太郎", "やまだ", "たろう"]),
        ("王^小东", ["小东"]),
        ("^^^", []),
        ("", []),
    ],
)
def test_a_name_is_looked_for_word_by_word(name: str, words: list[str]) -> None:
    assert [one for one in found(PatientName=name) if one[0] != "initials"] == [("name", word) for word in words]


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Li^Bo", ["Li", "Bo"]),
        ("Lee^Bo", ["Bo"]),
        ("J.S.", ["JS"]),
        ("R^J^K", ["RJK"]),
        ("Smith^Jane^^Dr", []),
        ("de^La", []),
        ("Ng^Ann=吳", ["Ng"]),
        ("RJK", []),
    ],
)
def test_short_parts_of_names_and_initials_are_told_from_names(name: str, short: list[str]) -> None:
    assert [one for one in found(PatientName=name) if one[0] == "initials"] == [("initials", one) for one in short]


def test_several_names_are_all_taken() -> None:
    assert found(OtherPatientNames=["Smith^Jane", "Jones^Jane"]) == [
        ("name", "Smith"),
        ("name", "Jane"),
        ("name", "Jones"),
    ]


@pytest.mark.parametrize(("name", "whole"), [("Li^Bo", True), ("Lee^Bo", True), ("Lee", False), ("^^^", False)])
def test_a_name_of_several_parts_is_taken_as_a_whole_too(name: str, whole: bool) -> None:
    assert (Identifier("person", name) in extract(header(PatientName=name))) == whole


# ----------------------------------------------------------------------------------------------- staff, places, numbers


@pytest.mark.parametrize("tag", STAFF_TAGS)
def test_names_of_staff_are_told_from_the_patients(tag: int) -> None:
    dataset = Dataset()
    dataset.add_new(tag, "PN", "House^Gregory^^Dr")
    assert extract(encoded(dataset, io.BytesIO())) == [
        Identifier("staff", "House"),
        Identifier("staff", "Gregory"),
        Identifier("person", "House^Gregory^^Dr"),
    ]


@pytest.mark.parametrize("name", ["TECH", "CT TECH", "Service^Philips", "ADMIN", "^^^", "Unknown"])
def test_a_role_in_place_of_a_name_is_nobody(name: str) -> None:
    assert extract(header(OperatorsName=name)) == []


@pytest.mark.parametrize("tag", INSTITUTION_TAGS)
def test_institutions_and_places_are_taken_line_by_line(tag: int) -> None:
    dataset = Dataset()
    dataset.add_new(tag, "ST", "Princeton Plainsboro, Mercer")
    assert extract(encoded(dataset, io.BytesIO())) == [
        Identifier("institution", "Princeton Plainsboro"),
        Identifier("institution", "Mercer"),
    ]


@pytest.mark.parametrize("tag", NUMBER_TAGS)
def test_numbers_of_a_study_or_a_procedure_are_taken(tag: int) -> None:
    dataset = Dataset()
    dataset.add_new(tag, "LO", "ST-1234")
    assert extract(encoded(dataset, io.BytesIO())) == [Identifier("number", "ST-1234")]


def test_addresses_and_telephones_of_staff_are_taken() -> None:
    assert found(ReferringPhysicianTelephoneNumbers="+1 650 555-0199", ReferringPhysicianAddress="1 Baker Street") == [
        ("institution", "1 Baker Street"),
        ("phone", "+1 650 555-0199"),
    ]


@pytest.mark.parametrize("tag", PEOPLE_SEQUENCES)
def test_items_of_sequences_that_name_people_are_looked_at(tag: int) -> None:
    inner = item(PersonName="Cuddy^Lisa", InstitutionName="Princeton", AccessionNumber="A98765", PatientName="Roe")
    dataset = Dataset()
    dataset.add_new(tag, "SQ", Sequence([item(ContentSequence=Sequence([inner]))]))
    kinds = [(one.kind, one.text) for one in extract(encoded(dataset, io.BytesIO())) if one.kind != "person"]
    assert kinds == [
        ("name", "Roe"),
        ("id", "A98765"),
        ("staff", "Cuddy"),
        ("staff", "Lisa"),
        ("institution", "Princeton"),
    ]


def test_what_the_patient_was_called_before_is_an_identifier_too() -> None:
    before = item(PatientName="Roe^Jane", PatientID="OLD-4711")
    original = item(ModifiedAttributesSequence=Sequence([before]), SourceOfPreviousValues="PACS")
    kinds = found(PatientName="Poe^Jane", OriginalAttributesSequence=Sequence([original]))
    assert kinds == [("name", "Poe"), ("name", "Jane"), ("name", "Roe"), ("id", "OLD-4711")]


def test_the_meaning_of_a_code_for_a_person_or_an_institution_is_a_name() -> None:
    person, place = item(CodeMeaning="Cuddy, Lisa"), item(CodeMeaning="Princeton Plainsboro")
    who = item(PersonIdentificationCodeSequence=Sequence([person]), InstitutionCodeSequence=Sequence([place]))
    people = [("staff", "Cuddy"), ("staff", "Lisa"), ("institution", "Princeton Plainsboro")]
    assert found(OperatorIdentificationSequence=Sequence([who])) == people
    assert found(InstitutionCodeSequence=Sequence([place])) == people[2:]


def test_an_extension_of_chinese_leaves_no_escape_in_a_name() -> None:
    dataset = Dataset()
    dataset.add_new(0x00080005, "CS", ["", "ISO 2022 IR 58"])
    dataset.add_new(0x00100010, "UN", b"Zhang=\x1b$)A" + "张三".encode("gb2312") + b" ")
    texts = [identifier.text for identifier in extract(encoded(dataset, io.BytesIO()))]
    assert texts == ["Zhang", "张三", "Zhang=张三"]


# ------------------------------------------------------------------------------------------------ ids


@pytest.mark.parametrize("tag", ID_TAGS)
def test_every_number_of_the_patient_or_the_visit_is_an_id(tag: int) -> None:
    dataset = Dataset()
    dataset.add_new(tag, "LO" if tag != 0x00080050 else "SH", "MRN-77 01")
    assert extract(encoded(dataset, io.BytesIO())) == [Identifier("id", "MRN-77 01")]


@pytest.mark.parametrize(
    ("text", "taken"), [("7", 0), ("123", 0), ("1-2-3", 0), ("1234", 1), ("A-12-3", 1), ("-----", 0)]
)
def test_an_id_of_fewer_than_four_letters_or_digits_is_left_out(text: str, taken: int) -> None:
    assert len(extract(header(PatientID=text))) == taken


def test_several_ids_and_those_in_items_are_all_taken() -> None:
    ids = found(
        PatientID="P-1000",
        OtherPatientIDs=["P-2000", "P-3000"],
        OtherPatientIDsSequence=Sequence([item(PatientID="P-4000"), item(TypeOfPatientID="TEXT"), item(PatientID="9")]),
    )
    assert ids == [("id", f"P-{number}000") for number in (1, 2, 3, 4)]


def test_uids_are_no_identifiers_of_the_patient() -> None:
    assert found(StudyInstanceUID="1.2.3.4567", SOPInstanceUID="1.2.3.4568") == []


# ------------------------------------------------------------------------------------------------ the rest


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("19410523", ["19410523"]),
        ("1941.05.23", ["19410523"]),
        ("1941/05/23", ["19410523"]),
        ("1941-5-23", ["19410523"]),
        ("1941.0523", ["19410523"]),
        ("23.05.1941", ["19410523"]),
        ("5/23/1941 ", ["19410523"]),
        ("23051941", ["19410523"]),
        ("23 May 1941", ["19410523"]),
        ("May 23rd, 1941", ["19410523"]),
        ("23-MAI-1941", ["19410523"]),
        ("23 de mayo de 1941", ["19410523"]),
        ("23 мая 1941", ["19410523"]),
        ("23.V.1941", ["19410523"]),
        ("S16.5.23", ["19410523"]),
        ("昭和16年5月23日", ["19410523"]),
        ("令和元年5月23日", ["20190523"]),
        ("23/05/2484", ["19410523"]),
        ("19410523120000", ["19410523"]),
        ("1941-05-23T12:00:00", ["19410523"]),
        ("19410523\\19410524", ["19410523", "19410524"]),
        ("19410523\\1941-05-24", ["19410523", "19410524"]),
        ("03/02/1941", ["19410203", "19410302"]),
        ("410523", ["19410523", "20410523"]),
        ("23.05.41", ["19410523", "20410523"]),
        ("23-May-41", ["19410523", "20410523"]),
    ],
)
@pytest.mark.parametrize("tag", [0x00100030, 0x00100033])
def test_a_birth_date_is_read_in_any_form(text: str, days: list[str], tag: int) -> None:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.add_new(tag, "LO", text)
    kinds = [(one.kind, one.text) for one in extract(encoded(dataset, io.BytesIO()))]
    assert kinds == [("date", day) for day in days]


def test_a_birth_date_that_means_no_day_is_looked_for_as_it_stands() -> None:
    dataset = Dataset()
    dataset.add_new(0x00100030, "LO", "1941-23-52")
    assert extract(encoded(dataset, io.BytesIO())) == [Identifier("id", "1941-23-52")]


@pytest.mark.parametrize("text", ["", "1941", "194105", "unknown", "00000000", "0000-00-00"])
def test_what_is_no_whole_date_is_left_out(text: str) -> None:
    dataset = Dataset()
    dataset.add_new(0x00100030, "LO", text)
    assert extract(encoded(dataset, io.BytesIO())) == []


def test_telephone_numbers_of_six_digits_are_taken() -> None:
    assert found(PatientTelephoneNumbers=["+1 650 555-0199", "ext. 12", "555-012"]) == [
        ("phone", "+1 650 555-0199"),
        ("phone", "555-012"),
    ]


def test_an_address_is_taken_line_by_line_and_short_lines_are_not() -> None:
    assert found(PatientAddress="12 Upper Garden Lane, Leeds; LS1 4AP, UK") == [
        ("address", "12 Upper Garden Lane"),
        ("address", "LS1 4AP"),
    ]


def test_a_header_without_identifiers_has_none() -> None:
    assert found(Modality="CT", StudyDescription="Head", PatientSex="F", PatientAge="047Y") == []


def test_each_identifier_is_listed_once() -> None:
    assert found(PatientName="Smith^Smith", OtherPatientNames="Smith", PatientID="S1234", OtherPatientIDs="S1234") == [
        ("name", "Smith"),
        ("id", "S1234"),
    ]


# ------------------------------------------------------------------------------------------------ no voice


def test_an_identifier_does_not_print() -> None:
    for identifier in extract(header(PatientName=WORD, PatientID=DIGITS, PatientBirthDate=BIRTH_DATE)):
        shown = f"{identifier} {identifier!r} {[identifier]} {(identifier,)}"
        assert not leaks_in(shown)
        assert repr(identifier) == f"Identifier({identifier.kind})"


def test_identifiers_of_equal_text_and_kind_are_one() -> None:
    assert len({Identifier("name", WORD), Identifier("name", WORD), Identifier("id", WORD)}) == 2


# ------------------------------------------------------------------------------------------------ collected


def test_the_identifiers_of_many_headers_are_each_listed_once_in_order() -> None:
    collected = Collected()
    assert collected.all() == ()
    collected.add(header(PatientName="Smith", PatientID="S1234"))
    collected.add(header(PatientName="Smith", PatientID="S1234", InstanceNumber=2))
    collected.add(header(PatientName="Jones^Smith", PatientID="S1234"))
    assert [identifier.text for identifier in collected.all()] == ["Smith", "S1234", "Jones", "Jones^Smith"]


@pytest.mark.parametrize("tag", TAGS)
def test_a_header_that_differs_in_one_attribute_only_is_taken_in(tag: int) -> None:
    collected = Collected()
    collected.add(header(PatientName="Smith"))
    dataset = item(PatientName="Smith")
    if tag == OTHER_IDS or tag in PEOPLE_SEQUENCES:
        dataset.add_new(tag, "SQ", Sequence([item(PatientID="Q98765")]))
    elif tag == INSTITUTION_CODES:
        dataset.add_new(tag, "SQ", Sequence([item(CodeMeaning="Princeton Plainsboro")]))
    elif tag == 0x00100030 or tag in DAY_TAGS:
        dataset.add_new(tag, "DA", "19410523")
    else:
        is_name = tag in NAME_TAGS or tag in STAFF_TAGS
        dataset.add_new(tag, "PN" if is_name else "LO", "Another" if is_name else "987654321")
    collected.add(encoded(dataset, io.BytesIO()))
    assert len(collected.all()) >= (1 if tag == 0x00100010 else 2)
    assert set(extract(encoded(dataset, io.BytesIO()))) <= set(collected.all())


def test_alike_headers_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Header] = []

    def counting(of: Header) -> list[Identifier]:
        asked.append(of)
        return extract(of)

    monkeypatch.setattr("sendit.deid.identifiers.identifiers.extract", counting)
    collected = Collected()
    for number in range(5):
        collected.add(header(PatientName="Smith", InstanceNumber=number))
    assert len(asked) == 1
    collected.add(header(PatientName="Jones"))
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Dr. Kodama asked for it", {"Kodama"}),
        ("read by Anna House", {"Anna", "House"}),
        ("Dr. Chest", set()),
        ("performed by radiologist", set()),
        ("chest for Kodama", set()),
    ],
)
def test_a_name_that_one_text_of_a_study_announces_is_known_in_the_others(text: str, names: set[str]) -> None:
    collected = Collected()
    for description in (text, "Kodama house chest"):
        collected.add(header(PatientName="Roe^Jane", StudyDescription="CT", ImageComments=description))
    assert {one.text for one in collected.all() if one.kind == "announced"} == names
    rest = " ".join(word for word in ("Kodama", "house", "chest") if word.title() not in names)
    assert Cleaner(collected.all()).clean("kodama house chest").split() == rest.lower().split()
