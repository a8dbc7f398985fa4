"""Pseudonyms: only the key's holder makes them, they never collide, and dates move by whole days."""

from __future__ import annotations

import hmac
import re
import subprocess
import sys
from datetime import date

import pytest

from sendit.deid.pseudonyms import WELL_KNOWN_UIDS, Pseudonyms, shift_date, shift_datetime

KEY = b"a key of tests, 16+"
STUDY = "1.2.840.113619.2.1.1"
LEGAL = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
"""PS3.5 9.1: components without leading zeros; at most 64 characters in all."""


def days_between(first: str, second: str) -> int:
    return (date.fromisoformat(second) - date.fromisoformat(first)).days


# ------------------------------------------------------------------------------------------------ UIDs


def test_the_same_key_and_uid_give_the_same_pseudonym() -> None:
    assert Pseudonyms(KEY).uid(STUDY) == Pseudonyms(KEY).uid(STUDY)


def test_another_key_gives_another_pseudonym() -> None:
    assert Pseudonyms(KEY).uid(STUDY) != Pseudonyms(KEY + b".").uid(STUDY)


def test_another_process_makes_the_same_pseudonym() -> None:
    code = f"from sendit.deid.pseudonyms import Pseudonyms; print(Pseudonyms({KEY!r}).uid({STUDY!r}))"
    found = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, timeout=60
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert found == [Pseudonyms(KEY).uid(STUDY)] * 2


def test_a_hundred_thousand_uids_get_as_many_valid_ones() -> None:
    pseudonyms = Pseudonyms(KEY)
    found = {pseudonyms.uid(f"1.2.3.{number}") for number in range(100_001)}
    assert len(found) == 100_001
    assert all(LEGAL.fullmatch(uid) and len(uid) <= 64 and uid.startswith("2.25.") for uid in found)


def test_pseudonyms_stay_the_same_after_the_memory_was_cleared() -> None:
    pseudonyms = Pseudonyms(KEY)
    before = pseudonyms.uid(STUDY)
    for number in range(100_000):
        pseudonyms.uid(f"1.2.3.{number}")
    assert STUDY not in pseudonyms._uids
    assert pseudonyms.uid(STUDY) == before


def test_the_number_is_a_version_8_uuid_of_rfc_9562() -> None:
    for number in range(200):
        made = Pseudonyms(KEY).number("uid", f"1.2.{number}")
        assert (made >> 76 & 0xF, made >> 62 & 0x3) == (8, 2)
        assert made < 1 << 128


def test_purposes_do_not_share_numbers() -> None:
    assert Pseudonyms(KEY).number("uid", "1") != Pseudonyms(KEY).number("jitter", "1")


def test_a_purpose_and_a_value_are_not_confused_at_their_border() -> None:
    assert Pseudonyms(KEY).number("a", "bc") != Pseudonyms(KEY).number("ab", "c")


def test_text_that_is_no_utf_8_has_a_number_too() -> None:
    assert Pseudonyms(KEY).number("file", "\udcff") != Pseudonyms(KEY).number("file", "\udcfe")


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.4.1.1", ""])
def test_well_known_uids_and_the_empty_one_stay(uid: str) -> None:
    assert Pseudonyms(KEY).uid(uid) == uid


def test_every_well_known_uid_stays() -> None:
    pseudonyms = Pseudonyms(KEY)
    assert {pseudonyms.uid(uid) for uid in WELL_KNOWN_UIDS} == WELL_KNOWN_UIDS


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.1.12345", "1.2.840.10008.5.1.4.1.1.2.", "1.2.840.10008"])
def test_a_uid_that_only_begins_like_a_well_known_one_is_replaced(uid: str) -> None:
    assert Pseudonyms(KEY).uid(uid).startswith("2.25.")


@pytest.mark.parametrize("size", [0, 1, 15])
def test_a_short_key_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        Pseudonyms(b"k" * size)
    assert Pseudonyms(b"k" * 16).uid(STUDY)


