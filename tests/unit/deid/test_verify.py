"""The proof on what comes out: it re-reads, and nothing of the patient is in it."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest

from sendit.deid import verify
from sendit.deid.identifiers.identifiers import Identifier
from sendit.deid.stream.encodings import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, Encoding
from sendit.deid.stream.sources import CHUNK, Bulk, BytesSource
from sendit.deid.verify import Verifier
from sendit.errors import BrokenPromise, DataFault
from tests.support.phantoms import leaks_in

NAME, ID = Identifier("name", "Zqcanary"), Identifier("id", "7337001973")
NOTHING = BytesSource(b"")
ENCODINGS = pytest.mark.parametrize("encoding", [EXPLICIT_LE, EXPLICIT_BE, IMPLICIT_LE], ids=["LE", "BE", "implicit"])
CLASS_UID, INSTANCE_UID = b"1.2.840.10008.5.1.4.1.1.2\0", b"2.25.12345"
COMMENTS, STUDIES, NESTED = 0x00204000, 0x00081110, 0x0040A170


def item(encoding: Encoding, content: bytes, *, undefined: bool) -> bytes:
    head, end = (
        struct.pack(encoding.order + "HH", 0xFFFE, 0xE000),
        struct.pack(encoding.order + "HHI", 0xFFFE, 0xE00D, 0),
    )
    size = struct.pack(encoding.order + "I", 0xFFFFFFFF if undefined else len(content))
    return head + size + content + (end if undefined else b"")


def sequence(encoding: Encoding, tag: int, content: bytes, vr: str = "SQ", *, undefined: bool = False) -> bytes:
    """A sequence of one item that holds `content`; all lengths defined, or none."""
    items = item(encoding, content, undefined=undefined)
    if not undefined:
        return encoding.write(tag, vr, items)
    head = encoding.write(tag, vr, b"")[:-4] + b"\xff" * 4
    return head + items + struct.pack(encoding.order + "HHI", 0xFFFE, 0xE0DD, 0)


def check(
    pieces: Sequence[bytes | Bulk], encoding: Encoding = EXPLICIT_LE, *identifiers: Identifier
) -> verify.Identity:
    return Verifier(identifiers).check(pieces, encoding, NOTHING)


def fault_of(pieces: Sequence[bytes | Bulk], encoding: Encoding = EXPLICIT_LE, *identifiers: Identifier) -> DataFault:
    with pytest.raises(DataFault) as caught:
        check(pieces, encoding, *identifiers)
    assert not leaks_in(str(caught.value) + repr(caught.value))
    return caught.value


# ------------------------------------------------------------------------------------------------ identifiers


@ENCODINGS
@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("depth", [1, 2, 20, 63])
def test_an_identifier_is_found_in_items_at_any_depth(encoding: Encoding, undefined: bool, depth: int) -> None:
    clean, data = (encoding.write(COMMENTS, "LT", text) for text in (b"of somebody ", b"of Zqcanary "))
    for _ in range(depth):
        clean, data = (sequence(encoding, NESTED, inner, undefined=undefined) for inner in (clean, data))
    check([clean], encoding, NAME)
    fault = fault_of([data], encoding, NAME)
    assert (fault.code, fault.tag) == ("ResidualIdentifier", COMMENTS)


def test_an_identifier_is_found_in_a_sequence_written_as_un() -> None:
    inner = IMPLICIT_LE.write(COMMENTS, "LT", b"Zqcanary")
    fault = fault_of([sequence(EXPLICIT_LE, STUDIES, inner, "UN")], EXPLICIT_LE, NAME)
    assert (fault.code, fault.tag) == ("ResidualIdentifier", COMMENTS)


def test_an_identifier_is_found_in_a_private_sequence_that_nobody_can_read() -> None:
    inner = IMPLICIT_LE.write(COMMENTS, "LT", b"Zqcanary")
    for undefined in (True, False):
        data = EXPLICIT_LE.write(0x00090010, "LO", b"ACME")
        data += sequence(EXPLICIT_LE, 0x00091001, inner, "UN", undefined=undefined)
        assert fault_of([data], EXPLICIT_LE, NAME).code == "ResidualIdentifier"


@ENCODINGS
def test_an_identifier_is_found_in_whichever_piece_it_stands(encoding: Encoding) -> None:
    pieces = [encoding.write(tag, "LO", b"of nobody ") for tag in (0x00081030, 0x0008103E, 0x00181030)]
    verifier = Verifier([NAME])
    verifier.check(pieces, encoding, NOTHING)
    for number, tag in enumerate((0x00081030, 0x0008103E, 0x00181030)):
        planted = [*pieces]
        planted[number] = encoding.write(tag, "LO", b"of Zqcanary ")
        with pytest.raises(DataFault) as caught:
            verifier.check(planted, encoding, NOTHING)
        assert caught.value.tag == tag


def test_what_was_refused_once_is_refused_again() -> None:
    verifier, piece = Verifier([NAME]), EXPLICIT_LE.write(COMMENTS, "LT", b"Zqcanary")
    for _ in range(3):
        with pytest.raises(DataFault):
            verifier.check([piece], EXPLICIT_LE, NOTHING)


def test_what_was_proven_in_one_encoding_is_not_proven_in_another() -> None:
    verifier, piece = Verifier([NAME]), EXPLICIT_LE.write(COMMENTS, "LT", b"nothing ")
    verifier.check([piece], EXPLICIT_LE, NOTHING)
    with pytest.raises(BrokenPromise):
        verifier.check([piece], IMPLICIT_LE, NOTHING)


def test_proofs_go_on_when_the_memory_of_them_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "MEMO_ENTRIES", 4)
    monkeypatch.setattr(verify, "MEMO_BYTES", 100)
    verifier = Verifier([NAME])
    for number in range(50):
        verifier.check([EXPLICIT_LE.write(COMMENTS, "LT", b"%08d" % number)], EXPLICIT_LE, NOTHING)
        assert len(verifier._proven[EXPLICIT_LE]) <= 4
    with pytest.raises(DataFault):
        verifier.check([EXPLICIT_LE.write(COMMENTS, "LT", b"Zqcanary")], EXPLICIT_LE, NOTHING)


# ------------------------------------------------------------------------------------------------ bulk data


def bulk(tag: int, vr: str, value: bytes, encoding: Encoding = EXPLICIT_LE) -> tuple[Bulk, BytesSource]:
    head = encoding.write(tag, vr, b"")[:-4] + struct.pack(encoding.order + "I", len(value))
    return Bulk(tag, head, 7, len(value)), BytesSource(b"#######" + value + b"Zqcanary")


@pytest.mark.parametrize("at", [0, 1, 100, CHUNK - 9, CHUNK - 8, CHUNK - 4, CHUNK - 1, CHUNK, CHUNK + 1, CHUNK + 500])
@pytest.mark.parametrize("wide", [False, True])
def test_an_identifier_is_found_anywhere_in_a_streamed_value(at: int, wide: bool) -> None:
    mark = b"Zqcanary" if not wide else "Zqcanary".encode("utf-16-le")
    value = bytearray(CHUNK + 1000)
    value[at : at + len(mark)] = mark
    piece, source = bulk(0x00420011, "OB", bytes(value))
    with pytest.raises(DataFault) as caught:
        Verifier([NAME]).check([piece], EXPLICIT_LE, source)
    assert (caught.value.code, caught.value.tag) == ("ResidualIdentifier", 0x00420011)


@pytest.mark.parametrize("at", [100, CHUNK - 9, CHUNK - 4, CHUNK, CHUNK + 500])
def test_a_longer_word_in_a_streamed_value_is_another_word(at: int) -> None:
    value, name = bytearray(CHUNK + 1000), Identifier("name", "arathyroi")
    value[at : at + 11] = b"Parathyroid"
    piece, source = bulk(0x00420011, "OB", bytes(value))
    Verifier([name]).check([piece], EXPLICIT_LE, source)
    for unknown in (b".arathyroi.", b"Xarathyroix"):
        value[at : at + 11] = unknown
        piece, source = bulk(0x00420011, "OB", bytes(value))
        with pytest.raises(DataFault):
            Verifier([name]).check([piece], EXPLICIT_LE, source)


def test_what_stands_behind_a_streamed_value_is_not_in_it() -> None:
    piece, source = bulk(0x00420011, "OB", bytes(64))
    Verifier([NAME]).check([piece], EXPLICIT_LE, source)


def test_streamed_pixel_data_is_not_searched() -> None:
    piece, source = bulk(0x7FE00010, "OB", b"\0Zqcanary\0")
    Verifier([NAME]).check([piece], EXPLICIT_LE, source)


def test_a_source_that_became_shorter_is_a_fault() -> None:
    piece, source = bulk(0x00420011, "OB", bytes(64))
    with pytest.raises(DataFault) as caught:
        Verifier([NAME]).check([piece], EXPLICIT_LE, BytesSource(source.data[:20]))
    assert (caught.value.code, caught.value.tag) == ("Truncated", 0x00420011)


# ------------------------------------------------------------------------------------------------ broken promises


def broken(pieces: Sequence[bytes | Bulk], encoding: Encoding = EXPLICIT_LE) -> BrokenPromise:
    with pytest.raises(BrokenPromise) as caught:
        check(pieces, encoding, NAME)
    assert caught.value.code == "OutputUnreadable"
    assert not leaks_in(str(caught.value))
    return caught.value


@ENCODINGS
@pytest.mark.parametrize("cut", [1, 3, 5, 7, 9])
def test_an_output_that_was_cut_is_a_broken_promise(encoding: Encoding, cut: int) -> None:
    data = encoding.write(0x00080016, "UI", CLASS_UID) + encoding.write(0x00080018, "UI", INSTANCE_UID)
    check([data], encoding)
    broken([data[:-cut]], encoding)


@ENCODINGS
def test_an_output_with_a_wrong_length_is_a_broken_promise(encoding: Encoding) -> None:
    data = bytearray(encoding.write(COMMENTS, "LT", b"for Zqcanary"))
    at = 4 if encoding.implicit else 6
    data[at : at + 2] = struct.pack(encoding.order + "H", 14)
    assert broken([bytes(data)], encoding).tag in (COMMENTS, None)


def test_an_output_with_a_vr_that_there_is_not_is_a_broken_promise() -> None:
    data = EXPLICIT_LE.write(COMMENTS, "LT", b"text").replace(b"LT", b"??")
    assert broken([data]).tag == COMMENTS


@ENCODINGS
def test_elements_out_of_order_are_a_broken_promise(encoding: Encoding) -> None:
    first, second = encoding.write(0x00081030, "LO", b"1 "), encoding.write(0x0008103E, "LO", b"2 ")
    check([first + second], encoding)
    check([first, second], encoding)
    assert broken([second + first], encoding).tag == 0x00081030
    assert broken([second, first], encoding).tag == 0x00081030


@ENCODINGS
def test_an_element_that_stands_twice_is_a_broken_promise(encoding: Encoding) -> None:
    data = encoding.write(0x00081030, "LO", b"1 ")
    assert broken([data + data], encoding).tag == 0x00081030
    assert broken([data, data], encoding).tag == 0x00081030


def test_a_streamed_value_out_of_order_is_a_broken_promise() -> None:
    piece, source = bulk(0x00420011, "OB", bytes(64))
    later = EXPLICIT_LE.write(0x00880140, "UI", b"1.2 ")
    Verifier([]).check([piece, later], EXPLICIT_LE, source)
    with pytest.raises(BrokenPromise) as caught:
        Verifier([]).check([later, piece], EXPLICIT_LE, source)
    assert caught.value.tag == 0x00420011


# ------------------------------------------------------------------------------------------------ kept sequences


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        (b"\xfe\xff\x00\xe0\x20\0\0\0short", "Truncated"),
        (EXPLICIT_LE.write(COMMENTS, "LT", b"no item "), "BadSequence"),
        (
            item(EXPLICIT_LE, EXPLICIT_LE.write(COMMENTS, "LT", b"x ").replace(b"LT", b"zz"), undefined=False),
            "BadElement",
        ),
        (item(EXPLICIT_LE, item(EXPLICIT_LE, b"", undefined=False), undefined=False), "BadSequence"),
    ],
)
def test_a_malformed_sequence_that_was_kept_is_the_files_fault(inner: bytes, code: str) -> None:
    assert fault_of([EXPLICIT_LE.write(STUDIES, "SQ", inner)]).code == code


def test_nesting_without_end_is_a_fault() -> None:
    data = EXPLICIT_LE.write(COMMENTS, "LT", b"x ")
    for _ in range(80):
        data = sequence(EXPLICIT_LE, NESTED, data)
    assert fault_of([data]).code == "TooDeep"


# ------------------------------------------------------------------------------------------------ identity


@ENCODINGS
def test_the_proof_tells_what_the_file_meta_repeats(encoding: Encoding) -> None:
    class_uid, instance_uid = (
        encoding.write(0x00080016, "UI", CLASS_UID),
        encoding.write(0x00080018, "UI", INSTANCE_UID),
    )
    verifier = Verifier([])
    for pieces in ([class_uid + instance_uid], [class_uid, instance_uid], [class_uid + instance_uid]):
        found = verifier.check(pieces, encoding, NOTHING)
        assert (found.sop_class_uid, found.sop_instance_uid) == (CLASS_UID, INSTANCE_UID)
    alone = verifier.check([class_uid], encoding, NOTHING)
    assert (alone.sop_class_uid, alone.sop_instance_uid) == (CLASS_UID, b"")


def test_the_uids_of_an_item_are_not_the_instances() -> None:
    inner = EXPLICIT_LE.write(0x00080018, "UI", INSTANCE_UID)
    found = check([sequence(EXPLICIT_LE, STUDIES, inner)])
    assert found.sop_instance_uid == b""
