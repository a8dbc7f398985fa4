"""Values: bytes to Python and back, in every character set and byte order, and never an illegal one."""

from __future__ import annotations

import struct
from typing import Any

import pydicom
import pytest
from pydicom.valuerep import PersonName

from sendit.deid.stream.values import (
    DEFAULT_CHARSET,
    NUMBERS,
    SINGLE_VRS,
    TEXT_VRS,
    VRS,
    charset,
    decode,
    encode,
    read_values,
    split,
)
from sendit.errors import DataFault
from tests.support.phantoms import FILES, leaks_in

TAG = 0x00204000


def written(value: Any, vr: str, term: bytes = b"", order: str = "<") -> bytes:
    return encode(value, vr, order, charset(term) if term else DEFAULT_CHARSET, TAG)


def refused(value: Any, vr: str, term: bytes = b"", order: str = "<") -> None:
    with pytest.raises(DataFault) as caught:
        written(value, vr, term, order)
    assert (caught.value.code, caught.value.tag) == ("NotEncodable", TAG)
    assert not leaks_in(str(caught.value))


# ------------------------------------------------------------------------------------------------ character sets


@pytest.mark.parametrize(
    ("term", "names"),
    [
        (b"", ("iso8859",)),
        (b"ISO_IR 6", ("iso8859",)),
        (b"ISO_IR 100", ("latin_1",)),
        (b"ISO_IR 192 ", ("UTF8",)),
        (b"GB18030\0", ("GB18030",)),
        (b"GBK ", ("GBK",)),
        (b"ISO_IR 13", ("shift_jis",)),
        (b"ISO 2022 IR 6\\ISO 2022 IR 87", ("iso8859", "iso2022_jp")),
        (b"\\ISO 2022 IR 149", ("iso8859", "euc_kr")),
        (b"ISO IR 100", ("latin_1",)),
        (b"ISO-IR 100", ("latin_1",)),
        (b"ISO_IR_100", ("latin_1",)),
        (b"iso_ir 192", ("UTF8",)),
        (b"ISO  2022  IR 87", ("iso2022_jp",)),
        (b"ISO 2022-IR 100", ("latin_1",)),
        (b"ISOIR 100", ("latin_1",)),
    ],
)
def test_a_term_names_its_encoding_misspelt_or_not(term: bytes, names: tuple[str, ...]) -> None:
    assert charset(term) == names


@pytest.mark.parametrize("term", [b"ISO_IR 999", b"UTF-7", b"ISO_IR 100\\NONE", b"\xff\xfe", b"ISO", b"100"])
def test_an_unknown_term_is_a_fault(term: bytes) -> None:
    with pytest.raises(DataFault) as caught:
        charset(term)
    assert (caught.value.code, caught.value.tag) == ("UnknownCharacterSet", 0x00080005)


