"""A mosaic, whose slices only private elements put in their places: withheld where its output would have lost them.

A Siemens mosaic or a grid of United Imaging holds the slices of a volume as tiles of one image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sendit.deid.csa import GEOMETRY, NotCsa, has_geometry, read_csa
from sendit.deid.elements import WINDOW, PartTen, elements_of
from sendit.deid.header import Header, HeaderReader
from sendit.deid.recipe import Recipe
from sendit.deid.rewrite import Bulk
from sendit.deid.rules import Field, Rule
from sendit.deid.selectors import FieldError, PrivateTag, Tag, creator_of, parse_field
from sendit.errors import DataFault

RULE = "sendit: geometry would be lost"
MOSAICS = ("MOSAIC", "VFRAME")
"""Values of Image Type: of Siemens, of United Imaging."""

IMAGE_TYPE = 0x00080008
CSA_IMAGE_HEADER = (0x0029, 0x10)
PLACES = (CSA_IMAGE_HEADER, (0x0019, 0x0A), (0x0065, 0x50), (0x0065, 0x51))
"""Group and last byte: CSA Image Header Info, NumberOfImagesInMosaic, Number of Images in Grid, MR VFrame Sequence."""

_READER = HeaderReader()


class Withheld(DataFault):
    """An image that a rule of sendit's own withholds."""

    def __init__(self, rule: str, *, tag: int) -> None:
        super().__init__("GeometryLost", tag=tag)
        self.rule = rule

    def __reduce__(self) -> tuple[object, ...]:
        return (_withheld, (self.rule, self.tag))


def _withheld(rule: str, tag: int) -> Withheld:
    return Withheld(rule, tag=tag)


def places_of(part_ten: PartTen) -> Mapping[int, tuple[bytes, str]]:
    """The private elements that place a mosaic's slices, with their creators; none where the image is no mosaic."""
    if not _may_be_mosaic(part_ten):
        return {}
    header = _READER.of(part_ten)
    if not set(MOSAICS) & {value.strip().upper() for value in header.get(IMAGE_TYPE) or ()}:
        return {}
    return {tag: (raw, _creator(header, tag)) for tag in header if _is_place(tag) and (raw := header.raw(tag))}


def _may_be_mosaic(part_ten: PartTen) -> bool:
    """Whether the beginning has the word in it: Image Type is among the first elements."""
    head = part_ten.window
    if len(head) < min(part_ten.start + WINDOW // 2, part_ten.source.size):
        head = part_ten.source.read(part_ten.start, WINDOW)
    return any(head.find(word) >= 0 for word in _WORDS)


_WORDS = tuple(word.encode("ascii") for word in MOSAICS)


def _is_place(tag: int) -> bool:
    return (tag >> 16, tag & 0xFF) in PLACES and tag & 0xFFFF > 0xFF


def _creator(header: Header, tag: int) -> str:
    return header.raw(creator_of(tag)).decode("latin-1").strip(" \0")


def ensure_places(
    places: Mapping[int, tuple[bytes, str]], pieces: Iterable[bytes | Bulk], part_ten: PartTen, recipe: Recipe
) -> None:
    """Withhold an image of whose output the places are gone.

    Raises
    ------
    Withheld
        An element that places slices went, or is not what it was, and no line of the recipe removes it by name.
    """
    output = dict(_elements(pieces, part_ten, places))
    for tag, (raw, creator) in places.items():
        if not _is_kept(tag, raw, output.get(tag, b"")) and not _is_removed_by_name(tag, creator, recipe):
            raise Withheld(RULE, tag=tag)


def _elements(
    pieces: Iterable[bytes | Bulk], part_ten: PartTen, wanted: Mapping[int, object]
) -> Iterable[tuple[int, bytes]]:
    for piece in pieces:
        if isinstance(piece, bytes):
            for tag, _, _, begin, after in elements_of(piece, 0, len(piece), part_ten.encoding):
                if tag in wanted:
                    yield tag, piece[begin:after]


def _is_kept(tag: int, before: bytes, after: bytes) -> bool:
    if (tag >> 16, tag & 0xFF) != CSA_IMAGE_HEADER:
        return bool(after)
    return after == before or (bool(after) and _can_be_read(before) and has_geometry(after, _given(before)))


def _can_be_read(header: bytes) -> bool:
    return has_geometry(header, ())


def _given(header: bytes) -> list[str]:
    """What a header says of the places."""
    try:
        values = read_csa(header).values
    except NotCsa:
        return list(GEOMETRY)
    return [name for name in GEOMETRY if any(values.get(name, ()))]


def _is_removed_by_name(tag: int, creator: str, recipe: Recipe) -> bool:
    """Whether a line of the recipe's own speaks of this very element: then its word counts."""
    decision = recipe.decide(Field((), tag, "OB", creator))
    rules = [step.rule for step in decision.steps]
    return bool(rules) and not rules[-1].of_profile and _names(rules[-1])


def _names(rule: Rule) -> bool:
    try:
        return isinstance(parse_field(rule.field), PrivateTag | Tag)
    except FieldError:
        return False
