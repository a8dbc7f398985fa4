"""The reader yields every element and item with its bounds, in every encoding, and believes no length."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from itertools import pairwise

import pytest
from pydicom import Dataset, dcmread

from sendit.deid.stream import heads as heads_module
from sendit.deid.stream.elements import DEPTH_LIMIT, NESTED, Element, element_end, elements, item_at, items
from sendit.deid.stream.encodings import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, Encoding
from sendit.deid.stream.heads import DEEP, FLAT, STRAY, heads
from sendit.deid.stream.ordering import in_order, sequence_in_order
from sendit.deid.stream.part_ten import open_part_ten
from sendit.deid.stream.tags import ITEM, ITEM_END, SEQUENCE_END, default_vr, effective_vr, known_vrs
from sendit.errors import DataFault
from tests.support.phantoms import FILES
from tests.support.streams import BIG, EXPLICIT, IMPLICIT, UNDEFINED, Syntax

ENCODINGS = {IMPLICIT: IMPLICIT_LE, EXPLICIT: EXPLICIT_LE, BIG: EXPLICIT_BE}
SEQUENCE, CODES, UID, ROWS, NOTE = 0x00081140, 0x00082218, 0x00081155, 0x00280010, 0x00204000
every_syntax = pytest.mark.parametrize("syntax", ENCODINGS, ids=["implicit", "explicit", "big"])
either_length = pytest.mark.parametrize("delimited", [False, True], ids=["defined", "undefined"])


def read(data: bytes, syntax: Syntax, end: int | None = None) -> list[Element]:
    return list(elements(data, 0, len(data) if end is None else end, DEEP[ENCODINGS[syntax]]))


def fault_of(data: bytes, syntax: Syntax, end: int | None = None) -> str:
    with pytest.raises(DataFault) as caught:
        read(data, syntax, end)
    return caught.value.code


def nested(syntax: Syntax, depth: int, *, delimited: bool = False) -> bytes:
    data = syntax.element(UID, "UI", b"1.2\0")
    for _ in range(depth):
        data = syntax.sequence(SEQUENCE, [data], delimited=delimited, items_delimited=delimited)
    return data


# ------------------------------------------------------------------------------------------------- real files


def _structure(ds: Dataset) -> Iterator[int]:
    """pydicom's tags before the pixels, with the marks around items."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for elem in ds:
            if elem.tag >= 0x7FE00008:
                return
            yield int(elem.tag)
            if elem.VR == "SQ":
                for item in elem.value:
                    yield ITEM
                    yield from _structure(item)
                    yield ITEM_END
                yield SEQUENCE_END


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "reportsi.dcm",
        "rtplan.dcm",
        "nested_priv_SQ.dcm",
    ],
)
def test_a_real_file_has_the_structure_that_pydicom_finds(name: str) -> None:
    part_ten = open_part_ten(FILES / name)
    data = part_ten.source.read(part_ten.start, part_ten.source.size)
    part_ten.source.close()
    table = heads(enters={"SQ", "UN"}, stops={0x7FE00010})[part_ten.encoding]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = dcmread(FILES / name)
    assert [element[0] for element in elements(data, 0, len(data), table)] == list(_structure(ds))


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small_bigendian.dcm", "reportsi.dcm", "rtplan.dcm", "JPEG2000.dcm"]
)
def test_the_elements_of_a_dataset_lie_end_to_end(name: str) -> None:
    part_ten = open_part_ten(FILES / name)
    data = part_ten.source.read(part_ten.start, part_ten.source.size)
    part_ten.source.close()
    found = list(elements(data, 0, len(data), FLAT[part_ten.encoding]))
    assert found[0][3] == 0
    assert all(before[5] == after[3] for before, after in pairwise(found))
    assert found[-1][5] == len(data)
    assert all(element_end(data, each[3], len(data), part_ten.encoding) == each[5] for each in found)


# ------------------------------------------------------------------------------------------------- bounds


