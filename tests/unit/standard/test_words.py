"""The list of clinical words is what its script makes of pydicom's dictionaries."""

from __future__ import annotations

from sendit.deid.identifiers.vocabulary import listed
from standard import words


def test_the_list_is_what_the_script_makes() -> None:
    assert words.PATH.read_text("utf-8") == words.page()


def test_no_word_of_it_is_a_name_or_stands_in_the_protocols_list() -> None:
    assert listed("clinical").isdisjoint(listed("names") | listed("protocol"))
