"""A mosaic, whose slices private elements alone put in their places: withheld where its output would have lost them."""

from __future__ import annotations

from collections.abc import Iterable

from sendit.deid.recipe.addresses import Field
from sendit.deid.recipe.field_syntax import FieldError, parse_field
from sendit.deid.recipe.recipe import Recipe
from sendit.deid.recipe.rules import Rule
from sendit.deid.recipe.selectors import PrivateTag, Tag
from sendit.deid.rewriting.actions import ElementAction
from sendit.deid.rewriting.shared_runs import each_action
from sendit.deid.rewriting.withheld import Withheld
from sendit.deid.stream.elements import elements
from sendit.deid.stream.header import HeaderReader
from sendit.deid.stream.heads import FLAT
from sendit.deid.stream.part_ten import PartTen
from sendit.deid.stream.values import split
from sendit.deid.vendors.places import PLACES, RULE, places_slices
from sendit.errors import DataFault

MOSAICS = frozenset({"MOSAIC", "VFRAME"})
"""Values of Image Type: of Siemens, of United Imaging."""

IMAGE_TYPE = 0x00080008
_READER = HeaderReader({IMAGE_TYPE})


def ensure_geometry(done: Iterable[ElementAction], part_ten: PartTen, recipe: Recipe) -> None:
    """Withhold a mosaic that the actions have taken the places of its slices from.

    Raises
    ------
    Withheld
        One of these elements goes, and no line of the recipe removes it by name.
    """
    lost = [action.tag for action in each_action(done) if action.loses_places and not action.path]
    if lost and _is_mosaic(part_ten):
        for tag in lost:
            if not _is_removed_by_name(tag, recipe):
                raise Withheld("GeometryLost", RULE, tag=tag)


def _is_mosaic(part_ten: PartTen) -> bool:
    return not MOSAICS.isdisjoint(value.strip().upper() for value in _image_type(part_ten))


def _image_type(part_ten: PartTen) -> tuple[str, ...]:
    """The values of Image Type, which is among the first elements; else the whole header is read."""
    window = part_ten.window
    try:
        for tag, _, _, _, begin, after, _ in elements(window, part_ten.start, len(window), FLAT[part_ten.encoding]):
            if tag == IMAGE_TYPE:
                return split(window[begin:after].decode("latin-1").strip(" \0"), "CS")
            if tag > IMAGE_TYPE:
                break
    except DataFault:
        pass
    return _READER.of(part_ten).get(IMAGE_TYPE) or ()


def _is_removed_by_name(tag: int, recipe: Recipe) -> bool:
    """Whether a line of the recipe's own speaks of this very element: then its word counts."""
    assert places_slices(tag)
    rules = [step.rule for step in recipe.decide(Field((), tag, "OB", PLACES[tag >> 16, tag & 0xFF])).steps]
    return bool(rules) and not rules[-1].of_profile and _names_one(rules[-1])


def _names_one(rule: Rule) -> bool:
    try:
        return isinstance(parse_field(rule.field), PrivateTag | Tag)
    except FieldError:
        return False