@every_syntax
@either_length
def test_items_are_yielded_with_their_bounds_whatever_the_length(syntax: Syntax, delimited: bool) -> None:
    uid, rows = syntax.element(UID, "UI", b"1.2\0"), syntax.element(ROWS, "US", b"\1\0")
    data = syntax.sequence(SEQUENCE, [uid, b""], delimited=delimited, items_delimited=delimited) + rows
    found = read(data, syntax)
    assert [element[0] for element in found] == [SEQUENCE, ITEM, UID, ITEM_END, ITEM, ITEM_END, SEQUENCE_END, ROWS]
    sequence, _, inner, item_end, _, _, sequence_end, last = found
    assert sequence[5] == NESTED
    assert data[inner[3] : inner[5]] == uid
    assert data[inner[4] : inner[5]] == b"1.2\0"
    assert item_end[5] - item_end[3] == sequence_end[5] - sequence_end[3] == (8 if delimited else 0)
    assert data[last[3] : last[5]] == rows
    value = data[sequence[4] : sequence_end[5]]
    assert [begin for begin, _ in items(value, 0, len(value), ENCODINGS[syntax], 1)] == [
        8,
        16 + len(uid) + 8 * delimited,
    ]


@every_syntax
def test_a_length_within_an_item_that_passes_it_is_truncated_though_bytes_follow(syntax: Syntax) -> None:
    lie = syntax.element(NOTE, "LT", b"ab", size=40)
    data = syntax.sequence(SEQUENCE, [lie]) + syntax.element(ROWS, "US", bytes(2)) * 20
    assert fault_of(data, syntax) == "Truncated"


@every_syntax
@pytest.mark.parametrize("spare", range(1, 8))
def test_a_head_that_passes_its_item_is_truncated_whatever_it_says(syntax: Syntax, spare: int) -> None:
    item = syntax.mark(0xE000, spare) + bytes(spare)
    data = syntax.element(SEQUENCE, "SQ", item) + syntax.element(ROWS, "US", bytes(2)) * 2
    assert fault_of(data, syntax) == "Truncated"


@every_syntax
@either_length
def test_every_shorter_range_of_a_dataset_ends_between_elements_or_is_truncated(
    syntax: Syntax, delimited: bool
) -> None:
    inner = syntax.sequence(CODES, [syntax.element(UID, "UI", b"1.2\0")], delimited=delimited)
    data = syntax.sequence(SEQUENCE, [inner], delimited=delimited, items_delimited=delimited)
    whole = data + syntax.element(ROWS, "US", b"\1\0")
    for end in range(len(whole)):
        if end in (0, len(data)):
            assert read(whole, syntax, end) == read(whole[:end], syntax)
        else:
            assert fault_of(whole, syntax, end) == fault_of(whole[:end], syntax) == "Truncated"


@every_syntax
@either_length
def test_sequences_lie_in_sequences_down_to_the_limit(syntax: Syntax, delimited: bool) -> None:
    assert len(read(nested(syntax, DEPTH_LIMIT, delimited=delimited), syntax)) == 4 * DEPTH_LIMIT + 1
    assert fault_of(nested(syntax, DEPTH_LIMIT + 1, delimited=delimited), syntax) == "TooDeep"


@every_syntax
def test_a_value_of_undefined_length_that_is_not_entered_is_passed_over_down_to_the_same_limit(syntax: Syntax) -> None:
    table = FLAT[ENCODINGS[syntax]]
    data = nested(syntax, DEPTH_LIMIT, delimited=True)
    assert [element[5] for element in elements(data, 0, len(data), table)] == [len(data)]
    data = nested(syntax, DEPTH_LIMIT + 1, delimited=True)
    with pytest.raises(DataFault, match="TooDeep"):
        list(elements(data, 0, len(data), table))


def test_a_dataset_below_the_root_has_less_depth_left() -> None:
    data = nested(EXPLICIT, 2)
    assert len(list(elements(data, 0, len(data), DEEP[EXPLICIT_LE], DEPTH_LIMIT - 2))) == 9
    with pytest.raises(DataFault, match="TooDeep"):
        list(elements(data, 0, len(data), DEEP[EXPLICIT_LE], DEPTH_LIMIT - 1))


