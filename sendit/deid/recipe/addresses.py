"""The address of a data element: what rules match against, and the spellings that a FIELD may use for it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from pydicom.datadict import private_dictionary_description

from sendit.deid.stream.tags import dictionary_entry, is_private


@dataclass(frozen=True, slots=True)
class Field:
    """The address of one element, what rules match against.

    Parameters
    ----------
    path : tuple of int
        Tags of the enclosing sequences, outermost first.
    tag : int
        The Data Element Tag as 0xGGGGEEEE.
    vr : str
        The Value Representation the element is read with.
    private_creator : str, optional
        The Private Creator, for a private element (of the element itself, not of its enclosing sequences).
    indices : tuple of int
        Item numbers along `path`, from 0; filled only where `Recipe.uses_indices`.
    file_meta : bool
        Whether the element belongs to the File Meta Information.
    sop_class_uid : str
        What the file is, where its attributes' Types are known.
    """

    path: tuple[int, ...]
    tag: int
    vr: str
    private_creator: str | None = None
    indices: tuple[int, ...] = ()
    file_meta: bool = False
    sop_class_uid: str = ""


class Address:
    """An element's address in all the spellings that a FIELD may use."""

    __slots__ = (
        "element_name",
        "field",
        "keyword",
        "keyword_path",
        "lines",
        "private_forms",
        "spellings",
        "stripped_tag",
        "tag_text",
    )

    def __init__(self, field: Field) -> None:
        self.field = field
        self.keyword = keyword_of(field.tag)
        self.keyword_path = "__".join((*map(keyword_of, field.path), self.keyword))
        self.stripped_tag = f"{field.tag:08X}"
        self.tag_text = f"({self.stripped_tag[:4]},{self.stripped_tag[4:]})"
        self.element_name = element_name(field.tag, field.private_creator)
        self.private_forms: tuple[str, ...] = ()
        if is_private(field.tag) and field.private_creator is not None:
            bare = f'{field.tag >> 16:04X},"{field.private_creator}",{field.tag & 0xFF:02X}'
            self.private_forms = (bare, f"({bare})")
        every = (self.keyword_path, self.tag_text, self.stripped_tag, self.element_name, self.keyword)
        self.spellings = tuple(dict.fromkeys(every + self.private_forms))
        """What an expander's regular expression is searched in, one after the other."""
        self.lines = "\n".join(self.spellings)

    def keys(self) -> Iterator[Hashable]:
        """What an exact Selector's `key` may be, for one that matches this address."""
        yield self.field.tag
        yield self.keyword.lower()
        yield f"name:{self.element_name.lower()}"
        yield (self.field.tag >> 16, self.field.tag & 0xFF)


@lru_cache(maxsize=65536)
def keyword_of(tag: int) -> str:
    """The keyword of a tag, with repeating groups; "" where it has none."""
    entry = dictionary_entry(tag)
    return "" if entry is None else entry[4]


def element_name(tag: int, creator: str | None) -> str:
    """The element's name: PS3.6's, or for a private element what pydicom prints."""
    if is_private(tag):
        return _private_name(tag, creator)
    entry = dictionary_entry(tag)
    if entry is not None:
        return entry[2]
    return "Group Length" if tag & 0xFFFF == 0 else ""


def _private_name(tag: int, creator: str | None) -> str:
    if not creator:
        return "Private Creator" if tag & 0xFF00 == 0 else "Private tag data"
    try:
        return f"[{private_dictionary_description(tag, creator)}]"
    except KeyError:
        return "Private tag data"
