"""Values that are not what their attribute holds do not stay, whatever a recipe keeps; what merely looks odd stays."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from sendit.deid import Deidentifier, Pseudonyms
from sendit.deid.recipe.recipe import load_recipe, parse_recipe
from sendit.deid.rewriting.account import Account, Done
from tests.support.streams import (
    BY_NAME,
    EXPLICIT,
    IMPLICIT,
    KEY,
    VARIABLES,
    Syntax,
    dataset_of,
    deidentified,
    even,
    part10,
    read,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
IMAGE_TYPE, SOP_CLASS, STUDY_DATE, STUDY_TIME, CONTENT_TIME = 0x00080008, 0x00080016, 0x00080020, 0x00080030, 0x00080033
MODALITY, SEX, BODY_PART, KVP, SLICE_THICKNESS = 0x00080060, 0x00100040, 0x00180015, 0x00180060, 0x00180050
SERIES_NUMBER, INSTANCE_NUMBER, ROWS, SPACING = 0x00200011, 0x00200013, 0x00280010, 0x00280030
REQUESTS, STEP_TIME = 0x00400275, 0x00400003
PERSON, MAIL, PHONE, DAY, WRITTEN = (
    b"ZABINSKI JAN",
    b"jan@clinic.example",
    b"+48 22 555 01 99",
    b"20110617",
    b"17-JUN-2011",
)

KEEPING = ("", "KEEP ALL", "REMOVE ALL\nKEEP ALL", "REMOVE values:none\n%values none\nFIELD OtherPatientIDs")
"""Recipes that leave everything as it is: they speak of nothing, keep all, or have a condition that nothing meets."""


@pytest.fixture(params=BY_NAME)
def syntax(request: pytest.FixtureRequest) -> Syntax:
    return BY_NAME[request.param]


def left_of(
    tag: int, vr: str, raw: bytes, rules: str = "", syntax: Syntax = EXPLICIT, written: str = ""
) -> bytes | None:
    """What is left of a value, without its padding; None where the element goes."""
    after = read(deidentified(part10(syntax.element(tag, written or vr, even(raw)), syntax), rules))
    if tag not in after:
        return None
    return bytes(after.get_item(tag).value or b"").strip(b" \0")


# ------------------------------------------------------------------------------------------------- illegal values


@pytest.mark.parametrize("rules", KEEPING)
@pytest.mark.parametrize(
    ("tag", "vr"),
    [(STUDY_TIME, "TM"), (KVP, "DS"), (SERIES_NUMBER, "IS"), (0x00101010, "AS"), (STUDY_DATE, "DA"), (0x0008002A, "DT"),
     (0x0020000D, "UI"), (0x00189073, "FD"), (0x00080120, "UR")],
)  # fmt: skip
@pytest.mark.parametrize(
    "planted", [PERSON, MAIL, PHONE, WRITTEN + b" " + PERSON, PERSON + b"\\" + PERSON, b"\xe9" * 9]
)
def test_a_text_stays_in_no_value_that_holds_no_text(
    tag: int, vr: str, planted: bytes, rules: str, syntax: Syntax
) -> None:
    if (vr == "UR" and planted == MAIL) or (vr == "FD" and not planted.isascii()):
        planted = b"http://clinic.example/ " + PERSON  # the other is an address by its form, or a number
    after = dataset_of(part10(syntax.element(tag, vr, even(planted)), syntax), rules)
    assert not any(part in after for part in (PERSON, MAIL, PHONE, WRITTEN, b"\xe9\xe9"))


@pytest.mark.parametrize("rules", KEEPING)
@pytest.mark.parametrize("planted", [MAIL, PERSON + b" tel. " + PHONE + b" #7", b"\xe9t\xe9", b"A" * 65, b"a\nb"])
def test_a_code_string_stays_where_it_may_be_one(planted: bytes, rules: str, syntax: Syntax) -> None:
    assert not left_of(SEX, "CS", planted, rules, syntax)
    image_type = left_of(IMAGE_TYPE, "CS", b"ORIGINAL\\" + planted + b"\\AXIAL", rules, syntax)
    assert image_type == b"ORIGINAL\\\\AXIAL"


@pytest.mark.parametrize("number", [b"inf", b"-INF", b"nan", b"1e", b"0x10", b"12 Main Street", b"1,5", b"1/2", b"--1"])
@pytest.mark.parametrize(("tag", "vr"), [(KVP, "DS"), (SERIES_NUMBER, "IS")])
def test_what_is_no_number_does_not_pass_for_one(number: bytes, tag: int, vr: str) -> None:
    assert not left_of(tag, vr, number)
    assert not left_of(tag, vr, b"1\\" + number + b"\\3")


@pytest.mark.parametrize("written", ["LO", "UT", "ST", "PN", "OB", "UN", "US"])
def test_a_value_is_judged_by_its_attribute_where_the_file_has_another_vr(written: str) -> None:
    for tag, vr in ((STUDY_TIME, "TM"), (KVP, "DS"), (SERIES_NUMBER, "IS"), (0x0020000D, "UI")):
        assert PERSON not in (left_of(tag, vr, PERSON, written=written) or b"")
    assert not left_of(ROWS, "US", b"512 " + PERSON, written=written)


def test_bytes_are_no_text_and_text_is_no_bytes() -> None:
    assert not left_of(0x00081090, "LO", PERSON, written="OB")
    assert not left_of(0x00282000, "OB", PERSON, written="LO")


@pytest.mark.parametrize("written", ["FD", "FL", "US", "SL"])
def test_a_number_in_binary_stays_where_a_decimal_is_expected(written: str) -> None:
    codes = {"FD": "<d", "FL": "<f", "US": "<H", "SL": "<i"}
    raw = struct.pack(codes[written], 120)
    after = deidentified(part10(EXPLICIT.element(KVP, written, raw)))
    assert raw in after[-20:]
    assert not left_of(KVP, "DS", b"KOWALSKI", written=written)


# ------------------------------------------------------------------------------------------------- times with dates


@pytest.mark.parametrize("rules", KEEPING)
@pytest.mark.parametrize(
    ("time", "left"),
    [
        (b"20110617101010", b"101010"),
        (b"20110617101010.5", b"101010.5"),
        (b"20110617 1010", b"1010"),
        (b"2011-06-17 10:10", b"10:10"),
        (b"2011-06-17T10:10:10+02:00", b"10:10:10"),
        (b"2011.06.17 10:10:10", b"10:10:10"),
        (b"17-JUN-2011 10:10:10", b"10:10:10"),
        (b"17/06/2011 10:10", b"10:10"),
        (b"17 June 2011, 10:10", b"10:10"),
        (b"20110617", b""),
        (b"2011-06-17", b""),
        (b"17-JUN-2011", b""),
        (b"June 17, 2011 10:10", b""),
        (b"10:10 17-JUN-2011", b""),
        (b"101010.20110617", b"101010.201106"),
        (b"101010\\20110617101112", b"101010\\101112"),
        (b"101010\\20110617", b""),
    ],
)
def test_of_a_time_with_a_date_the_time_of_day_stays(time: bytes, left: bytes, rules: str, syntax: Syntax) -> None:
    assert (left_of(STUDY_TIME, "TM", time, rules, syntax) or b"") == left
    inside = syntax.sequence(REQUESTS, [syntax.element(STUDY_TIME, "TM", even(time))])
    after = read(deidentified(part10(inside, syntax), rules))
    item = after[REQUESTS][0]
    assert bytes(item.get_item(STUDY_TIME).value if STUDY_TIME in item else b"").strip() == left


# ------------------------------------------------------------------------------------------------- dirt that stays

DIRT = [
    *((STUDY_TIME, "TM", raw) for raw in (b"10:11:12", b"240000", b"101112.", b"101112.123456", b"9:05")),
    *((STUDY_TIME, "TM", raw) for raw in (b"10", b" 1011")),
    *((STUDY_TIME, "TM", raw) for raw in (b"101112\\111213", b"\\101112", b"101112\0\0", b"", b"    ", b"\0\0")),
    *((KVP, "DS", raw) for raw in (b"0.123456789012345678\0", b"120", b" 120 ", b"-1.5E-7", b".5", b"5.", b"1\\ 2")),
    *((SERIES_NUMBER, "IS", raw) for raw in (b"1.0 ", b"1e3", b"-7", b"007", b"4294967296", b"1\\2\\\\4", b"3 \0")),
    *((IMAGE_TYPE, "CS", raw) for raw in (b"original\\primary", b"M\\ND\\NORM", b"", b"DERIVED\\\\", b"2D+T", b"W/O")),
    *((BODY_PART, "CS", raw) for raw in (b"Brain", b"t1", b"T-SPINE", b"LUMBOSACRAL SPINE", b"Head & Neck")),
    *((0x00101010, "AS", raw) for raw in (b"045Y", b"45", b"9M", b"045y")),
    *((STUDY_DATE, "DA", raw) for raw in (b"20110617", b"2011.06.17", b"2011-06-17", b"00000000")),
    *((0x0008002A, "DT", raw) for raw in (b"20110617101010.5+0200", b"2011", b"2011-06-17T10:10:10Z", b"201106")),
    *((0x0020000D, "UI", raw) for raw in (b"1.2.3\0", b"1.2.3 ", b"1.02.3", b"1.2\\3.4", b"2.25." + b"9" * 39)),
    (0x00080120, "UR", b"urn:oid:1.2.3?a=b#c%20 "),
    (0x00189073, "FD", struct.pack("<2d", 1.5, 2.5)),
]  # fmt: skip


@pytest.mark.parametrize(("tag", "vr", "raw"), DIRT, ids=lambda value: str(value)[:30])
def test_what_merely_looks_odd_stays_as_it_is(tag: int, vr: str, raw: bytes, syntax: Syntax) -> None:
    if len(raw) % 2:
        raw += b" "
    content = syntax.element(tag, vr, raw)
    assert dataset_of(part10(content, syntax)) == content
    nested = syntax.sequence(REQUESTS, [content, content], delimited=True, items_delimited=True)
    assert dataset_of(part10(nested, syntax), "KEEP RequestAttributesSequence") == nested


# ------------------------------------------------------------------------------------------------- by Type


def image(*elements: bytes) -> bytes:
    """A CT image with these elements behind its SOP class."""
    meta = EXPLICIT.element(0x00020002, "UI", even(CT.encode(), b"\0"))
    return part10(EXPLICIT.element(SOP_CLASS, "UI", even(CT.encode(), b"\0")) + b"".join(elements), more=meta)


@pytest.mark.parametrize("name", ["research", "limited-dataset"])
def test_a_type_1_gets_a_dummy_a_type_2_is_emptied_and_a_type_3_goes(name: str) -> None:
    one = Deidentifier(load_recipe(name), Pseudonyms(KEY), VARIABLES)
    data = image(
        EXPLICIT.element(IMAGE_TYPE, "CS", even(MAIL)),
        EXPLICIT.element(STUDY_TIME, "TM", even(PERSON)),
        EXPLICIT.element(CONTENT_TIME, "TM", even(PERSON)),
        EXPLICIT.element(0x00180090, "DS", even(PERSON)),
        EXPLICIT.element(KVP, "DS", even(PERSON)),
        EXPLICIT.element(0x00200032, "DS", even(b"1\\2\\" + PERSON)),
    )
    result = one.deidentify(data)
    after = read(result.tobytes())
    assert after.StudyTime is None or after.StudyTime == ""
    assert after["KVP"].value is None
    assert "DataCollectionDiameter" not in after
    assert after.ImageType == ["REMOVED", "REMOVED"]
    assert after.ImagePositionPatient == [0, 0, 0]


def test_an_account_says_how_many_values_were_not_what_they_are_to_be() -> None:
    account, one = Account(), Deidentifier(parse_recipe("FORMAT dicom"), Pseudonyms(KEY))
    for raw in (PERSON, b"80", b"nan ", b"120 "):
        account.add(one.deidentify(part10(EXPLICIT.element(KVP, "DS", raw))).done)
    assert account.rows() == [Done("(0018,0060)", "KVP", "FORM", 2)]


# ------------------------------------------------------------------------------------------------- series and depth


def test_each_image_of_a_series_is_looked_at(syntax: Syntax) -> None:
    """Also behind what the images share, where a value of one of them is another than those before."""
    one = Deidentifier(parse_recipe("FORMAT dicom"), Pseudonyms(KEY))
    for number in range(60):
        kvp = PERSON if number % 20 == 19 else b"120 "
        content = [
            syntax.element(STUDY_TIME, "TM", b"101010"),
            syntax.element(SLICE_THICKNESS, "DS", b"5 "),
            syntax.element(KVP, "DS", kvp),
            syntax.element(INSTANCE_NUMBER, "IS", even(str(number).encode())),
        ]
        out = one.deidentify(part10(b"".join(content), syntax)).tobytes()
        assert PERSON not in out
        assert out.endswith(content[-1])
        assert (b"120 " in out) == (kvp == b"120 ")


@pytest.mark.parametrize("rules", ["", "KEEP ALL", "KEEP RequestAttributesSequence"])
@pytest.mark.parametrize(
    "shape", [lambda s, c: s.sequence(REQUESTS, [c]), lambda s, c: s.sequence(REQUESTS, [b"", c], delimited=True)]
)
def test_no_depth_hides_a_value(rules: str, shape: Callable[[Syntax, bytes], bytes], syntax: Syntax) -> None:
    content = syntax.element(STUDY_TIME, "TM", b"20110617101010") + syntax.element(KVP, "DS", PERSON)
    for _ in range(7):
        content = shape(syntax, content)
    after = dataset_of(part10(content, syntax), rules)
    assert PERSON not in after and DAY not in after and b"101010" in after


def test_a_kept_sequence_of_unknown_vr_hides_no_value() -> None:
    hidden = EXPLICIT.sequence(0x00091001, [IMPLICIT.element(KVP, "DS", PERSON)], vr="UN")
    creator = EXPLICIT.element(0x00090010, "LO", b"MAKER ")
    assert PERSON not in dataset_of(part10(creator + hidden), "KEEP ALL")


def test_a_private_value_that_a_recipe_keeps_has_its_form_too() -> None:
    creator = EXPLICIT.element(0x00190010, "LO", b"MAKER ")
    for vr in ("DS", "IS", "TM", "UI"):
        content = creator + EXPLICIT.element(0x00191001, vr, PERSON)
        assert PERSON not in dataset_of(part10(content), 'KEEP (0019,"MAKER",01)')


def test_an_image_that_is_asked_about_is_shown_as_it_came_in() -> None:
    """A recipe's function and its %values lists see what stands in the file, for that is what has to be found."""
    shown = []

    def look(dicom, **_):  # type: ignore[no-untyped-def]
        shown.append(bytes(dicom.get_item(KVP).value))
        return "x"

    content = EXPLICIT.element(KVP, "DS", PERSON) + EXPLICIT.element(0x00181030, "LO", b"chest ")
    deidentified(part10(content), "REPLACE ProtocolName func:look", look=look)
    assert shown == [PERSON]


def test_a_text_in_place_of_a_uid_becomes_its_pseudonym(syntax: Syntax) -> None:
    one = left_of(0x0020000D, "UI", PERSON, "KEEP StudyInstanceUID", syntax)
    assert one is not None and one.startswith(b"2.25.")
    assert one == left_of(0x00080018, "UI", PERSON, "", syntax)
    assert one != left_of(0x00080018, "UI", PERSON + b"S", "", syntax)


def test_a_class_uid_that_is_none_does_not_hold_up_an_image() -> None:
    content = EXPLICIT.element(0x0008001A, "UI", PERSON)
    assert PERSON not in deidentified(part10(content), "REPLACE select:VR:UI deid_func:pydicom_uuid")
