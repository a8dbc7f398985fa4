"""Whatever the expression and the address: the fast way and the plain way of searching agree."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary

from sendit.deid.recipe.addresses import Address, Field
from sendit.deid.recipe.field_syntax import FieldError, parse_field
from sendit.deid.recipe.selectors import Search

TAGS = sorted(tag for tag in DicomDictionary if tag >> 16 > 2)
SEQUENCES = [tag for tag in TAGS if DicomDictionary[tag][0] == "SQ"]
PIECES = [
    "Patient",
    "Study",
    "Date",
    "Name",
    "ID",
    "s",
    "0010",
    "0033",
    ",",
    "(",
    ")",
    "|",
    "^",
    "$",
    ".",
    "*",
    "+",
    "?",
]
PIECES += ["[A-Z]", "[^a]", "{2}", "__", '"MITRA"', "'", " ", "\\d", "\\D", "\\b", "(?!x)", "Sequence"]

expressions = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
public = st.builds(
    Field, st.lists(st.sampled_from(SEQUENCES), max_size=2).map(tuple), st.sampled_from(TAGS), st.just("LO")
)
private = st.builds(
    Field,
    st.just(()),
    st.sampled_from([0x0033101E, 0x00330010, 0x00191001]),
    st.just("LO"),
    st.sampled_from([None, "MITRA"]),
)


@settings(max_examples=1000, deadline=None)
@given(st.sampled_from(["startswith", "endswith", "contains", "except"]), expressions, public | private)
def test_searching_all_spellings_at_once_changes_nothing(expander: str, expression: str, field: Field) -> None:
    try:
        selector = parse_field(f"{expander}:{expression}")
    except FieldError:
        return
    assert isinstance(selector, Search)
    address = Address(field)
    assert selector.matches(address) == replace(selector, by_line=None).matches(address)


@settings(max_examples=300, deadline=None)
@given(public | private)
def test_every_exact_spelling_of_an_address_selects_it(field: Field) -> None:
    address = Address(field)
    names = [address.tag_text, address.stripped_tag, address.keyword, *address.private_forms]
    names += [address.keyword_path] if address.keyword else []
    names += [f'"{address.element_name}"'] if address.keyword else []
    for name in filter(None, names):
        selector = parse_field(name)
        assert selector.matches(address), name
        assert selector.key in set(address.keys())


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_a_field_or_an_error_with_a_place(text: str) -> None:
    try:
        parse_field(text)
    except FieldError as error:
        assert 0 <= error.offset <= len(text)
        assert error.reason
    except re.error:  # pragma: no cover
        raise AssertionError("an expression's own error came through") from None
