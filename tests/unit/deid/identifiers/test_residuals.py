"""What counts as an identifier left in an output, and what only looks like one."""

from __future__ import annotations

import unicodedata

import pytest

from sendit.deid.identifiers.identifiers import Identifier
from sendit.deid.identifiers.residuals import SEARCHES_BEFORE_PATTERN, needles, plain, stands_in, suspects
from sendit.deid.stream.encodings import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, Encoding
from sendit.deid.stream.sources import BytesSource
from sendit.deid.verify import Verifier
from sendit.errors import DataFault
from tests.support.phantoms import leaks_in

NAME, ID = Identifier("name", "Zqcanary"), Identifier("id", "7337001973")
DATE, DASHED = Identifier("date", "19330707"), Identifier("date", "1933-07-07")
PHONE = Identifier("phone", "+1 (650) 555-0199")
ADDRESS = Identifier("address", "12 Upper Garden Lane")

COMMENTS, DESCRIPTION = 0x00204000, 0x00081030
TEXTS = {
    "AE": 0x00080054,
    "CS": 0x00180015,
    "LO": DESCRIPTION,
    "LT": COMMENTS,
    "PN": 0x00081070,
    "SH": 0x00080094,
    "ST": 0x00080081,
    "UC": 0x00080119,
    "UR": 0x00081190,
    "UT": 0x0040A160,
}
"""An attribute of each VR in which words may stand."""


def remains(identifier: Identifier, value: bytes, vr: str = "LT", tag: int = COMMENTS) -> bool:
    """Whether the identifier is seen in one encoded value."""
    return any(stands_in(needle, value, tag, vr) for needle in needles([identifier]))


def proof(data: bytes, encoding: Encoding, *identifiers: Identifier) -> None:
    Verifier(identifiers).check([data], encoding, BytesSource(b""))


# ------------------------------------------------------------------------------------------------ where it may stand


@pytest.mark.parametrize("vr", sorted(TEXTS))
@pytest.mark.parametrize("encoding", [EXPLICIT_LE, EXPLICIT_BE, IMPLICIT_LE], ids=["explicit", "big", "implicit"])
def test_a_name_in_any_text_is_found_with_its_tag_and_not_told(vr: str, encoding: Encoding) -> None:
    tag = TEXTS[vr]
    data = encoding.write(0x00080005, "CS", b"ISO_IR 192") if tag > 0x00080005 else b""
    data += encoding.write(tag, vr, b"of Zqcanary ")
    with pytest.raises(DataFault) as caught:
        proof(data, encoding, NAME, ID)
    assert (caught.value.code, caught.value.tag) == ("ResidualIdentifier", tag)
    assert f"({tag >> 16:04X},{tag & 0xFFFF:04X})" in str(caught.value)
    assert not leaks_in(str(caught.value) + repr(caught.value) + repr(vars(caught.value)))


@pytest.mark.parametrize("vr", sorted(TEXTS.keys() - {"AE", "CS"}))
@pytest.mark.parametrize(
    "identifier", [NAME, ID, DATE, DASHED, PHONE, ADDRESS], ids=["name", "id", "date", "dashed", "phone", "address"]
)
def test_every_kind_is_found_in_a_sentence(vr: str, identifier: Identifier) -> None:
    assert remains(identifier, b"seen: " + identifier.text.encode() + b", again", vr, TEXTS[vr])


@pytest.mark.parametrize("vr", ["UN", "OB"])
def test_opaque_bytes_are_looked_through(vr: str) -> None:
    assert remains(NAME, b"\x01\x02Zqcanary\0\0", vr, 0x00091001)
    assert remains(ID, b"\xff7337001973\xff\0", vr, 0x00091001)


@pytest.mark.parametrize("vr", ["OW", "OD", "OF", "OL", "OV", "UL", "US", "FD"])
def test_numbers_are_looked_through_for_long_identifiers(vr: str) -> None:
    assert remains(NAME, b"\x01\x02Zqcanary\0\0", vr, 0x00091001)
    assert not remains(Identifier("name", "Smith"), b"\x01\x02Smith\0\0\0", vr, 0x00091001)


