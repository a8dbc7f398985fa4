"""Which words are known, which are names, which are both."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sendit.deid.identifiers.vocabulary import fold, is_eponym, is_known, is_name, listed, plain, starred


@pytest.mark.parametrize(
    ("text", "folded"),
    [("MÜLLER", "muller"), ("Łucja", "lucja"), ("Straße", "strasse"), ("Ørsted", "orsted"), ("Žé", "ze"), ("CT", "ct")],
)
def test_words_are_one_in_any_case_and_without_accents(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    "word",
    [
        *("chest", "flair", "mprage", "sagittal", "hepatocellular", "topogram", "knochen", "cerebro", "klatki", "the"),
        *("hodgkin", "crohn", "parkinson", "wilson", "baker", "morton"),
        *("cholangiocarcinomas", "laryngectomy", "arthrography", "scanned", "localizers"),
        *("abdpelvis", "thoraxroutine", "nonconchest"),
        *("ray", "back", "cord", "branch", "beat", "jet", "iris"),
        *("胸部", "голова", "복부"),
    ],
)
def test_words_of_the_clinic_are_known(word: str) -> None:
    assert is_known(fold(word))


@pytest.mark.parametrize("word", ["kowalczyk", "smith", "anderson", "zqcanary", "thomas", "田中", "иванов", "a" * 60])
def test_other_words_are_not(word: str) -> None:
    assert not is_known(word)


def test_a_name_may_be_a_known_word_too() -> None:
    assert is_name("brown") and is_known("brown")
    assert is_name("smith") and not is_known("smith")
    assert not is_name("flair")


def test_eponyms_that_are_common_surnames_are_told_from_the_others() -> None:
    assert is_eponym("smith") and not is_eponym("crohn")
    assert plain("eponyms").isdisjoint(starred("eponyms"))


@pytest.mark.parametrize(
    "name",
    [
        "clinical",
        "diseases",
        "eponyms",
        "joined",
        "names",
        "particles",
        "places",
        "protocol",
        "roles",
        "scripts",
        "titles",
    ],
)
def test_a_list_has_a_head_that_says_what_it_is_and_words(name: str) -> None:
    assert listed(name)
    assert all(word.strip("*") for word in listed(name))


def test_nothing_is_read_before_it_is_asked_for() -> None:
    code = "import sendit.deid.identifiers.vocabulary as v; print(v.listed.cache_info().currsize)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0\n"