TEXTS = [
    (b"", "Plain^Text"),
    (b"ISO_IR 100", "Buc^Jérôme"),
    (b"ISO_IR 101", "Wałęsa"),
    (b"ISO_IR 109", "Ħaż"),
    (b"ISO_IR 110", "Ķēniņš"),
    (b"ISO_IR 126", "Διονυσιος"),
    (b"ISO_IR 127", "قباني^لنزار"),
    (b"ISO_IR 138", "שרון^דבורה"),
    (b"ISO_IR 144", "Люкceмбypг"),
    (b"ISO_IR 148", "Çavuşoğlu"),
    (b"ISO_IR 166", "ภาษาไทย"),
    (b"ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    (b"ISO_IR 192", "Wang^XiaoDong=王^小東=𠀋"),
    (b"GB18030", "Wang^XiaoDong=王^小东"),
    (b"GBK", "Wang^XiaoDong=王^小东"),
    (b"\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    (b"ISO 2022 IR 6\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎"),
    (b"\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
    (b"ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎"),
]


@pytest.mark.parametrize(("term", "text"), TEXTS)
@pytest.mark.parametrize("vr", ["PN", "LO", "LT", "SH", "ST", "UC", "UT"])
def test_text_comes_back_as_it_was_written(term: bytes, text: str, vr: str) -> None:
    text = text if vr not in ("SH",) else text.split("=")[-1]
    raw = written(text, vr, term)
    assert len(raw) % 2 == 0
    assert decode(raw, vr, charset(term)) == text


@pytest.mark.parametrize(("term", "text"), TEXTS)
def test_pydicom_reads_what_is_written(term: bytes, text: str) -> None:
    raw = written(text, "PN", term)
    assert str(PersonName(raw.rstrip(b" "), list(charset(term)))) == text


@pytest.mark.parametrize("path", sorted(FILES.parent.glob("charset_files/chr[A-RX]*.dcm")), ids=lambda path: path.name)
def test_names_of_real_files_are_read_as_pydicom_reads_them(path: Any) -> None:
    ds = pydicom.dcmread(path)
    raw = ds.PatientName.original_string
    terms = ds.SpecificCharacterSet if ds.get("SpecificCharacterSet") else ""
    term = terms if isinstance(terms, str) else "\\".join(terms)
    assert decode(raw, "PN", charset(term.encode())) == str(ds.PatientName)
    assert not str(ds.PatientName).isascii()


def test_chinese_with_code_extensions_is_read_and_its_writing_is_refused_not_botched() -> None:
    term = b"\\ISO 2022 IR 58"
    raw = b"Zhang^XiaoDong=\x1b$)A" + "张".encode("gb2312") + b"^\x1b$)A" + "小东".encode("gb2312")
    assert decode(raw, "PN", charset(term)) == "Zhang^XiaoDong=张^小东"
    refused("张^小东", "PN", term)


@pytest.mark.parametrize("term", [b"\\ISO 2022 IR 149", b"\\ISO 2022 IR 87"])
def test_every_part_of_a_name_and_every_line_begins_with_its_own_escape(term: bytes) -> None:
    assert written("金^喜=金^喜", "PN", term).count(b"\x1b$") == 4
    assert written("金\r\n喜", "LT", term).count(b"\x1b$") == 2
    assert written(["金", "喜"], "LO", term).count(b"\x1b$") == 2


def test_each_value_of_several_begins_in_the_first_character_set() -> None:
    term = b"\\ISO 2022 IR 87"
    raw = written(["山田", "plain", "太郎"], "LO", term)
    assert raw.count(b"\x1b$B") == 2
    assert split(decode(raw, "LO", charset(term)), "LO") == ("山田", "plain", "太郎")


@pytest.mark.parametrize("raw", [b"\xff\xfe\xfd", b"caf\xe9", b"\xe5\xb1", b"a\xc3(b"])
def test_undecodable_bytes_are_shown_and_no_error(raw: bytes) -> None:
    assert "\ufffd" in decode(raw, "LO", ("utf8",))


@pytest.mark.parametrize("vr", sorted(TEXT_VRS))
def test_any_byte_decodes_in_any_string(vr: str) -> None:
    for term in (b"", b"ISO_IR 100", b"ISO_IR 192", b"GB18030", b"\\ISO 2022 IR 87", b"ISO_IR 13"):
        assert isinstance(decode(bytes(range(256)), vr, charset(term)), str)
        assert isinstance(decode(b"\x1b$", vr, charset(term)), str)


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (b"", "Jérôme"),
        (b"", "山田"),
        (b"ISO_IR 6", "Müller"),
        (b"ISO_IR 100", "山田"),
        (b"ISO_IR 100", "Zqcanary→"),
        (b"ISO_IR 144", "Jérôme"),
        (b"\\ISO 2022 IR 149", "ภาษา"),
        (b"ISO_IR 13", "é"),
        (b"ISO_IR 192", "lone \udcff"),
    ],
)
def test_what_the_character_set_does_not_have_is_not_encodable(term: bytes, text: str) -> None:
    refused(text, "LO", term)
    refused(text, "PN", term)


@pytest.mark.parametrize("vr", ["AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"])
def test_strings_of_the_default_repertoire_take_no_other_characters(vr: str) -> None:
    refused("é", vr, b"ISO_IR 192")


# ------------------------------------------------------------------------------------------------ padding, empty


@pytest.mark.parametrize("vr", sorted(VRS - {"SQ"}))
def test_nothing_is_written_as_nothing(vr: str) -> None:
    assert written(None, vr) == written("", vr) == b""
    assert read_values(b"", vr, "<", DEFAULT_CHARSET) == ()


@pytest.mark.parametrize(
    ("vr", "value", "raw"),
    [
        ("LO", "abc", b"abc "),
        ("LT", "abc", b"abc "),
        ("CS", "ABC", b"ABC "),
        ("PN", "A^B", b"A^B "),
        ("DS", "1.5", b"1.5 "),
        ("TM", "120000.5 ", b"120000.5"),
        ("UI", "1.2", b"1.2\0"),
        ("OB", b"\x01\x02\x03", b"\x01\x02\x03\0"),
        ("UN", b"\x01", b"\x01\0"),
        ("LO", "abcd", b"abcd"),
        ("UI", "1.22", b"1.22"),
    ],
)
def test_an_odd_length_is_padded_as_the_vr_asks(vr: str, value: Any, raw: bytes) -> None:
    assert written(value, vr) == raw


@pytest.mark.parametrize(
    ("vr", "raw", "values"),
    [
        ("LO", b" a \\ b ", ("a", "b")),
        ("LO", b"a\\\\b", ("a", "", "b")),
        ("UI", b"1.2\0", ("1.2",)),
        ("UI", b"1.2\0\\1.3\0", ("1.2", "1.3")),
        ("LT", b"  a\\b  ", ("  a\\b",)),
        ("UT", b" a ", (" a",)),
        ("PN", b"A^B\\C^D ", ("A^B", "C^D")),
        ("DS", b" 1.5\\ 2 ", ("1.5", "2")),
        ("LO", b"   ", ()),
    ],
)
def test_padding_is_no_part_of_a_value(vr: str, raw: bytes, values: tuple[str, ...]) -> None:
    assert read_values(raw, vr, "<", DEFAULT_CHARSET) == values


@pytest.mark.parametrize("vr", sorted(SINGLE_VRS))
def test_a_backslash_is_a_character_in_long_text(vr: str) -> None:
    assert split("a\\b", vr) == ("a\\b",)
    assert written("a\\b", vr) == b"a\\b "


def test_a_backslash_of_a_multi_byte_character_does_not_split_it() -> None:
    raw = "表\\十".encode("GB18030") + "俓".encode("GB18030")  # 俓 ends in a byte that is a backslash
    assert raw.endswith(b"\\")
    assert read_values(raw, "LO", "<", ("GB18030",)) == ("表", "十俓")


# ------------------------------------------------------------------------------------------------ dates, times


@pytest.mark.parametrize(
    ("value", "date", "time", "both"),
    [
        ("2004-01-19", b"20040119", b"000000", b"20040119000000"),
        ("2004-01-19T07:27:30", b"20040119", b"072730", b"20040119072730"),
        ("2004-01-19 07:27:30", b"20040119", b"072730", b"20040119072730"),
        ("2004-01-19T07:27:30Z", b"20040119", b"072730", b"20040119072730"),
        ("2004-01-19T07:27:30.123456", b"20040119", b"072730", b"20040119072730"),
        ("2004-01-19T07:27:30.5+01:00", b"20040119", b"072730", b"20040119072730"),
    ],
)
def test_a_timestamp_becomes_a_date_a_time_or_both(value: str, date: bytes, time: bytes, both: bytes) -> None:
    assert (written(value, "DA"), written(value, "TM"), written(value, "DT")) == (date, time, both)


@pytest.mark.parametrize("value", ["20040119", "20040119072730", "20040119072730.5", "200401190727"])
def test_a_date_is_the_day_of_a_date_time(value: str) -> None:
    assert written(value, "DA") == b"20040119"


@pytest.mark.parametrize("value", ["20040230", "2004-02-30", "20041301", "2004", "tomorrow", "2004.01.19", "00000101"])
def test_what_is_no_date_is_not_written(value: str) -> None:
    refused(value, "DA")


@pytest.mark.parametrize(
    "value",
    ["2004", "200401", "2004011907", "200401190727", "20040119072760", "20040119072730.123456+0100", "2004-0500"],
)
def test_a_date_time_of_any_precision_is_written(value: str) -> None:
    assert written(value, "DT").rstrip(b" ") == value.encode()


@pytest.mark.parametrize("value", ["20040119072761", "2004011924", "20040119072730.", "20040230", "20040119T07"])
def test_what_is_no_date_time_is_not_written(value: str) -> None:
    refused(value, "DT")


@pytest.mark.parametrize("value", ["07", "0727", "072730", "072730.1", "072730.123456", "235960"])
def test_a_time_of_any_precision_is_written(value: str) -> None:
    assert written(value, "TM").rstrip(b" ") == value.encode()


@pytest.mark.parametrize("value", ["24", "7", "0760", "07:27:30", "072730.1234567", "noon"])
def test_what_is_no_time_is_not_written(value: str) -> None:
    refused(value, "TM")


# ------------------------------------------------------------------------------------------------ forms, lengths


@pytest.mark.parametrize(
    ("vr", "limit"),
    [("AE", 16), ("CS", 16), ("DS", 16), ("LO", 64), ("SH", 16), ("ST", 1024), ("LT", 10240), ("PN", 64), ("UI", 64)],
)
def test_a_value_is_as_long_as_its_vr_allows_and_no_longer(vr: str, limit: int) -> None:
    letter = "1" if vr in ("DS", "UI") else "A"
    assert written(letter * limit, vr).rstrip(b"\0 ") == letter.encode() * limit
    refused(letter * (limit + 1), vr)


@pytest.mark.parametrize("vr", ["LO", "SH", "CS", "AE"])
def test_the_limit_is_one_values_not_the_elements(vr: str) -> None:
    assert len(written(["A" * 16] * 20, vr)) >= 20 * 16
    refused(["A", "A" * 65], vr)


def test_the_limit_counts_characters_not_bytes() -> None:
    assert len(written("山" * 64, "LO", b"ISO_IR 192")) == 192
    refused("山" * 65, "LO", b"ISO_IR 192")


def test_each_group_of_a_name_has_its_own_limit() -> None:
    assert written("=".join(["A" * 64] * 3), "PN").rstrip(b" ") == b"=".join([b"A" * 64] * 3)
    refused("=".join(["A", "A" * 65]), "PN")
    refused("A=B=C=D", "PN")


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        ("CS", "lower"),
        ("CS", "A-B"),
        ("AS", "47"),
        ("AS", "047X"),
        ("IS", "1.5"),
        ("IS", "2147483648"),
        ("IS", "-2147483649"),
        ("IS", "one"),
        ("DS", "1,5"),
        ("DS", "nan"),
        ("DS", float("inf")),
        ("DS", "1e"),
        ("UI", "1.02"),
        ("UI", "1..2"),
        ("UI", "1.2."),
        ("UI", "uid"),
        ("LO", "a\nb"),
        ("PN", "a\0b"),
        ("SH", "a\x1bb"),
        ("LT", "a\0b"),
        ("LO", b"bytes"),
        ("LO", [b"bytes"]),
    ],
)
def test_a_value_that_its_vr_does_not_allow_is_refused(vr: str, value: Any) -> None:
    refused(value, vr)


