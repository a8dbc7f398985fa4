"""Safe private elements: the table, and that a recipe which retains them retains those and no other."""

from __future__ import annotations

import pytest

from sendit.deid.recipe import Recipe, load_recipe, parse_recipe
from sendit.deid.rules import Action, Field
from sendit.deid.safe_private import SafePrivate, read_safe_private, safe_private
from sendit.deid.selectors import PrivateTag, parse_field

ROW = "SIEMENS MR HEADER\t0019\t0C\tIS\tB Value\ta book"


def field(safe: SafePrivate, creator: str | None = None) -> Field:
    return Field((), safe.group << 16 | 0x1000 | safe.offset, safe.vr, creator or safe.creator)


def test_a_row_is_read_and_named_as_a_recipe_names_it() -> None:
    (safe,) = read_safe_private(f"# about\ncreator\tgroup\toffset\tvr\tmeaning\tsource\n{ROW}\n")
    assert safe == SafePrivate("SIEMENS MR HEADER", 0x0019, 0x0C, "IS", "B Value", "a book")
    assert safe.field == '(0019,"SIEMENS MR HEADER",0C)'


def test_every_row_is_a_private_element_with_its_source() -> None:
    assert safe_private()
    for safe in safe_private():
        assert parse_field(safe.field) == PrivateTag(safe.group, safe.creator, safe.offset)
        assert safe.meaning and safe.source


@pytest.mark.parametrize("name", ["research", "limited-dataset"])
def test_a_recipe_that_retains_them_retains_no_other(name: str) -> None:
    recipe = load_recipe(name)
    assert not recipe.removes_all_private
    assert all(recipe.decide(field(safe)).kept for safe in safe_private())
    assert all(removes(recipe, field(safe, "ANOTHER CREATOR")) for safe in safe_private())
    assert removes(recipe, Field((), 0x00111001, "LO", "A CREATOR"))


def test_without_the_option_they_go() -> None:
    basic = load_recipe("basic")
    assert basic.removes_all_private
    assert all(removes(basic, field(safe)) for safe in safe_private())


def test_a_rule_of_the_recipes_own_removes_one() -> None:
    (safe, *_) = safe_private()
    one = parse_recipe(f"FORMAT dicom\nPROFILE Basic + Retain Safe Private\n%header\nREMOVE {safe.field}\n")
    assert removes(one, field(safe))


def removes(recipe: Recipe, address: Field) -> bool:
    return [step.action for step in recipe.decide(address).steps] == [Action.REMOVE]
