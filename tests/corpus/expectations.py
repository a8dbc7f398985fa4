"""What is expected of every element that nothing was planted in, under the research recipe.

Read off the table (PS3.15 E.1-1) and PS3.6 alone: what identifies goes, what is technical stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from pydicom import Dataset
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataelem import DataElement

from sendit.deid import load_recipe
from sendit.deid.pseudonyms import WELL_KNOWN_UIDS
from sendit.deid.recipe.profile import Profile
from sendit.deid.standard.profile_table import ProfileRow, table
from tests.corpus.checks import Category, Check, Path, changed, removed, retained, same, shifted, text_of, there

PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010, 0x00281201, 0x00281202, 0x00281203})
WRITTEN_ANEW = frozenset({0x00120062, 0x00120063, 0x00120064, 0x00280303})
CLASSES = frozenset({0x00080016, 0x0008001A, 0x0008001B, 0x00081150, 0x0008115A, 0x0008010C, 0x00080117})
"""UI attributes whose values name a class or a vocabulary."""
TEXTS = frozenset({"LT", "ST", "UT", "UR", "PN", "AE"})
"""VRs of which nothing is expected that the table does not say: they are cleaned or emptied."""
DESCRIBING = ("Description", "Comment", "Comments", "Explanation", "Label", "Notes", "ProtocolName")
"""Ends of the keywords of short texts that people write: of them the words stay, but for what may name a place."""
OF_THE_DEVICE = ("DateOfLastCalibration",)
"""Of the dates that are planted, those that all patients share: shifted, they would tell the shifts."""
REACHES = ("Telephone", "Telecom", "Address", "AlternativeCalendar")


def expectations(before: Dataset, planted: set[Path], days: int, path: Path = ()) -> Iterator[Check]:
    """The checks of a dataset's elements, those of its items behind them."""
    for element in before:
        where = (*path, int(element.tag))
        if where in planted or element.tag.group in (2, 0xFFFC) or element.tag in WRITTEN_ANEW:
            continue
        if element.tag.is_private:
            continue
        yield from _of(element, where, days)
        if element.VR == "SQ" and _stays(element):
            for number, item in enumerate(element.value):
                yield from expectations(item, planted, days, (*where, number))


def _of(element: DataElement, where: Path, days: int) -> Iterator[Check]:
    tag, text = int(element.tag), text_of(element)
    code, dates = _code(tag), element.VR in ("DA", "DT")
    if tag in PIXELS:
        yield Check(Category.PIXELS_UNCHANGED, where, "the same", lambda e: e is not None and e.value == element.value)
    elif element.VR == "SQ":
        if _stays(element):
            yield there(where)
    elif not text:
        return
    elif element.VR == "UI":
        original = set(text.split("\\"))
        if tag in CLASSES or original <= WELL_KNOWN_UIDS:
            yield same(where, element)
        elif code != "X":
            yield changed(where, text)
    elif _is_nobodys(tag):
        yield removed(where, text)
    elif DicomDictionary[tag][4] in OF_THE_DEVICE:
        yield removed(where, *text.split("\\"))
    elif dates and code in ("", "C", "K"):
        yield there(where)
        yield shifted(where, element, days)
    elif code == "K" or (code in ("", "C") and element.VR == "TM"):
        yield there(where)
        yield same(where, element)
    elif code and code != "C":
        yield removed(where, text)
    elif not code and DicomDictionary[tag][4].endswith(DESCRIBING):
        yield there(where)
        yield from (retained(where, word) for word in re.findall(r"\b[a-z]+\b", text))
    elif not code and element.VR not in TEXTS:
        yield there(where)
        yield same(where, element)


def _stays(element: DataElement) -> bool:
    """Whether a sequence is neither of the table nor of what goes as a whole."""
    tag = int(element.tag)
    return _code(tag) in ("", "X/Z/U*", "K") and not _is_nobodys(tag)


@cache
def _is_nobodys(tag: int) -> bool:
    """Whether PS3.6 has no such attribute any more, or it is a way to reach a person."""
    entry = DicomDictionary.get(tag)
    repeating = tag >> 24 in (0x50, 0x60)
    return entry is None or repeating or (not _code(tag) and (bool(entry[3]) or any(w in entry[4] for w in REACHES)))


@cache
def _code(tag: int) -> str:
    """The table's code under the research recipe's Options; empty where the table does not have the attribute."""
    row = _rows().get(tag)
    return _research().ruling(row).code if row else ""


@cache
def _research() -> Profile:
    profile = load_recipe("research").profile
    assert profile is not None
    return profile


@cache
def _rows() -> dict[int, ProfileRow]:
    return {row.number: row for row in table().rows if row.is_one_attribute}