def test_a_private_element_that_was_kept_is_looked_through() -> None:
    data = EXPLICIT_LE.write(0x00090010, "LO", b"ACME") + EXPLICIT_LE.write(0x00091001, "UN", b"for Zqcanary")
    with pytest.raises(DataFault) as caught:
        proof(data, EXPLICIT_LE, NAME)
    assert caught.value.tag == 0x00091001


def test_a_private_creator_that_names_the_patient_is_found() -> None:
    with pytest.raises(DataFault) as caught:
        proof(EXPLICIT_LE.write(0x00090010, "LO", b"Zqcanary"), EXPLICIT_LE, NAME)
    assert caught.value.tag == 0x00090010


def test_pixel_data_is_not_searched_as_text() -> None:
    data = EXPLICIT_LE.write(0x7FE00010, "OW", b"Zqcanary")
    proof(data, EXPLICIT_LE, NAME)
    with pytest.raises(DataFault):
        proof(EXPLICIT_LE.write(0x00420011, "OB", b"Zqcanary"), EXPLICIT_LE, NAME)


# ------------------------------------------------------------------------------------------------ forms of it


@pytest.mark.parametrize("text", ["Zqcanary", "ZQCANARY", "zqcanary", "zQcAnArY"])
def test_case_does_not_hide_a_name(text: str) -> None:
    assert remains(NAME, text.encode())


@pytest.mark.parametrize(
    "text",
    ["Zqcanary", "Zqcanary^Jane", "ZQCANARY, JANE", "zqcanary_1.dcm", "/data/zqcanary/1", "scan-Zqcanary", "Zqcanary7"],
)
def test_what_stands_beside_a_name_does_not_hide_it(text: str) -> None:
    assert remains(NAME, text.encode())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "ascii", "utf-8"])
def test_two_byte_characters_do_not_hide_a_name(encoding: str) -> None:
    assert remains(NAME, "of Zqcanary.".encode(encoding), "UN", 0x00091001)
    assert remains(NAME, "\x00of Zqcanary.".encode(encoding), "LT")


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("Buc^Jérôme", "latin-1"),
        ("Äneas", "utf-8"),
        ("Äneas", "iso8859-9"),
        ("Διονυσιος", "iso-ir-126"),
        ("Люкceмбypг", "iso-ir-144"),
        ("Люкceмбypг", "utf-8"),
        ("קבנרד", "iso8859_8"),
        ("山田", "iso2022_jp"),
        ("山田", "shift_jis"),
        ("山田", "utf-8"),
        ("山田", "utf-16-le"),
        ("王小东", "GB18030"),
        ("王小东", "GBK"),
        ("김희중", "euc_kr"),
        ("김희중", "utf-8"),
    ],
)
def test_a_name_is_found_in_every_encoding(name: str, encoding: str) -> None:
    python_name = {"iso-ir-126": "iso8859_7", "iso-ir-144": "iso8859_5"}.get(encoding, encoding)
    for word in name.split("^"):
        assert remains(Identifier("name", word), f"x {word} y".encode(python_name), "LO", DESCRIPTION)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_composed_and_decomposed_letters_are_one(form: str) -> None:
    assert remains(Identifier("name", "Jérôme"), unicodedata.normalize(form, "an jérôme").encode())
    assert remains(
        Identifier("name", unicodedata.normalize("NFD", "Jérôme")), unicodedata.normalize(form, "JÉRÔME").encode()
    )


@pytest.mark.parametrize(
    ("name", "written"),
    [("Müller", "Mueller"), ("Müller", "MULLER"), ("Größe", "groesse"), ("Åström", "Aastroem"), ("Jérôme", "Jerome")],
)
def test_a_name_without_its_accents_is_found(name: str, written: str) -> None:
    assert remains(Identifier("name", name), b"of " + written.encode())


def test_an_escape_within_a_name_does_not_hide_it() -> None:
    raw = "x 山田 y".encode("iso2022_jp")
    assert b"\x1b$B" in raw
    assert remains(Identifier("name", "山田"), raw, "LO", DESCRIPTION)
    assert remains(NAME, b"Zqca\x1b(Bnary", "PN", 0x00081070)
    assert plain(b"A\x1b$)CB\x1b(Bc") == b"abc"