def test_the_key_does_not_print() -> None:
    pseudonyms = Pseudonyms(KEY)
    pseudonyms.uid(STUDY)
    assert repr(pseudonyms) == str(pseudonyms) == "Pseudonyms(…)"


# ------------------------------------------------------------------------------------------------ dates


@pytest.mark.parametrize("days", [-36_500, -366, -31, -1, 0, 1, 29, 365, 36_500])
def test_intervals_survive_a_shift(days: int) -> None:
    first, second = "20040119", "20080303"
    moved = shift_date(first, days), shift_date(second, days)
    assert moved[0] is not None
    assert moved[1] is not None
    assert days_between(*moved) == days_between(first, second)  # type: ignore[arg-type]
    assert days_between(first, moved[0]) == days


@pytest.mark.parametrize(
    ("text", "days", "expected"),
    [
        ("20040228", 1, "20040229"),
        ("20040229", 1, "20040301"),
        ("20040301", -1, "20040229"),
        ("20030228", 1, "20030301"),
        ("20000228", 1, "20000229"),
        ("19000228", 1, "19000301"),
        ("20040229", 365, "20050228"),
        ("20040229", 366, "20050301"),
        ("20031231", 1, "20040101"),
        ("20040101", -1, "20031231"),
        ("20040101", -366, "20021231"),
        ("00010102", -1, "00010101"),
        ("09991231", 1, "10000101"),
        ("99991230", 1, "99991231"),
    ],
)
def test_a_shift_knows_the_calendar(text: str, days: int, expected: str) -> None:
    assert shift_date(text, days) == expected


@pytest.mark.parametrize("text", ["2004.01.19", "2004-01-19", " 20040119", "20040119 "])
def test_dots_dashes_and_padding_are_read_and_not_written(text: str) -> None:
    assert shift_date(text, -1) == "20040118"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "2004",
        "200401",
        "2004011",
        "20040230",
        "20041301",
        "20040100",
        "00000101",
        "19-JAN-2004",
        "2004/01/19",
        "20040119-20040120",
        "20040119\\20040120",
        "200401191200",
        "unknown",
    ],
)
def test_what_is_no_date_is_not_shifted(text: str) -> None:
    assert shift_date(text, 1) is None


@pytest.mark.parametrize(
    ("text", "days"), [("00010101", -1), ("99991231", 1), ("20040119", 10**9), ("20040119", -(10**12))]
)
def test_a_shift_out_of_the_calendar_is_none(text: str, days: int) -> None:
    assert shift_date(text, days) is None
    assert shift_datetime(text, days) is None


@pytest.mark.parametrize("rest", ["", "07", "0727", "072730", "072730.1", "072730.123456"])
@pytest.mark.parametrize("offset", ["", "+0100", "-1130", "+0000", "+0545"])
def test_a_date_time_keeps_its_precision_and_time_and_loses_its_offset(rest: str, offset: str) -> None:
    assert shift_datetime(f"20040229{rest}{offset}", 1) == "20040301" + rest
    assert shift_datetime(f"20040101{rest}{offset} ", -1) == "20031231" + rest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2010",
        "201002",
        "20100230",
        "2010020",
        "20100201072",
        "20100201072730.",
        "20100201072730.1234567",
        "yesterday",
    ],
)
def test_a_date_time_without_a_day_or_sense_is_not_shifted(text: str) -> None:
    assert shift_datetime(text, 1) is None


@pytest.mark.parametrize("size", [16, 63, 64, 65, 200])
def test_numbers_are_hmac_sha_256_of_the_key(size: int) -> None:
    key = bytes(range(size))
    digest = hmac.digest(key, b"sendit/uid/1\x001.2.3", "sha256")
    found = Pseudonyms(key).number("uid", "1.2.3").to_bytes(16, "big")
    assert found[:6] == digest[:6]
    assert found[9:] == digest[9:16]
