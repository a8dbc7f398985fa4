"""What a tag says by itself: marks of items, pixel data, private blocks, and the VR that PS3.6 gives it."""

from __future__ import annotations

from functools import lru_cache

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom.datadict import mask_match

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
"""Item, Item Delimitation Item and Sequence Delimitation Item (PS3.5 7.5)."""
MARKS_GROUP = 0xFFFE
"""The group of those three, which have neither a VR nor a short form, whatever the encoding."""
PIXEL_DATA = 0x7FE00010
PIXEL_DATA_TAGS = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA})
CLASS_UID_TAGS = frozenset(
    {0x00080016, 0x0008001A, 0x0008001B, 0x00081150, 0x0008115A, 0x0008010C, 0x00080117, 0x00020010}
)
"""UI attributes whose values name a class, a syntax or a vocabulary, never an instance: UID functions leave them."""
TRAILING_PADDING = 0xFFFCFFFC
_REPEATING = frozenset(
    int(mask[:4].replace("xx", f"{last:02X}"), 16) for mask in RepeatersDictionary for last in range(0x100)
)
"""The groups that repeat or have elements that do: only there are pydicom's masks tried, which takes long."""


def dictionary_entry(tag: int) -> tuple[str, str, str, str, str] | None:
    """What PS3.6 says of a tag: VR, VM, name, whether it is retired, keyword; None where it says nothing."""
    found = DicomDictionary.get(tag)
    if found is None and tag >> 16 in _REPEATING and not is_private(tag):
        mask = mask_match(tag)
        return RepeatersDictionary[mask] if mask else None
    return found


def is_private(tag: int) -> bool:
    """Whether the tag's group is odd (PS3.5 7.8)."""
    return bool(tag >> 16 & 1)


def creator_of(tag: int) -> int:
    """The tag of the Private Creator of a private element's block (PS3.5 7.8.1); 0 for an element of none."""
    return tag & 0xFFFF0000 | tag >> 8 & 0xFF if tag >> 16 & 1 and tag & 0xFF00 else 0


@lru_cache(maxsize=65536)
def known_vrs(tag: int) -> tuple[str, ...]:
    """The VRs that PS3.6 allows for a tag, such as ("US", "SS"); LO for a Private Creator; none for an unknown tag."""
    entry = dictionary_entry(tag)
    if entry is not None:
        return tuple(entry[0].split(" or "))
    return ("LO",) if is_private(tag) and 0x10 <= tag & 0xFFFF <= 0xFF else ()


def default_vr(tag: int) -> str:
    """The VR of an element that no file has written: the first that PS3.6 allows, UN for an unknown tag."""
    allowed = known_vrs(tag)
    return allowed[0] if allowed else "UN"


@lru_cache(maxsize=65536)
def effective_vr(tag: int, written: str) -> str:
    """The VR that rules and values go by: the written one ("" if implicit) if PS3.6 allows it, else PS3.6's."""
    allowed = known_vrs(tag)
    if not allowed:
        return written or "UN"
    if written in allowed or (is_private(tag) and written not in ("", "UN")):
        return written
    return "OW" if allowed == ("OB", "OW") else allowed[0]