@pytest.mark.parametrize("text", ["MRN-12-3456", "MRN123456", "mrn123456", "MRN-12-3456/1"])
def test_an_id_is_found_without_its_hyphens(text: str) -> None:
    assert remains(Identifier("id", "MRN-12-3456"), text.encode())


@pytest.mark.parametrize("text", ["+1 (650) 555-0199", "16505550199"])
def test_a_telephone_number_is_found_as_written_and_as_digits(text: str) -> None:
    assert remains(PHONE, b"call " + text.encode())


@pytest.mark.parametrize(
    "text",
    ["19330707", "1933.07.07", "1933-07-07", "1933/07/07", "07.07.1933", "07/07/1933", "07-07-1933", "19330707T1200"],
)
def test_a_birth_date_is_found_in_its_usual_spellings(text: str) -> None:
    assert remains(DATE, b"born " + text.encode())


@pytest.mark.parametrize(
    "text",
    [
        *(
            "7 Jul 1933",
            "07-JUL-1933",
            "July 7th, 1933",
            "7. Juli 1933",
            "7 de julio de 1933",
            "7 juillet 1933",
            "7lip1933",
        ),
        *("7/7/1933", "1933/7/7", "7.7.1933", "07/07/33", "7/7/33", "07.07.33", "33-07-07", "07071933"),
    ],
)
def test_a_birth_date_is_found_in_words_and_short(text: str) -> None:
    for encoding in ("ascii", *["utf-16-le"] * ("1933" in text)):
        assert remains(DATE, f"born {text}, again".encode(encoding))
        assert suspects(needles([DATE]), f"born {text}, again".encode(encoding))


@pytest.mark.parametrize(
    "text", ["8 Jul 1933", "since 1933", "17/7/1933", "7 lipids 1933", "17.07.33.1", "1933 of 7 July 2011"]
)
def test_another_date_of_that_year_is_no_birth_date(text: str) -> None:
    assert not remains(DATE, f"seen {text}, again".encode())


@pytest.mark.parametrize("value", [b"19330808", b"19331231"])
def test_a_day_of_the_birth_year_stays_in_a_date(value: bytes) -> None:
    assert not remains(DATE, value, "DA", 0x00080020)


@pytest.mark.parametrize("text", ["05/23/1941", "23/05/1941", "1941-05-23"])
def test_a_birth_date_is_found_with_day_or_month_first(text: str) -> None:
    assert remains(Identifier("date", "19410523"), text.encode())


# ------------------------------------------------------------------------------------------------ look-alikes


@pytest.mark.parametrize("text", ["Zqcanaryan", "CTZQCANARY", "azqcanaryb", "zqcanaryhead"])
@pytest.mark.parametrize("encoding", ["ascii", "utf-16-le", "utf-16-be"])
def test_the_patients_name_is_found_within_a_word_that_nobody_knows(text: str, encoding: str) -> None:
    assert remains(NAME, text.encode(encoding), "UN", 0x00091001)


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        *(("name", "Anders", "ANDERSEN"), ("staff", "Zqcanary", "CTZQCANARY")),
        *(("name", "Philip", "Philips"), ("name", "Parathyr", "parathyroid"), ("name", "Thoracic", "XTHORACIC")),
    ],
)
def test_a_longer_word_is_another_word(kind: str, name: str, text: str) -> None:
    assert not remains(Identifier(kind, name), text.encode())


@pytest.mark.parametrize("text", ["73370019731", "17337001973", "1.2.73370019734.5"])
def test_a_longer_number_is_another_number(text: str) -> None:
    assert not remains(ID, text.encode())


@pytest.mark.parametrize("text", ["Leeds", "Lee1", "1lee", "asleep", "fleet"])
def test_a_short_name_is_not_seen_within_a_word(text: str) -> None:
    short = Identifier("name", "Lee")
    assert not remains(short, text.encode())
    assert remains(short, text.encode() + b" Lee")


