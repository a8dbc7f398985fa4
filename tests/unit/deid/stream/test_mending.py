"""What writers get wrong and every reader understands: read as it is meant, or gone; a doubt is refused."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterable

import pytest
from pydicom import Dataset, dcmread

from sendit.deid import read_header
from sendit.deid.rewriting.account import Account
from sendit.deid.stream.repairs import RepairKind
from sendit.pipeline.stages.report_page import WORDS
from tests.support.phantoms import WORD
from tests.support.streams import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    UNDEFINED,
    Syntax,
    dataset_of,
    deidentified,
    deidentifier,
    even,
    part10,
    refused,
    split_part10,
)

MODALITY, DESCRIPTION, NAME, IMAGES = 0x00080060, 0x00081030, 0x00100010, 0x00081140
PADDING_VALUE, ROWS, PIXELS = 0x00280120, 0x00280010, 0x7FE00010
CT = EXPLICIT.element(MODALITY, "CS", b"CT")
BEHIND = EXPLICIT.element(ROWS, "US", b"\4\0")
NO_VRS = ["??", "  ", "\0\0", "xx", "ZZ", "-1"]


def without_vr(tag: int, vr: str, value: bytes, syntax: Syntax = EXPLICIT) -> bytes:
    return struct.pack(syntax.order + "HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def read(data: bytes) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = dcmread(io.BytesIO(data))
        for _ in dataset.iterall():
            pass
    return dataset


def repaired(data: bytes, rules: str = "") -> list[tuple[str, int]]:
    """The places that the account names as repaired."""
    account = Account()
    account.add(deidentifier(rules).deidentify(data).done)
    return [(done.place, done.count) for done in account.rows() if done.action.startswith("REPAIR_")]


# ------------------------------------------------------------------------------------------------- no VR


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG], ids=["little", "big"])
@pytest.mark.parametrize("vr", NO_VRS)
def test_an_attribute_of_one_vr_is_read_by_the_dictionary_where_its_own_is_none(vr: str, syntax: Syntax) -> None:
    start = syntax.element(MODALITY, "CS", b"CT")
    data = part10(start + without_vr(DESCRIPTION, vr, b"knee", syntax), syntax)
    assert dataset_of(data) == start + syntax.element(DESCRIPTION, "LO", b"knee")
    assert repaired(data) == [("(0008,1030)", 1)]


@pytest.mark.parametrize("vr", NO_VRS)
@pytest.mark.parametrize(("tag", "value"), [(PADDING_VALUE, b"\0\0"), (0x00191001, b"ABCD"), (0x00189999, b"ab")])
def test_an_attribute_that_may_be_anything_goes(vr: str, tag: int, value: bytes) -> None:
    last = EXPLICIT.element(0x00880140, "UI", b"1.2\0")
    data = part10(CT + without_vr(tag, vr, value) + last)
    assert dataset_of(data, "KEEP ALL") == CT + last
    assert read(deidentified(data)).Modality == "CT"


@pytest.mark.parametrize("delimited", [False, True])
def test_an_element_without_a_vr_in_an_item_is_understood_too(delimited: bool) -> None:
    item = EXPLICIT.item(without_vr(NAME, "??", even(WORD)), delimited=delimited)
    data = part10(CT + EXPLICIT.element(IMAGES, "SQ", item) + BEHIND)
    assert dataset_of(data, "REMOVE PatientName") == CT + EXPLICIT.element(IMAGES, "SQ", EXPLICIT.item(b"")) + BEHIND
    assert "(0008,1140)(0010,0010)" in [place for place, _ in repaired(data)]


def test_what_a_rule_removes_is_removed_though_its_vr_is_none() -> None:
    data = part10(CT + without_vr(NAME, "??", even(WORD)) + BEHIND)
    assert dataset_of(data, "REMOVE PatientName") == CT + BEHIND
    assert read_header(data).text("PatientName") == WORD.strip()


def test_a_length_that_may_be_meant_in_two_ways_is_refused() -> None:
    short = EXPLICIT.element(0x00081032, "SH", b"")
    both = struct.pack("<HH2sH", 0x0008, 0x1030, b"\x10\0", 0) + short + EXPLICIT.element(0x00081033, "SH", b"")
    with refused("BadElement", DESCRIPTION):
        deidentified(part10(CT + both + BEHIND))


# ------------------------------------------------------------------------------------------------- kinds


@pytest.mark.parametrize("vr", ["LO", "CS", "OB", "US", "UT"])
@pytest.mark.parametrize("tag", [0x00120064, 0x0040A170, IMAGES])
def test_a_sequence_under_another_vr_is_emptied(tag: int, vr: str) -> None:
    data = part10(CT + EXPLICIT.element(tag, vr, even(WORD)))
    assert dataset_of(data, "KEEP ALL") == CT + EXPLICIT.element(tag, "SQ")
    assert read_header(data).items(tag) == []


@pytest.mark.parametrize("value", [b"", EXPLICIT.item(EXPLICIT.element(NAME, "PN", even(WORD)))])
def test_an_attribute_that_is_no_sequence_but_is_written_as_one_is_emptied(value: bytes) -> None:
    data = part10(CT + EXPLICIT.element(DESCRIPTION, "SQ", value) + BEHIND)
    assert dataset_of(data, "KEEP ALL") == CT + EXPLICIT.element(DESCRIPTION, "LO") + BEHIND
    assert repaired(data) == [("(0008,1030)", 1)]


@pytest.mark.parametrize(("vr", "value"), [("OB", b"ab"), ("US", b"ab"), ("LO", b"a" * 80)])
def test_what_is_no_private_creator_goes_and_its_elements_belong_to_nobody(vr: str, value: bytes) -> None:
    mine = EXPLICIT.element(0x00091001, "LO", b"mine")
    data = part10(CT + EXPLICIT.element(0x00090010, vr, value) + mine)
    assert dataset_of(data, 'REMOVE select:private:yes\nKEEP (0009,"ACME",01)') == CT


# ------------------------------------------------------------------------------------------------- encodings


def delimited_sequence(tag: int, vr: str, item: bytes) -> bytes:
    return EXPLICIT.element(tag, vr, item + EXPLICIT.mark(0xE0DD, 0), UNDEFINED)


def nested(outer: Syntax, inner: Syntax, vr: str, *, delimited: bool) -> bytes:
    item = inner.item(inner.element(NAME, "PN", even(WORD)) + inner.element(0x00100020, "LO", b"p1"))
    if delimited:
        return outer.element(IMAGES, vr, item + inner.mark(0xE0DD, 0), UNDEFINED)
    return outer.element(IMAGES, vr, item)


@pytest.mark.parametrize("delimited", [False, True])
def test_a_sequence_with_implicit_items_is_written_as_one_of_unknown_vr(delimited: bool) -> None:
    data = part10(CT + nested(EXPLICIT, IMPLICIT, "SQ", delimited=delimited) + BEHIND)
    kept = IMPLICIT.item(IMPLICIT.element(0x00100020, "LO", b"p1"))
    assert dataset_of(data, "REMOVE PatientName") == CT + delimited_sequence(IMAGES, "UN", kept) + BEHIND
    assert [item.text("PatientID") for item in read_header(data).items(IMAGES)] == ["p1"]


@pytest.mark.parametrize("tag", [IMAGES, 0x00189999])
@pytest.mark.parametrize("delimited", [False, True])
def test_a_sequence_of_unknown_vr_with_explicit_items_is_written_as_a_sequence(delimited: bool, tag: int) -> None:
    data = nested(EXPLICIT, EXPLICIT, "UN", delimited=delimited)
    data = part10(CT + struct.pack("<HH", tag >> 16, tag & 0xFFFF) + data[4:] + BEHIND)
    kept = EXPLICIT.item(EXPLICIT.element(0x00100020, "LO", b"p1"))
    assert dataset_of(data, "REMOVE PatientName") == CT + delimited_sequence(tag, "SQ", kept) + BEHIND


@pytest.mark.parametrize("value", [b"knee ", even(WORD), b"a" * 300])
def test_one_implicit_element_in_an_explicit_dataset_is_understood(value: bytes) -> None:
    value = value + b" " * (len(value) % 2)
    data = part10(CT + IMPLICIT.element(0x0008103E, "LO", value) + BEHIND)
    assert dataset_of(data) == CT + EXPLICIT.element(0x0008103E, "LO", value) + BEHIND
    assert dataset_of(data, "REMOVE SeriesDescription") == CT + BEHIND


def test_one_implicit_sequence_in_an_explicit_dataset_is_understood() -> None:
    item = IMPLICIT.item(IMPLICIT.element(NAME, "PN", even(WORD)))
    for sequence in (IMPLICIT.element(IMAGES, "SQ", item), IMPLICIT.sequence(IMAGES, [item[8:]], delimited=True)):
        data = part10(CT + sequence + BEHIND)
        empty = delimited_sequence(IMAGES, "UN", IMPLICIT.item(b""))
        assert dataset_of(data, "REMOVE PatientName") == CT + empty + BEHIND


# ------------------------------------------------------------------------------------------------- ends


@pytest.mark.parametrize("count", [8, 10, 512])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG], ids=["explicit", "implicit", "big"])
def test_zeros_behind_the_last_element_go(syntax: Syntax, count: int) -> None:
    content = syntax.element(MODALITY, "CS", b"CT")
    assert dataset_of(part10(content + bytes(count), syntax)) == content


@pytest.mark.parametrize("size", [1, 8, 0x00E00000])
def test_the_length_of_a_delimiter_is_passed_over(size: int) -> None:
    content = EXPLICIT.element(NAME, "PN", even(WORD))
    for items in (
        EXPLICIT.mark(0xE000, UNDEFINED) + content + EXPLICIT.mark(0xE00D, size) + EXPLICIT.mark(0xE0DD, 0),
        EXPLICIT.item(content) + EXPLICIT.mark(0xE0DD, size),
    ):
        data = part10(CT + EXPLICIT.element(IMAGES, "SQ", items, UNDEFINED) + BEHIND)
        empty = delimited_sequence(IMAGES, "SQ", EXPLICIT.item(b""))
        assert dataset_of(data, "REMOVE PatientName") == CT + empty + BEHIND


@pytest.mark.parametrize("group", [0x0000, 0x0002])
def test_elements_of_a_command_or_of_the_file_meta_in_the_dataset_go(group: int) -> None:
    stray = EXPLICIT.element(group << 16 | 0x10, "UI", b"1.2.840.10008.1.2.4.50")
    data = part10(CT + stray + BEHIND)
    assert dataset_of(data) == CT + BEHIND


# ------------------------------------------------------------------------------------------------- the pixels


def test_pixels_behind_a_repaired_header_are_streamed_as_they_are() -> None:
    pixels = EXPLICIT.element(PIXELS, "OW", bytes(range(256)) * 400)
    data = part10(CT + without_vr(PADDING_VALUE, "  ", b"\0\0") + pixels)
    assert dataset_of(data) == CT + pixels


def test_bytes_that_only_look_like_a_repair_is_possible_are_refused() -> None:
    maker = EXPLICIT.element(0x00080070, "LO", b"AC")
    cut, longer = without_vr(0x00080090, "??", b"")[:6] + b"\xff\xff", without_vr(DESCRIPTION, "??", b"knee") + b"\1\2"
    for content in (cut, longer):
        with refused("BadElement"):
            deidentified(part10(CT + maker + content))


def test_nested_readings_without_end_are_cut_off() -> None:
    """Each level may be read in two ways: the work must not double with each."""
    content = without_vr(NAME, "??", b"ab")
    for _ in range(60):
        content = EXPLICIT.element(0x00189999, "UN", EXPLICIT.item(content + b"?"))
    with refused("Truncated"):
        deidentified(part10(content))


# ------------------------------------------------------------------------------------------------- which image it is


def with_meta(content: bytes, uid: str = "1.2.3.77") -> bytes:
    return part10(content, more=EXPLICIT.element(0x00020003, "UI", even(uid, b"\0")))


@pytest.mark.parametrize("present", [b"", EXPLICIT.element(0x00080018, "UI", b"")], ids=["absent", "empty"])
@pytest.mark.parametrize("others", [b"", CT, CT + BEHIND, EXPLICIT.element(0x00080005, "CS", b"ISO_IR 100")])
def test_a_missing_sop_instance_uid_is_the_file_metas(present: bytes, others: bytes) -> None:
    content = present + others if others != EXPLICIT.element(0x00080005, "CS", b"ISO_IR 100") else others + present
    rules = "REPLACE select:VR:UI deid_func:pydicom_uuid"
    meta, dataset = split_part10(deidentified(with_meta(content or CT), rules))
    after = read(deidentified(with_meta(content or CT), rules))
    assert after.SOPInstanceUID.startswith("2.25.")
    assert meta[0x00020003].rstrip(b"\0").decode() == after.SOPInstanceUID
    assert b"1.2.3.77" not in dataset


@pytest.mark.parametrize("missing", [0x00080018, 0x0020000D, 0x0020000E])
@pytest.mark.parametrize("empty", [False, True])
def test_an_image_that_does_not_say_which_it_is_may_not_be_delivered(missing: int, empty: bool) -> None:
    def content(tags: Iterable[int]) -> bytes:
        return b"".join(EXPLICIT.element(tag, "UI", b"" if tag == missing else b"1.2\0") for tag in tags)

    tags = [tag for tag in (0x00080018, 0x0020000D, 0x0020000E) if empty or tag != missing]
    image = deidentifier("").deidentify(part10(content(tags)))
    with refused("MissingUID", missing):
        image.ensure_identified()


# ------------------------------------------------------------------------------------------------- agreement

FRAGMENTS = EXPLICIT.element(
    PIXELS, "OB", EXPLICIT.mark(0xE000, 0) + EXPLICIT.item(b"\xff\xd8\xff\xd9") + EXPLICIT.mark(0xE0DD, 0), UNDEFINED
)
NATIVE = EXPLICIT.element(PIXELS, "OW", bytes(8))
JPEG = "1.2.840.10008.1.2.4.50"


@pytest.mark.parametrize("behind", [b"", EXPLICIT.element(0xFFFCFFFC, "OB", bytes(4))])
@pytest.mark.parametrize(("uid", "pixels"), [(EXPLICIT.uid, FRAGMENTS), (JPEG, NATIVE)], ids=["native", "encapsulated"])
@pytest.mark.parametrize("ordered", [True, False])
def test_pixels_that_the_transfer_syntax_does_not_agree_with_are_refused(
    uid: str, pixels: bytes, behind: bytes, ordered: bool
) -> None:
    before = CT + BEHIND if ordered else BEHIND + CT
    with refused("UnknownTransferSyntax", PIXELS):
        deidentified(part10(before + pixels + behind, uid))


def test_encapsulated_pixels_of_a_bare_dataset_are_refused() -> None:
    with refused("UnknownTransferSyntax", PIXELS):
        deidentified(CT + FRAGMENTS)


@pytest.mark.parametrize("form", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize(("uid", "pixels"), [(JPEG, FRAGMENTS), (EXPLICIT.uid, NATIVE)])
@pytest.mark.parametrize("other", [EXPLICIT.uid, IMPLICIT.uid, JPEG, "1.2.840.10008.1.2.1.99", "9.9"])
def test_the_first_transfer_syntax_counts_where_the_file_meta_is_repeated(
    form: Syntax, uid: str, pixels: bytes, other: str
) -> None:
    again = form.element(0x00020001, "OB", b"\0\1") + form.element(0x00020010, "UI", even(other, b"\0"))
    meta, dataset = split_part10(deidentified(part10(again + CT + pixels, uid)))
    assert meta[0x00020010].rstrip(b"\0").decode() == uid
    assert dataset == CT + pixels


@pytest.mark.parametrize("size", [40_000, 3_000_000])
def test_a_long_file_meta_is_read(size: int) -> None:
    private = EXPLICIT.element(0x00020102, "OB", bytes(size))
    assert dataset_of(part10(CT, more=private)) == CT


# ------------------------------------------------------------------------------------------------- what is said

REPAIRED = {
    "VR": CT + without_vr(DESCRIPTION, "??", b"knee"),
    "UNKNOWN": CT + without_vr(0x00189999, "??", b"ab") + BEHIND,
    "SEQUENCE": CT + EXPLICIT.element(IMAGES, "LO", b"ab") + BEHIND,
    "ITEMS": CT + nested(EXPLICIT, IMPLICIT, "SQ", delimited=False) + BEHIND,
    "CREATOR": CT + EXPLICIT.element(0x00090010, "US", b"ab"),
    "DELIMITER": CT + EXPLICIT.element(IMAGES, "SQ", EXPLICIT.item(b"") + EXPLICIT.mark(0xE0DD, 8), UNDEFINED) + BEHIND,
    "PADDING": CT + bytes(64),
    "META": CT + EXPLICIT.element(0x00020010, "UI", b"1.2.840.10008.1.2.1\0") + BEHIND,
    "CHARSET": EXPLICIT.element(0x00080005, "CS", b"UTF-8 ") + CT,
}


@pytest.mark.parametrize("kind", REPAIRED)
def test_the_account_names_the_kind_of_each_repair(kind: str) -> None:
    account = Account()
    account.add(deidentifier("KEEP ALL").deidentify(part10(REPAIRED[kind])).done)
    assert {row.action for row in account.rows()} & {f"REPAIR_{one}" for one in RepairKind} == {f"REPAIR_{kind}"}


def test_the_report_has_words_for_each_kind() -> None:
    assert {word for word in WORDS if word.startswith("REPAIR_")} == {f"REPAIR_{one}" for one in RepairKind}
