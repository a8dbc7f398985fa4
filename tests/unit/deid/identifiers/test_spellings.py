"""How else names are written: transliterated, cut off, as a login, mistyped, as initials, glued to a word."""

from __future__ import annotations

import io

import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from sendit.deid.identifiers.descriptors import Cleaner
from sendit.deid.identifiers.identifiers import Identifier, extract
from sendit.deid.identifiers.spellings import is_mistyped, spellings
from sendit.deid.stream.header import Header, read_header


def header(charset: str | None = "ISO_IR 192", **values: str | bytes) -> Header:
    """The header of an image with these attributes."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    if charset:
        ds.SpecificCharacterSet = charset
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return read_header(stream.getvalue())


def identifiers(name: str, operator: str = "") -> list[Identifier]:
    return extract(header(PatientName=name, OperatorsName=operator))


def cleaned(name: str, text: str, operator: str = "") -> str:
    return Cleaner(identifiers(name, operator)).clean(text)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Đurić", "djuric duric DJURIC"),
        ("Übelacker", "uebelacker ubelacker"),
        ("Weißkopf", "weisskopf"),
        ("Mueller", "müller muller"),
        ("Øverås", "oeveraas overas"),
        ("Muñoz", "munoz munhoz"),
        ("Şimşek", "simsek shimshek"),
        ("Žižka", "zizka zhizhka"),
        ("Łęcki", "lecki"),
        ("Ёлкин", "elkin yolkin jolkin"),
        ("Щукин", "shchukin schtschukin chtchoukin"),
        ("Юрий", "iurii yuriy yury yuri jurij"),
        ("Достоевский", "dostoevskii dostoevsky dostoyevskiy dostojewskij"),
        ("Шевченко", "shevchenko chevtchenko sevcenko schewtschenko"),
        ("Георгиев", "georgiev"),
        ("Χριστοδούλου", "christodoulou khristodoulou hristodoulou christodulu"),
        ("Μπακογιάννη", "bakogianni mpakogianni"),
    ],
)
def test_a_name_in_other_letters_is_the_same_name(name: str, written: str) -> None:
    assert set(map(str.lower, written.split())) - {"müller"} <= spellings(name)
    assert [one for one in written.split() if cleaned(f"{name}^X", f"{one} knee axial") != "knee axial"] == []


@pytest.mark.parametrize(
    "text",
    [
        *("jwojtyla", "wojtylaj", "wojtyla_j", "j.wojtyla", "jwojtyl", "wojtyljo", "JOWOJTYL", "wojjoz", "jozwoj"),
        *("wojtylajozef", "ctwojtyla", "kneewojtyla", "wojtylact", "WOJTYLAKNEE", "J.W.", "W. J.", "JozefWojtyla"),
    ],
)
def test_a_login_or_a_label_that_is_made_of_a_name_goes(text: str) -> None:
    assert cleaned("Wojtyla^Jozef", f"knee {text} axial").lower().split() == ["knee", "axial"]


@pytest.mark.parametrize(
    "text", ["Wolframsd", "WOLFRAMSDO", "wolframsdorffe", "Wolframsdrof", "Wolframzdorf", "Wollframsdorf"]
)
def test_a_name_that_is_cut_off_or_mistyped_goes(text: str) -> None:
    assert cleaned("Wolframsdorf^Ada", f"knee {text} axial") == "knee axial"


def test_a_plain_word_is_no_mistyped_name() -> None:
    assert cleaned("Sagitall^Ada", "sagittal knee") == "sagittal knee"
    assert cleaned("Contrasta^Ada", "contrast knee") == "contrast knee"
    assert not is_mistyped("kowalczyk", "kowlaczky")


@pytest.mark.parametrize(
    ("name", "text", "rest"),
    [
        ("Ng^Kim", "knee Ng axial", "knee axial"),
        ("Ng^Kim", "NG tube axial", "NG tube axial"),
        ("Ng^Bo", "knee BO NG axial", "knee axial"),
        ("Qi^Wen", "knee QI axial", "knee axial"),
        ("Doe^Jane", "knee J.D. axial", "knee axial"),
        ("Doe^Jane", "knee JD axial", "knee JD axial"),
        ("Doe^Jane", "knee DOECT axial", "knee axial"),
        ("Doe^Jane", "t1doe knee", "t1 knee"),
    ],
)
def test_short_names_go_where_they_are_no_other_words(name: str, text: str, rest: str) -> None:
    assert cleaned(name, text) == rest


@pytest.mark.parametrize("operator", ["RJK", "R.J.K.", "R^J^K"])
def test_initials_in_the_header_go_with_points_and_without(operator: str) -> None:
    assert [cleaned("Doe^Jane", f"knee {one} axial", operator) for one in ("RJK", "R.J.K.", "R. J. K.")] == [
        "knee axial"
    ] * 3


@pytest.mark.parametrize("charset", [None, "ISO_IR 6"])
def test_a_name_in_utf_8_that_nobody_declared_is_read_as_it_was_meant(charset: str | None) -> None:
    found = extract(header(charset, PatientName="Jürgensen^Zoë".encode()))
    assert {"Jürgensen", "Zoë"} <= {one.text for one in found if one.kind == "name"}
    assert Cleaner(found).clean("Juergensen knee jurgensen") == "knee"
