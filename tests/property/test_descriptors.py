"""Whatever a text holds: cleaning ends, is the same the second time, and leaves no identifier in any encoding."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendit.deid.identifiers.announcements import announced_names
from sendit.deid.identifiers.descriptors import LONGEST_TEXT, Cleaner
from sendit.deid.identifiers.identifiers import Identifier
from sendit.deid.identifiers.residuals import needles, occurs, plain
from sendit.deid.identifiers.text_words import words_of
from tests.clinical_texts.descriptors import HELD_OUT, MADE_WITH, PATTERNS, Somebody, descriptions

PEOPLE = (*MADE_WITH, *HELD_OUT)
PIECES = [
    *descriptions("descriptions")[:40],
    *(planted for planted, _ in PATTERNS),
    *(
        "Dr.",
        "van der",
        "MD",
        "by",
        ",",
        " ",
        "_",
        "^",
        "(",
        ")",
        "'s",
        "-",
        "\n",
        "\ufffd",
        "0",
        "12",
        "é",
        "胸部",
        "山",
    ),
    *("2020-01-31", "31 Jan 2020", "95 yo", "Doe"),
]


def texts(somebody: Somebody) -> st.SearchStrategy[str]:
    own = [form for form, _ in somebody.planted()]
    piece = st.sampled_from(PIECES) | st.sampled_from(own) | st.text(max_size=6)
    return st.builds(str.join, st.sampled_from(["", " ", "_", "^", ", "]), st.lists(piece, max_size=8))


cases = st.sampled_from(PEOPLE).flatmap(lambda somebody: st.tuples(st.just(somebody), texts(somebody)))


@settings(max_examples=250, deadline=None)
@given(cases)
def test_cleaning_what_is_clean_changes_nothing(case: tuple[Somebody, str]) -> None:
    cleaner = Cleaner(case[0].identifiers)
    cleaned = cleaner.clean(case[1])
    for again in (cleaner.clean(cleaned), Cleaner(case[0].identifiers, 0).clean(cleaned)):
        assert again == cleaned or (_announces_a_name(cleaned) and _is_left_of(again, cleaned))


def _announces_a_name(cleaned: str) -> bool:
    """Where a name went, the next word may stand behind what announced it: "read by Chest" of "read by Xy Chest"."""
    return any(announced_names(cleaned, words_of(cleaned)))


def _is_left_of(again: str, cleaned: str) -> bool:
    """Whether a second cleaning only removed words."""
    rest = iter(re.findall(r"[^\W_]+", cleaned))
    return all(word in rest for word in re.findall(r"[^\W_]+", again))


@settings(max_examples=250, deadline=None)
@given(cases, st.none() | st.integers(-400, 400))
def test_nothing_that_the_proof_looks_for_is_left(case: tuple[Somebody, str], days: int | None) -> None:
    somebody, text = case
    cleaned = Cleaner(somebody.identifiers, days).clean(text)
    for encoding in ("utf-8", "utf-16-le"):
        data = plain(cleaned.encode(encoding, "surrogatepass"))
        assert not any(occurs(needle, data, 0, len(data)) for needle in needles(somebody.identifiers))


@settings(max_examples=200, deadline=None)
@given(st.text(), st.lists(st.builds(Identifier, st.sampled_from(["name", "id", "person", "institution"]), st.text())))
def test_no_text_and_no_identifier_is_too_odd(text: str, identifiers: list[Identifier]) -> None:
    cleaned = Cleaner(identifiers, 3).clean(text)
    assert len(cleaned) <= 2 * len(text) + 3


UNITS = [
    *("a", "A", "Aa", "1", "1.", "1-", "^", " ", "a ", "(", "a@", "Smith ", "Dr. Smith, ", "Doe ", "D O E ", "12 Jan "),
    *("20200131 ", "id:1 ", "1 a street ", "name: ", "山", "é", "95 yo ", "van der ", ", MD", "0012345", "b1", "O'"),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", UNITS)
def test_a_text_of_one_thing_a_thousand_times_ends(unit: str) -> None:
    text = unit * (40_000 // len(unit))
    assert len(Cleaner(MADE_WITH[0].identifiers, 3).clean(text)) <= 2 * len(text)


@pytest.mark.timeout(60)
def test_the_longest_text_ends() -> None:
    cleaner = Cleaner(MADE_WITH[0].identifiers, 3)
    assert cleaner.clean("a" * 1_000_000) == ""
    assert len(cleaner.clean("chest 12 " * (LONGEST_TEXT // 9))) > LONGEST_TEXT // 2
