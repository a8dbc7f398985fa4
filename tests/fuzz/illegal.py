"""Files whose values are not what their attributes hold: names, addresses and days that no header announces, by number.

No residual scan knows these, so that only the form of a VR and the look of a text can keep them from leaving.
"""

from __future__ import annotations

import random
from collections import defaultdict
from functools import cache

from pydicom._dicom_dict import DicomDictionary

from sendit.deid import Deidentifier, Pseudonyms
from sendit.deid.recipe.recipe import Recipe, load_recipe, parse_recipe
from sendit.deid.rewriting.study import READ_BY_MACHINES
from sendit.deid.standard.content import CODES
from sendit.deid.standard.enumerated_values import enumerated_values
from sendit.errors import DataFault
from tests.fuzz.outcomes import VARIABLES, Wrong, watchdog
from tests.support.streams import BIG, EXPLICIT, IMPLICIT, Syntax, even, part10

NAMES = (b"Patient: Kowalczyk", b"JOHNSON MARY", b"Dr. Brzoza", b"scanned by Wrobel")
WAYS = (b"mary@clinic.example", b"tel. 555-867-5309", b"+48 22 555 01 99")
DAYS = (b"17 June 2011", b"2011-06-17", b"17-JUN-2011", b"17.06.2011", b"20110617", b"06/17/2011")
MARKS = (b"kowalczyk", b"johnson", b"brzoza", b"wrobel", b"clinic.example", b"867-5309", b"555 01 99")
DAY_MARKS = (b"17 june 2011", b"2011-06-17", b"17-jun-2011", b"17.06.2011", b"20110617", b"06/17/2011")
CLOSED_VRS = ("TM", "DS", "IS", "AS", "DA", "DT", "UI")
"""VRs of which no value is a text, whatever the recipe."""
SHORT_TEXTS = ("CS", "LO", "SH", "UC")
SEQUENCES = (0x00081140, 0x00400275, 0x00089215, 0x52009229, 0x00280000 | 0x3010)
KEEPERS = ("", "KEEP ALL", "KEEP select:group:0008", "REMOVE values:none\n%values none\nFIELD OtherPatientIDs")


@cache
def _attributes() -> dict[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for tag, (vr, _, _, retired, _) in DicomDictionary.items():
        if not retired and 0x0008 <= tag >> 16 < 0x7FE0 and tag != 0x00080005:
            found[vr].append(tag)
    return found


@cache
def _recipes() -> dict[str, Recipe]:
    keepers = {rules or "no rules": parse_recipe(f"FORMAT dicom\n%header\n{rules}") for rules in KEEPERS}
    return keepers | {name: load_recipe(name) for name in ("research", "basic")}


def _text(chance: random.Random, *, dated: bool) -> bytes:
    """One of what may not leave, alone or among other words, values and padding.

    Names are announced or common ones: a rare one alone in a model's name is what nobody can tell.
    """
    planted = chance.choice(NAMES + WAYS + DAYS if dated else NAMES + WAYS)
    shape = chance.choice((b"%b", b"%b ", b"%b\0", b"12\\%b", b"%b\\AXIAL", b"101010 %b", b"%b 101010", b"Flash, %b"))
    return shape % planted


def _tags(chance: random.Random, vrs: tuple[str, ...]) -> list[tuple[str, int]]:
    return [(vr, chance.choice(_attributes()[vr])) for vr in vrs for _ in range(3)]


def _elements(chance: random.Random, syntax: Syntax, vrs: tuple[str, ...]) -> bytes:
    """Elements with such values, some written with another VR than PS3.6 has."""
    wanted = {tag: vr for vr, tag in _tags(chance, vrs) if tag not in READ_BY_MACHINES | CODES}
    out = b""
    for tag, vr in sorted(wanted.items()):
        written = chance.choice((vr, vr, vr, "UN", "LO", "OB") if vr in CLOSED_VRS else (vr, vr, "UN"))
        out += syntax.element(
            tag, written, even(_text(chance, dated=vr in ("TM", *SHORT_TEXTS)))
        )  # a day may be a number
    return out


def illegal(number: int) -> tuple[str, bytes]:
    """The recipe and the file of that number."""
    chance = random.Random(f"illegal {number}")
    name, syntax = chance.choice(list(_recipes())), chance.choice((EXPLICIT, IMPLICIT, BIG))
    profiled = name in ("research", "basic")
    vrs = CLOSED_VRS + SHORT_TEXTS if profiled else CLOSED_VRS
    content = _elements(chance, syntax, vrs)
    for sequence in chance.sample(SEQUENCES, chance.randrange(4)):
        content = syntax.sequence(sequence, [content], delimited=chance.random() < 0.5)
    sex = chance.choice(list(enumerated_values()))
    if profiled and not content.startswith(syntax.element(sex, "CS")[:4]) and chance.random() < 0.3:
        content = syntax.element(sex, "CS", even(_text(chance, dated=True)))
    return name, part10(content, syntax)


def examine(number: int) -> str:
    """The outcome of de-identifying it."""
    name, data = illegal(number)
    one = Deidentifier(_recipes()[name], Pseudonyms(b"a key of the fuzzer"), VARIABLES)
    try:
        with watchdog():
            out = one.deidentify(data).tobytes().lower()
    except DataFault as fault:
        return fault.code
    left = [mark for mark in (*MARKS, *DAY_MARKS) if mark in out]
    if left:
        raise Wrong(f"{name}: {left[0].decode()} has left")
    return "image"
