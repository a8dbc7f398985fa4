"""Which Type (PS3.5 7.4) an attribute has where it stands: whether its IOD (PS3.3) asks for it, and for a value.

`attribute_types.tsv` is written by `python -m standard.attribute_types`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TYPES_FILE = Path(__file__).with_suffix(".tsv")

TYPES = ("1", "1C", "2", "2C")
"""The Types that ask for an attribute, the strictest first; what is listed with none is of Type 3."""

OPTIONAL, UNKNOWN = "3", "unknown"


@dataclass(frozen=True, slots=True)
class Types:
    """The facts: `roots` by SOP Class UID and tag, `items` by enclosing sequence and tag, the strictest of all IODs."""

    roots: Mapping[str, Mapping[int, str]]
    items: Mapping[tuple[int, int], str]

    def type_of(self, sop_class_uid: str, path: tuple[int, ...], tag: int) -> str:
        """The Type of a public attribute: one of TYPES, OPTIONAL, or UNKNOWN where the SOP class is not listed.

        A class may be extended by attributes that its IOD does not have; they are of Type 3 (PS3.2 Standard Extended).
        """
        if path:
            return UNKNOWN if path[-1] >> 16 & 1 else self.items.get((path[-1], tag), OPTIONAL)
        root = self.roots.get(sop_class_uid)
        return UNKNOWN if root is None else root.get(tag, OPTIONAL)


def read_types(text: str) -> Types:
    """The facts from the text of their file."""
    roots: dict[str, Mapping[int, str]] = {}
    items: dict[tuple[int, int], str] = {}
    for line in text.splitlines()[1:]:
        places, _, attributes = line.partition("\t")
        types = dict(map(_attribute, attributes.split()))
        if "." in places:
            roots.update(dict.fromkeys(places.split(), types))
        else:
            items.update({(int(places, 16), tag): type_ for tag, type_ in types.items()})
    return Types(roots, items)


def _attribute(text: str) -> tuple[int, str]:
    tag, _, type_ = text.partition(":")
    return int(tag, 16), type_


@cache
def types() -> Types:
    """The facts that are shipped."""
    return read_types(TYPES_FILE.read_text("utf-8"))
