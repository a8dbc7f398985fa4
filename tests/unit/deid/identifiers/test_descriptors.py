"""A description cleaned: what is put in place of what goes, and when nothing may stay."""

from __future__ import annotations

import pytest

from sendit.deid.identifiers.descriptors import HOLE, LONGEST_TEXT, Cleaner, tidied
from sendit.deid.identifiers.identifiers import Identifier
from sendit.deid.identifiers.people import NAME_HOLE

DOE = (Identifier("name", "Doe"), Identifier("id", "MRN-0012345"), Identifier("date", "19800131"))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("CT Chest DOE w/o contrast", "CT Chest w/o contrast"),
        ("t1_tse_Doe_sag", "t1_tse_sag"),
        ("Doe", ""),
        ("(Doe) chest", "chest"),
        ("MRI [Doe] brain (pre Doe post)", "MRI brain (pre post)"),
        ("chest, Doe, 0012345, lateral", "chest lateral"),
        ("chest\nDoe\nlateral", "chest\nlateral"),
        ("chest/Doe", "chest"),
        ("chest   lateral  ", "chest   lateral  "),
        ("chest   Doe", "chest"),
        ("95 yo male", "90+ yo male"),
        ("101-year-old, 092Y", "90+-year-old, 90+Y"),
        ("89 yo, 5/90 yr", "89 yo, 5/90 yr"),
        ("", ""),
        ("  ", "  "),
    ],
)
def test_a_text_is_closed_where_something_went(text: str, cleaned: str) -> None:
    assert Cleaner(DOE).clean(text) == cleaned


@pytest.mark.parametrize(
    ("days", "cleaned"),
    [(None, "chest and"), (0, "chest 2020-01-31 and 31 Jan 2020"), (1, "chest 2020-02-01 and 01 Feb 2020")],
)
def test_dates_are_shifted_or_go(days: int | None, cleaned: str) -> None:
    assert Cleaner((), days).clean("chest 2020-01-31 and 31 Jan 2020") == cleaned


@pytest.mark.parametrize("text", ["chest 31.01.1980", "chest 1/31/1980", "chest Jan 31, 1980"])
def test_a_birth_date_goes_even_where_dates_stay(text: str) -> None:
    assert Cleaner(DOE, 0).clean(text) == "chest"


def test_a_shifted_date_that_happens_to_be_an_identifier_takes_the_text_along() -> None:
    assert Cleaner((Identifier("id", "20200201"),), 1).clean("chest 20200131") == ""


@pytest.mark.parametrize(
    "text", ["chest \ufffd", "chest \x01", "chest \ue000", f"chest {HOLE}", "chest \x9f", "-", "Doe-"]
)
def test_what_cannot_be_told_is_empty(text: str) -> None:
    assert Cleaner(DOE).clean(text) in ("", text.strip("\ufffd") if text == "-" else "")


def test_what_is_too_long_for_a_description_is_empty() -> None:
    assert Cleaner(()).clean("chest " * LONGEST_TEXT) == ""


@pytest.mark.parametrize("before", ["Doe 19", "1 Doe 2"])
def test_what_closing_brings_together_is_looked_at_again(before: str) -> None:
    cleaner = Cleaner((*DOE, Identifier("id", "555-867-5309")))
    assert cleaner.clean("555 Doe 867 Doe 5309") == ""
    assert cleaner.clean(cleaner.clean(before)) == cleaner.clean(before)


@pytest.mark.parametrize(("code", "left"), [("T-D1100", "T-D1100"), ("113854", "113854"), ("DOE", ""), ("0012345", "")])
def test_a_code_stays_as_it_is_or_goes(code: str, left: str) -> None:
    assert Cleaner(DOE).without_identifiers(code) == left


@pytest.mark.parametrize(
    ("term", "left"),
    [("CT01", "CT01"), ("SIEMENS_CT", "SIEMENS_CT"), ("ZQCANARY", ""), ("DOE_CT", ""), ("COERCE", "COERCE")],
)
def test_a_term_stays_whole_or_goes(term: str, left: str) -> None:
    assert Cleaner(DOE).clean_term(term) == left


def test_holes_are_closed_once() -> None:
    assert tidied(f"a {HOLE}, {NAME_HOLE} b") == "a b"
    assert tidied(f"{HOLE}{NAME_HOLE}") == ""
    assert tidied("a  b") == "a  b"


def test_cleaners_of_other_studies_know_other_names() -> None:
    assert Cleaner((Identifier("name", "Parkinson"),)).clean("Parkinson disease") == "disease"
    assert Cleaner(DOE).clean("Parkinson disease") == "Parkinson disease"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("seen Tue 17 Jun 2011, stable", "seen 27 Jun 2011, stable"),
        ("Dienstag, 17.06.2011 Kontrolle", "27.06.2011 Kontrolle"),
        ("17 Jun 2011 (Fri) chest", "27 Jun 2011 chest"),
        ("the Monday list", "the list"),
        ("chest week 24/2011 lateral", "chest lateral"),
        ("chest 2011-W24-5 lateral", "chest lateral"),
        ("Q2 2011 chest", "chest"),
        ("chest 2011-06-17T10:00:00+02:00 lateral", "chest 2011-06-27T10:00:00 lateral"),
        ("chest 20110617101010+0200 lateral", "chest 20110627101010 lateral"),
        ("chest 10:15 CEST", "chest 10:15"),
        ("FAT SAT 17 slices", "FAT SAT 17 slices"),
        ("chest EST 3, T2 SAT", "chest EST 3, T2 SAT"),
    ],
)
def test_what_tells_the_shift_goes_from_beside_a_shifted_date(text: str, cleaned: str) -> None:
    assert Cleaner((), 10).clean(text) == cleaned


def test_weekdays_and_zones_stay_where_dates_stay() -> None:
    text = "seen Tue 17 Jun 2011, 10:15 CEST"
    assert Cleaner((), 0).clean(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("Lung_L", "Brainstem_PRV03", "PTV_High", "GTVp_1", "Bowel_Bag", "Glnd_Submand_L", "Musc_Constrict_S", "Lips"),
        *("Cochlea_R", "OpticNrv_L_PRV03", "PTV_Eval_7000", "Cavity_Oral", "A_LAD", "V_Venacava_S", "LN_Neck_II_L"),
        *("Pubic_Symphys", "Strct_Suprapatel", "CTVn_5940", "E-PTV_Ev05", "zPTV_opt", "Bolus_05mm", "Couch_Surface"),
    ],
)
def test_structures_of_radiotherapy_keep_their_names(text: str) -> None:
    assert Cleaner((), -37).clean(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("Lunate", "Precuneus", "Vizamyl PET", "Lumason", "Kreuzbandruptur links", "Bovenbuik", "Genou gauche"),
        *("Ginocchio destro", "Rodilla izquierda", "Joelho direito", "Hamate", "Operculum", "Illuccix 185 MBq"),
    ],
)
def test_bones_brain_tracers_and_compounds_stay(text: str) -> None:
    assert Cleaner((), -37).clean(text) == text
