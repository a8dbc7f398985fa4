"""How the commands write: tables, durations, numbers, and text that came from a file system."""

from __future__ import annotations

import pytest

from sendit.ground.terminal import counted, duration, printable, table


def test_numbers_stand_right_and_words_left() -> None:
    rows = [("a", 1, 0.25, None), ("bcd", 12345, 10.0, True)]
    assert table(rows, header=("name", "n", "x", "is")) == [
        "name       n     x    is",
        "a          1  0.25",
        "bcd   12,345  10.0  true",
    ]


def test_a_number_has_the_digits_that_it_has() -> None:
    numbers = [0.6666667, 0.04, 1234.5, -3.0, 1e-07]
    assert [line.strip() for line in table([(number,) for number in numbers])] == [
        "0.6666667", "0.04", "1,234.5", "-3.0", "1e-07"
    ]  # fmt: skip


def test_a_table_without_rows_is_its_header() -> None:
    assert table([], header=("a", "b")) == ["a  b"]
    assert table([]) == []


def test_a_table_may_be_indented() -> None:
    assert table([("a", "b")], indent="  ") == ["  a  b"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0.0 s"), (0.44, "0.4 s"), (9.9, "9.9 s"), (10, "10 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"),
     (7200, "2 h"), (172_799, "48 h"), (172_800, "2 days"), (1e9, "11,574 days")],
)  # fmt: skip
def test_a_duration_has_the_unit_that_fits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_one_is_not_many() -> None:
    assert [counted(number, "batch", "batches") for number in (0, 1, 2000)] == ["0 batches", "1 batch", "2,000 batches"]
    assert counted(3, "file") == "3 files"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Müller 名", "Müller 名"),
        ("a\nb\tc", "a\\x0ab\\x09c"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\udcff", "\\xff"),
        ("\x9b", "\\x9b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\U000e0041\u2028\xad", "\\udb40\\udc41\\u2028\\u00ad"),
        ("a\u3000b\u00a0c", "a\u3000b\u00a0c"),
    ],
)
def test_text_can_neither_move_the_cursor_nor_fail_to_be_printed(text: str, shown: str) -> None:
    assert printable(text) == shown
    printable(text).encode()
