"""A study's own identifiers in a text, in the forms that people give them."""

from __future__ import annotations

from datetime import date

import pytest

from sendit.deid.identifiers.identifiers import Identifier
from sendit.deid.identifiers.known_identifiers import KnownIdentifiers


def left(text: str, kind: str, *identifiers: str) -> str:
    known = KnownIdentifiers(Identifier(kind, one) for one in identifiers)
    characters = list(text)
    for start, end in [*known.names(text), *known.numbers(text)]:
        characters[start:end] = "\0" * (end - start)
    assert known.stand_in(text) == ("\0" in characters)
    return " ".join("".join(characters).replace("\0", "").split())


@pytest.mark.parametrize(
    ("name", "text", "rest"),
    [
        ("Doe", "DOE chest", "chest"),
        ("Doe", "doe_chest", "_chest"),
        ("Doe", "chest2Doe", "chest2"),
        ("Doe", "DoeChest", "Chest"),
        ("Doe", "D O E chest", "chest"),
        ("Doe", "D.O.E chest", "chest"),
        ("Doe", "Doe's chest", "chest"),
        ("Doe", "does tornadoes", "does tornadoes"),
        ("Müller", "MUELLER Muller müller", ""),
        ("Müller", "Mu\u0308ller", ""),
        ("Brien", "O'Brien chest", "chest"),
        ("Parkinson", "Parkinsons Parkinsonian chest", "chest"),
        ("Parkinson", "Parkinson disease", "disease"),
        ("Colon", "colonoscopy colon", "colonoscopy"),
        ("Kowalczyk", "CTKOWALCZYK kowalczykhead xKowalczykx chest", "chest"),
        ("Kowalczyk", "HeadKowalczyk chest", "Head chest"),
        ("Contra", "contrast axial", "contrast axial"),
        ("山田", "胸部山田様", "胸部様"),
        ("Иванов", "ИВАНОВ кт", "кт"),
        ("Özil", "Özilstrasse", "strasse"),
    ],
)
def test_a_name_is_found_in_any_form(name: str, text: str, rest: str) -> None:
    assert left(text, "name", name) == rest


@pytest.mark.parametrize("text", ["DoeJane", "JANEDOE", "jdoe", "doej", "jdoe2", "Doe, Jane".replace(", ", "")])
def test_a_whole_name_is_found_joined(text: str) -> None:
    assert left(f"{text} chest", "person", "Doe^Jane") in ("chest", "2 chest")


@pytest.mark.parametrize(("text", "rest"), [("Li Bo chest", "chest"), ("li bo", ""), ("Li chest Bo", "Li chest Bo")])
def test_short_names_are_found_together(text: str, rest: str) -> None:
    assert left(text, "person", "Li^Bo") == rest


def test_ideographs_of_a_whole_name_are_found_together() -> None:
    assert left("胸部王小东", "person", "Wang^Xiaodong=王^小东") == "胸部"


@pytest.mark.parametrize(
    ("number", "text", "rest"),
    [
        ("MRN-77 01", "mrn7701 x", "x"),
        ("MRN-77 01", "MRN 77-01 x", "x"),
        ("4711", "see 4711 x", "see x"),
        ("4711", "14711 4711a 4 7 1 1", "14711 4711a 4 7 1 1"),
        ("A-12-3", "A-12-3", ""),
        ("0012345678", "12345678", ""),
        ("512512", "512x512", "512x512"),
        ("1234567", "91234567", "91234567"),
    ],
)
def test_a_number_is_found_with_whatever_marks_are_in_it(number: str, text: str, rest: str) -> None:
    assert left(text, "id", number) == rest


@pytest.mark.parametrize(
    "text",
    [
        *(
            "19800131",
            "1980-01-31",
            "31.01.1980",
            "01/31/1980",
            "31 01 1980",
            "1980.01.31",
            "31/1/1980",
            "1/31/80",
            "800131",
        ),
        *(
            "31.01.80",
            "31 Jan 1980",
            "January 31st, 1980",
            "31-JAN-80",
            "31. Januar 1980",
            "31 stycznia 1980",
            "31 января 1980",
        ),
    ],
)
def test_a_birth_date_is_found_in_digits(text: str) -> None:
    assert left(text, "date", "19800131") == ""
    assert KnownIdentifiers([Identifier("date", "19800131")]).is_birth_date(date(1980, 1, 31))


@pytest.mark.parametrize("text", ["+1 650 555-0199", "16505550199", "650-555-0199", "555 0199", "5550199"])
def test_a_phone_number_is_found_without_its_country_and_area(text: str) -> None:
    assert left(text, "phone", "+1 650 555-0199").strip("+1- ") in ("", "650")


@pytest.mark.parametrize(
    ("place", "text", "rest"),
    [
        ("Princeton Plainsboro Hospital", "PRINCETON-PLAINSBORO HOSPITAL chest", "chest"),
        ("Zqcanary Heart Center", "zqcanary heart", "heart"),
        ("St. Mary's General Hospital", "SMGH chest", "chest"),
        ("Heart Center", "heart center", ""),
        ("MRI Brain", "MRI Brain", "MRI Brain"),
        ("CTAWP7", "ctawp7 chest", "chest"),
        ("Radiology", "radiology", "radiology"),
    ],
)
def test_of_an_institution_goes_what_is_its_own(place: str, text: str, rest: str) -> None:
    assert left(text, "institution", place) == rest


def test_without_identifiers_nothing_is_found() -> None:
    assert left("chest 4711 Doe", "name") == "chest 4711 Doe"
