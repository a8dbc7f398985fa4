"""Names of people in descriptions: by title, degree, neighbour, look; and words that are none."""

from __future__ import annotations

import pytest

from sendit.deid.identifiers.people import names_of_people


def left(text: str) -> str:
    characters = list(text)
    for start, end in names_of_people(text):
        characters[start:end] = "\0" * (end - start)
    return " ".join("".join(characters).replace("\0", "").split())


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("chest Smith", "chest"),
        ("CHEST SMITH", "CHEST"),
        ("smith chest", "chest"),
        ("Chest for Kowalczyk", "Chest for"),
        ("Chest Zzyzxian", "Chest"),
        ("JohnSmith knee", "knee"),
        ("Smith, John knee", "knee"),
        ("J. P. Fernandez knee", "knee"),
        ("Fernandez J. knee", "knee"),
        ("van der Berg knee", "knee"),
        ("O'Sullivan knee", "knee"),
        ("Smith's knee", "knee"),
        ("James Brown knee", "knee"),
        ("Dr. Brown knee", "knee"),
        ("Dr Smith knee", "knee"),
        ("DR SMITH KNEE", "KNEE"),
        ("Prof. Dr. med. Huber knee", "knee"),
        ("Mrs. Head knee", "knee"),
        ("Frau Lang knee", "knee"),
        ("knee, Robert Miller MD", "knee,"),
        ("knee A. Xyzzyk, RN", "knee"),
        ("knee performed by Xyzzyk", "knee performed by"),
        ("tech: rjk knee", "tech: knee"),
        ("Zzyzxian Hospital knee", "Hospital knee"),
        ("University of Zzyzx knee", "University of knee"),
        ("knee " + "x" * 60, "knee"),
    ],
)
def test_names_are_found(text: str, rest: str) -> None:
    assert left(text) == rest


@pytest.mark.parametrize(
    "text",
    [
        *("Parkinson", "Hodgkin lymphoma", "Wilson", "Crohn's", "Baker cyst", "Morton neuroma", "Alzheimer"),
        *("Smith fracture", "Jones fracture left foot", "Dandy-Walker", "Legg-Calve-Perthes", "Hill-Sachs lesion"),
        *("DR CHEST 2 VIEWS", "MR HEAD", "MR BRAIN W/O", "MS lesion", "Mr Brain", "Ms follow up"),
        *("white matter", "BRIGHT BLOOD", "brown fat", "Long Axis", "Hand AP", "Head First Supine", "left side down"),
        *("Axial Brain Stealth", "t1_mprage_sag_p2_iso"),
        *("AbdomenRoutine", "SmartPrep", "MobiView", "CAIPI", "ZOOMit"),
        *("read by protocol", "tech: repeat", "seen by radiologist", "University hospital"),
        "PA lateral, DO not repeat",
    ],
)  # fmt: skip
def test_words_of_the_clinic_are_no_names(text: str) -> None:
    assert left(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("Degenerative changes lumbar spine", "Rezidivierende beschwerden", "No fracture. Degenerative changes"),
        *("Unremarkable exam", "Suspicious lesion", "Shunted hydrocephalus", "Incidental finding: Nodular opacity"),
    ],
)
def test_the_capital_at_the_head_of_a_sentence_is_no_evidence(text: str) -> None:
    assert left(text) == text


@pytest.mark.parametrize(
    "name", ["Zyskowski", "KOWALCZYKOWSKA", "Wrzoskiewicz", "Papadimitropoulos", "Hergeirsdottir", "Zimenko"]
)
def test_what_ends_as_surnames_do_is_one_in_any_case(name: str) -> None:
    assert left(f"CHEST {name}") == "CHEST"
    assert left(f"{name} chest") == "chest"