def test_a_short_identifier_is_not_seen_in_opaque_bytes() -> None:
    short = Identifier("name", "Lee")
    assert not remains(short, b"\x01Lee\x02\x03", "UN", 0x00091001)
    assert not remains(short, b"\x01Lee\x02\x03", "OB", 0x00091001)
    assert remains(short, b"\x01Lee\x02\x03", "LO", DESCRIPTION)


@pytest.mark.parametrize(
    ("identifier", "value", "vr", "tag"),
    [
        (Identifier("name", "Head"), b"HEAD", "CS", 0x00180015),
        (Identifier("name", "Max"), b"MAX\\MIN ", "CS", 0x00080008),
        (Identifier("id", "1933"), b"1933", "IS", 0x00200013),
        (Identifier("id", "512512"), b"1512512 ", "IS", 0x00200013),
        (Identifier("id", "0707"), b"20040707", "DA", 0x00080020),
        (Identifier("id", "20040119"), b"20040119", "DA", 0x00080020),
        (Identifier("id", "120000"), b"120000", "TM", 0x00080030),
        (Identifier("date", "19330707"), b"119330707.5 ", "DS", 0x00181160),
        (Identifier("date", "19330707"), b"20190707", "DA", 0x00080020),
        (Identifier("name", "Year"), b"040Y", "AS", 0x00101010),
    ],
)
def test_ordinary_numbers_moments_and_terms_are_no_identifiers(
    identifier: Identifier, value: bytes, vr: str, tag: int
) -> None:
    assert not remains(identifier, value, vr, tag)


@pytest.mark.parametrize(
    ("identifier", "value", "vr", "tag"),
    [
        (ID, b"7337001973", "IS", 0x00200013),
        (ID, b"1\\7337001973", "DS", 0x00181160),
        (Identifier("id", "AB12345"), b"AB12345 ", "CS", 0x00180015),
        (DATE, b"19330707", "DA", 0x00080012),
        (DATE, b"20040101\\19330707 ", "DA", 0x00080012),
        (DATE, b"19330707120000.5+0100 ", "DT", 0x0008002A),
        (NAME, b"Zqcanary", "DA", 0x00080020),
        (NAME, b"zqcanary", "IS", 0x00200013),
        (NAME, b"Zqcanary", "CS", 0x00180015),
        (NAME, b"Zqcanary", "UI", 0x0020000D),
        (NAME, b"ZQCANARY", "CS", 0x00091001),
    ],
)
def test_an_identifier_in_a_value_of_restricted_form_is_found(
    identifier: Identifier, value: bytes, vr: str, tag: int
) -> None:
    assert remains(identifier, value, vr, tag)


def test_a_form_across_two_elements_is_no_identifier() -> None:
    data = EXPLICIT_LE.write(0x00081030, "LO", b"of Zqcan") + EXPLICIT_LE.write(0x0008103E, "LO", b"ary")
    proof(data, EXPLICIT_LE, NAME)


# ------------------------------------------------------------------------------------------------ suspects


def test_only_forms_that_are_in_the_data_are_suspected() -> None:
    found = needles([NAME, ID, DATE])
    assert {needle.kind for needle in suspects(found, b"..ZQcanary..19330707")} == {"name", "date"}
    assert suspects(found, b"nothing of the kind") == []


def test_needles_are_each_listed_once() -> None:
    found = needles([NAME, NAME, Identifier("name", "zqcanary")])
    assert len(found) == len(set(found)) == 3  # ascii and both byte orders of UTF-16


# ------------------------------------------------------------------------------------------------- many short texts


FORMS = ["a", "ab", "abc", "b.c", "12", "1961", "x" * 40, "x" * 39 + "y"]


@pytest.mark.parametrize("text", [*FORMS, "", "bc", "b-c", "x" * 38, "1-2", "19-61", "xa", "nothing", "A B", "1960"])
def test_a_short_text_holds_the_same_suspects_however_many_were_looked_through_before(text: str) -> None:
    found = needles([Identifier("id", form) for form in FORMS])
    first = suspects(found, text.encode())
    for number in range(SEARCHES_BEFORE_PATTERN):
        suspects(found, b"%d" % number)
    assert suspects(found, text.encode()) == first
    assert {needle.form for needle in first if needle.unit == 1} == {
        form.encode() for form in FORMS if form in text.lower()
    } - {b""}