@pytest.mark.parametrize(
    ("vr", "value", "raw"),
    [
        ("IS", 7, b"7 "),
        ("IS", -2147483648, b"-2147483648 "),
        ("IS", [1, 2], b"1\\2 "),
        ("DS", 1.5, b"1.5 "),
        ("DS", "-1.5E-7", b"-1.5E-7 "),
        ("DS", ".5", b".5"),
        ("AS", "047Y", b"047Y"),
        ("CS", "A_B 1", b"A_B 1 "),
        ("LT", "a\r\n\tb", b"a\r\n\tb "),
        ("LO", ["a", "", "b"], b"a\\\\b"),
    ],
)
def test_a_legal_value_is_written_as_it_is(vr: str, value: Any, raw: bytes) -> None:
    assert written(value, vr).rstrip(b" ") == raw.rstrip(b" ")


def test_a_number_of_many_digits_is_rounded_to_what_fits() -> None:
    raw = written(1 / 3, "DS")
    assert len(raw) == 16
    assert float(raw) == pytest.approx(1 / 3, abs=1e-13)


# ------------------------------------------------------------------------------------------------ binary numbers


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("vr", "value"),
    [
        ("FL", 1.5),
        ("FD", -1e300),
        ("SL", -(2**31)),
        ("SS", -(2**15)),
        ("SV", -(2**63)),
        ("UL", 2**32 - 1),
        ("US", 2**16 - 1),
        ("UV", 2**64 - 1),
    ],
)
def test_binary_numbers_come_back_in_both_byte_orders(order: str, vr: str, value: float) -> None:
    raw = written([value, 1], vr, order=order)
    assert raw == struct.pack(order + 2 * NUMBERS[vr], value, 1)
    assert read_values(raw, vr, order, DEFAULT_CHARSET) == (value, 1)
    assert written(value, vr, order=order) == raw[: len(raw) // 2]


@pytest.mark.parametrize("order", ["<", ">"])
def test_numbers_are_written_from_text_too(order: str) -> None:
    assert written("1\\2", "US", order=order) == struct.pack(order + "HH", 1, 2)
    assert written("1.5", "FD", order=order) == struct.pack(order + "d", 1.5)


@pytest.mark.parametrize(
    ("vr", "value"),
    [("US", -1), ("US", 2**16), ("SS", 2**15), ("UL", 2**32), ("SV", 2**63), ("US", "a"), ("FL", 1e300), ("US", "1\\")],
)
def test_a_number_out_of_range_is_not_encodable(vr: str, value: Any) -> None:
    refused(value, vr)


def test_bytes_behind_the_last_whole_number_are_not_read() -> None:
    assert read_values(b"\x01\0\x02\0\x03", "US", "<", DEFAULT_CHARSET) == (1, 2)
    assert read_values(b"\x01\0\x02", "UL", "<", DEFAULT_CHARSET) == ()


@pytest.mark.parametrize(("order", "raw"), [("<", b"\x10\x00\x20\x00"), (">", b"\x00\x10\x00\x20")])
@pytest.mark.parametrize("value", ["00100020", "(0010,0020)", "0010,0020"])
def test_a_tag_is_a_value_too(order: str, raw: bytes, value: str) -> None:
    assert written(value, "AT", order=order) == raw
    assert read_values(raw, "AT", order, DEFAULT_CHARSET) == ("00100020",)
    assert read_values(raw * 2, "AT", order, DEFAULT_CHARSET) == ("00100020", "00100020")


@pytest.mark.parametrize("value", ["PatientID", "1001000200", "-1"])
def test_what_is_no_tag_is_not_encodable(value: str) -> None:
    refused(value, "AT")


def test_opaque_bytes_are_one_value() -> None:
    assert read_values(b"\x01\\\x02", "OB", "<", DEFAULT_CHARSET) == (b"\x01\\\x02",)
    assert read_values(b"\x01\\\x02", "UN", ">", DEFAULT_CHARSET) == (b"\x01\\\x02",)