# ------------------------------------------------------------------------------------------------- marks


@every_syntax
@pytest.mark.parametrize("stranger", [0xE00D, 0xE0DD, 0x0010])
def test_only_an_item_may_stand_in_a_sequence_of_defined_length(syntax: Syntax, stranger: int) -> None:
    data = syntax.element(SEQUENCE, "SQ", syntax.mark(stranger, 0))
    assert fault_of(data, syntax) == "BadSequence"
    assert fault_of(syntax.element(SEQUENCE, "SQ", syntax.element(ROWS, "US", bytes(2))), syntax) == "BadSequence"


@every_syntax
@pytest.mark.parametrize("mark", [0xE000, 0xE00D, 0xE0DD])
def test_a_mark_outside_of_its_place_is_an_error_or_passed_on_with_its_bounds(syntax: Syntax, mark: int) -> None:
    data = syntax.element(UID, "UI", b"1.2\0") + syntax.mark(mark, 0) + syntax.element(ROWS, "US", bytes(2))
    assert fault_of(data, syntax) == "BadSequence"
    passed_on = heads(enters={"SQ"}, stray=STRAY)[ENCODINGS[syntax]]
    assert [each[0] for each in elements(data, 0, len(data), passed_on)] == [UID, 0xFFFE0000 | mark, ROWS]


@every_syntax
def test_a_delimiter_with_a_length_is_refused(syntax: Syntax) -> None:
    uid = syntax.element(UID, "UI", b"1.2\0")
    item = syntax.mark(0xE000, UNDEFINED) + uid + syntax.mark(0xE00D, 4) + bytes(4)
    assert fault_of(syntax.element(SEQUENCE, "SQ", item), syntax) == "BadSequence"


@every_syntax
def test_the_sequence_that_holds_no_item_is_named(syntax: Syntax) -> None:
    data = syntax.mark(0xE00D, 0)
    with pytest.raises(DataFault) as caught:
        item_at(data, 0, len(data), ENCODINGS[syntax], delimited=True, sequence=SEQUENCE)
    assert (caught.value.code, caught.value.tag) == ("BadSequence", SEQUENCE)


# ------------------------------------------------------------------------------------------------- UN


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG], ids=["explicit", "big"])
@either_length
def test_what_stands_in_an_element_of_vr_un_is_implicit_and_what_follows_not(syntax: Syntax, delimited: bool) -> None:
    uid, rows = IMPLICIT.element(UID, "UI", b"1.2\0"), syntax.element(ROWS, "US", b"\1\0")
    data = syntax.sequence(SEQUENCE, [uid], delimited=delimited, items_delimited=delimited, vr="UN") + rows
    found = {tag: (vr, written, encoding) for tag, vr, written, *_, encoding in read(data, syntax)}
    assert found[SEQUENCE] == ("SQ", "UN", ENCODINGS[syntax])
    assert found[UID] == ("UI", "", IMPLICIT_LE)
    assert found[ROWS] == ("US", "US", ENCODINGS[syntax])


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=["implicit", "explicit", "big"])
def test_an_undefined_value_of_vr_un_is_passed_over_as_implicit(encoding: Encoding) -> None:
    syntax = {value: key for key, value in ENCODINGS.items()}[encoding]
    inner = IMPLICIT.sequence(0x00091002, [IMPLICIT.element(UID, "UI", b"1.2\0")], delimited=True)
    data = syntax.sequence(0x00091001, [inner], delimited=True, items_delimited=True, vr="UN")
    assert [element[:3] for element in elements(data, 0, len(data), DEEP[encoding])] == [
        (
            0x00091001,
            "UN",
            "" if encoding.implicit else "UN",
        )
    ]


# ------------------------------------------------------------------------------------------------- consumers


