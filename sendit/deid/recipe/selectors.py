"""Selectors: which elements the FIELD of a rule speaks of. A Selector matches addresses.

Knows the DICOM dictionary (PS3.6), no rule, no value and no file.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom.datadict import (
    dictionary_is_retired,
    tag_for_keyword,
)

from sendit.deid.recipe.addresses import Address, keyword_of
from sendit.deid.standard.attribute_types import types
from sendit.deid.stream.tags import is_private


class Selector(Protocol):
    """Which elements a FIELD speaks of."""

    @property
    def key(self) -> Hashable | None:
        """One of `Address.keys()` of every address that matches; None where there is no such key."""
        ...

    @property
    def names_private(self) -> bool:
        """Whether the FIELD speaks of private elements by name, so that removing all private ones spares its own."""
        ...

    def matches(self, address: Address) -> bool:
        """Whether the element at this address is meant."""
        ...


@dataclass(frozen=True, slots=True)
class Everything:
    """`ALL`."""

    key: None = None
    names_private: bool = False

    def matches(self, address: Address) -> bool:
        """Every element."""
        return True


@dataclass(frozen=True, slots=True)
class Keyword:
    """`PatientID`: the attribute at any depth; a repeating group's keyword means each of its groups."""

    keyword: str

    @property
    def key(self) -> str:
        return self.keyword.lower()

    @property
    def names_private(self) -> bool:
        return False

    def matches(self, address: Address) -> bool:
        return address.keyword.lower() == self.key


@dataclass(frozen=True, slots=True)
class Tag:
    """`(0010,0020)` or `00100020`: the element at any depth."""

    tag: int

    @property
    def key(self) -> int:
        return self.tag

    @property
    def names_private(self) -> bool:
        return is_private(self.tag)

    def matches(self, address: Address) -> bool:
        return address.field.tag == self.tag


@dataclass(frozen=True, slots=True)
class PrivateTag:
    """`(0033,"MITRA",1E)`: the private element of a creator, in whichever block it stands, at any depth."""

    group: int
    creator: str
    offset: int
    names_private: bool = True

    @property
    def key(self) -> tuple[int, int]:
        return (self.group, self.offset)

    def matches(self, address: Address) -> bool:
        creator = address.field.private_creator
        return creator is not None and creator.lower() == self.creator.lower() and self.key in set(address.keys())


@dataclass(frozen=True, slots=True)
class ElementName:
    """`"Patient's Name"`: the name as PS3.6 writes it, at any depth."""

    name: str
    names_private: bool = False

    @property
    def key(self) -> str:
        return f"name:{self.name.lower()}"

    def matches(self, address: Address) -> bool:
        return address.element_name.lower() == self.name.lower()


Leaf = Keyword | Tag | PrivateTag | ElementName


@dataclass(frozen=True, slots=True)
class Path:
    """`A__B`, `A__0__B`: the element inside these sequences and nowhere else; without a number, in every item."""

    sequences: tuple[tuple[int, int | None], ...]
    leaf: Leaf

    @property
    def key(self) -> Hashable:
        return self.leaf.key

    @property
    def names_private(self) -> bool:
        return self.leaf.names_private

    @property
    def uses_indices(self) -> bool:
        """Whether it tells items apart."""
        return any(index is not None for _, index in self.sequences)

    def matches(self, address: Address) -> bool:
        field = address.field
        if field.path != tuple(tag for tag, _ in self.sequences) or not self.leaf.matches(address):
            return False
        if not self.uses_indices:
            return True
        pairs = zip(self.sequences, field.indices, strict=False)
        return len(field.indices) == len(self.sequences) and all(want in (None, have) for (_, want), have in pairs)


@dataclass(frozen=True, slots=True)
class Search:
    """`startswith: endswith: contains: except:`: a regular expression, in any case, over the address's spellings."""

    pattern: re.Pattern[str]
    negated: bool = False
    by_line: re.Pattern[str] | None = None
    """The same over all spellings at once, a line each; where the expression allows it, it is found in these first."""
    key: None = None

    @property
    def names_private(self) -> bool:
        return not self.negated and '"' in self.pattern.pattern

    def matches(self, address: Address) -> bool:
        if self.by_line is not None and self.by_line.search(address.lines) is None:
            return self.negated
        return any(map(self.pattern.search, address.spellings)) is not self.negated