@every_syntax
def test_what_is_not_wanted_is_passed_over_and_its_bounds_are_checked(syntax: Syntax) -> None:
    uid, note = syntax.element(UID, "UI", b"1.2\0"), syntax.element(NOTE, "LT", b"abcd")
    sequence = syntax.sequence(SEQUENCE, [uid], delimited=True, items_delimited=True)
    private = syntax.element(0x00091001, "UN", bytes(6))
    data = sequence + uid + private + note + syntax.element(ROWS, "US", b"\1\0")
    table = heads(wanted={ROWS, UID})[ENCODINGS[syntax]]
    assert [(each[0], each[3]) for each in elements(data, 0, len(data), table)] == [
        (UID, len(sequence)),
        (ROWS, len(sequence + uid + private + note)),
    ]
    for lie in (syntax.element(NOTE, "LT", b"ab", size=40), syntax.element(0x00091001, "UN", b"ab", size=40)):
        with pytest.raises(DataFault, match="Truncated"):
            list(elements(uid + lie, 0, len(uid + lie), table))


@every_syntax
def test_a_reading_stops_before_its_tags_even_where_their_length_lies(syntax: Syntax) -> None:
    data = syntax.element(UID, "UI", b"1.2\0") + syntax.element(0x7FE00010, "OW", b"", size=0x7FFFFFFF)
    table = heads(stops={0x7FE00010})[ENCODINGS[syntax]]
    assert [element[0] for element in elements(data, 0, len(data), table)] == [UID]


@every_syntax
def test_a_table_that_is_full_forgets_and_says_the_same(monkeypatch: pytest.MonkeyPatch, syntax: Syntax) -> None:
    monkeypatch.setattr(heads_module, "HEADS_REMEMBERED", 3)
    data = b"".join(syntax.element(0x00290000 + n, "UN", b"ab") for n in range(1, 40))
    table = heads()[ENCODINGS[syntax]]
    assert [element[0] & 0xFF for element in elements(data, 0, len(data), table)] == list(range(1, 40))
    assert len(table) <= 3


# ------------------------------------------------------------------------------------------------- order


@every_syntax
@either_length
@pytest.mark.parametrize("seed", range(5))
def test_elements_in_any_order_are_put_in_the_one_order_at_every_depth(
    syntax: Syntax, delimited: bool, seed: int
) -> None:
    chance = random.Random(seed)

    def dataset(depth: int, *, shuffled: bool) -> bytes:
        parts = [syntax.element(0x00280000 + 2 * n, "US", bytes([n, 0])) for n in range(5, 9)]
        parts.insert(0, syntax.element(UID, "UI", b"1.2\0"))
        if depth:
            inner = [dataset(depth - 1, shuffled=shuffled) for _ in range(2)]
            parts.insert(0, syntax.sequence(SEQUENCE, inner, delimited=delimited, items_delimited=delimited))
        if shuffled:
            chance.shuffle(parts)
        return b"".join(parts)

    ordered, shuffled = dataset(3, shuffled=False), dataset(3, shuffled=True)
    assert in_order(shuffled, ENCODINGS[syntax]) == ordered != shuffled
    sequence = syntax.sequence(SEQUENCE, [shuffled], delimited=delimited)
    assert sequence_in_order(b"####" + sequence + shuffled, 4, 4 + len(sequence), ENCODINGS[syntax]) == syntax.sequence(
        SEQUENCE, [ordered], delimited=delimited
    )


# ------------------------------------------------------------------------------------------------- VRs of tags


def test_a_tag_has_the_vrs_of_ps3_6_and_the_written_one_counts_where_it_is_allowed() -> None:
    assert known_vrs(0x00280106) == ("US", "SS")
    assert known_vrs(0x00090010) == ("LO",)
    assert known_vrs(0x00091001) == known_vrs(0x00070007) == ()
    assert (effective_vr(0x00280106, "SS"), effective_vr(0x00280106, "UN"), effective_vr(0x00280106, "")) == (
        "SS",
        "US",
        "US",
    )
    assert (effective_vr(0x7FE00010, ""), default_vr(0x7FE00010), default_vr(0x00091001)) == ("OW", "OB", "UN")