@dataclass(frozen=True, slots=True)
class SelectVR:
    """`select:VR:DA`."""

    vr: str
    key: None = None
    names_private: bool = False

    def matches(self, address: Address) -> bool:
        return address.field.vr == self.vr


@dataclass(frozen=True, slots=True)
class SelectGroup:
    """`select:group:0010`."""

    group: int
    key: None = None

    @property
    def names_private(self) -> bool:
        return bool(self.group & 1)

    def matches(self, address: Address) -> bool:
        return address.field.tag >> 16 == self.group


@dataclass(frozen=True, slots=True)
class SelectPrivate:
    """`select:private:yes`: sendit's own; every private element and creator, or with `no` every other one."""

    private: bool
    key: None = None
    names_private: bool = False

    def matches(self, address: Address) -> bool:
        return is_private(address.field.tag) is self.private


@dataclass(frozen=True, slots=True)
class SelectRetired:
    """`select:retired:yes`: sendit's own; the attributes that PS3.6 has retired, or with `no` every other one."""

    retired: bool
    key: None = None
    names_private: bool = False

    def matches(self, address: Address) -> bool:
        return _is_retired(address.field.tag) is self.retired


@dataclass(frozen=True, slots=True)
class SelectUnknown:
    """`select:unknown:yes`: sendit's own; public elements that PS3.6 does not have, or with `no` every other one."""

    unknown: bool
    key: None = None
    names_private: bool = False

    def matches(self, address: Address) -> bool:
        tag = address.field.tag
        return (not is_private(tag) and not keyword_of(tag)) is self.unknown


@dataclass(frozen=True, slots=True)
class OfType:
    """`type:1|1C:PatientID`: sendit's own; the attribute where its IOD has it with one of these Types (PS3.3)."""

    types: frozenset[str]
    leaf: Keyword | Tag
    names_private: bool = False

    @property
    def key(self) -> Hashable:
        return self.leaf.key

    def matches(self, address: Address) -> bool:
        field = address.field
        return self.leaf.matches(address) and types().type_of(field.sop_class_uid, field.path, field.tag) in self.types


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`fields:NAME`: what any selector of the list matches."""

    selectors: tuple[Selector, ...]
    key: None = None

    @property
    def names_private(self) -> bool:
        return any(selector.names_private for selector in self.selectors)

    def matches(self, address: Address) -> bool:
        return any(selector.matches(address) for selector in self.selectors)


# ---------------------------------------------------------------------------------------------- the tags of a name


@cache
def _repeating() -> dict[str, tuple[int, ...]]:
    return {entry[4]: _groups_of(mask) for mask, entry in RepeatersDictionary.items() if entry[4]}


def _groups_of(mask: str) -> tuple[int, ...]:
    if mask[2:4] != "xx":
        return ()
    return tuple(int(f"{mask[:2]}{low:02X}{mask[4:]}", 16) for low in range(0, 0x20, 2))


def tags_of(leaf: Leaf) -> tuple[int, ...]:
    """The tags that a name stands for: one, or those of a repeating group; none for a private form."""
    match leaf:
        case Tag(tag):
            return (tag,)
        case Keyword(keyword):
            known = tag_for_keyword(keyword)
            return (known,) if known is not None else _repeating().get(keyword, ())
        case ElementName(name):
            return tuple(tag for tag, entry in DicomDictionary.items() if entry[2].lower() == name.lower())
        case PrivateTag():
            return ()


def only_tag(leaf: Leaf) -> int | None:
    """The one tag that a name stands for, or None."""
    tags = tags_of(leaf)
    return tags[0] if len(tags) == 1 else None


def _is_retired(tag: int) -> bool:
    try:
        return not is_private(tag) and dictionary_is_retired(tag)
    except KeyError:
        return False
