"""Structured content (PS3.3 10.2, C.17.3): what a content item says, by its concept; which elements hold its value.

Knows tags and codes; decides what a value comes to only where its concept identifies whatever it is.
"""

from __future__ import annotations

from enum import StrEnum

from sendit.deid.stream.elements import elements, items
from sendit.deid.stream.encodings import Encoding, encoding_inside
from sendit.deid.stream.heads import FLAT
from sendit.errors import DataFault

REMOVED = "REMOVED"
"""What stands where a value is required and none may stay."""

CODE_VALUE, SCHEME, MEANING, LONG_CODE, URN_CODE = 0x00080100, 0x00080102, 0x00080104, 0x00080119, 0x00080120
CODES = frozenset({CODE_VALUE, SCHEME, LONG_CODE, URN_CODE})
"""Code Value, Coding Scheme Designator, Long Code Value, URN Code Value: no text, so only identifiers are taken out."""

CONCEPT_NAME, UNITS, MEASURED_VALUE = 0x0040A043, 0x004008EA, 0x0040A300
"""Concept Name Code, Measurement Units Code and Measured Value Sequence."""
DATETIME, DATE, TIME, PERSON_NAME, UID, REFERENCED_DATETIME, TEXT = (
    0x0040A120, 0x0040A121, 0x0040A122, 0x0040A123, 0x0040A124, 0x0040A13A, 0x0040A160,
)  # fmt: skip
NUMERIC, OTHER_NUMBERS = 0x0040A30A, frozenset({0x0040A161, 0x0040A162, 0x0040A163})
"""Numeric Value; what may say it again: Floating Point Value, Rational Numerator and Denominator Value."""

DUMMIES = {
    **dict.fromkeys((CODE_VALUE, SCHEME, MEANING, LONG_CODE, PERSON_NAME, TEXT), REMOVED),
    **dict.fromkeys((0x0040A032, 0x0040A033, DATETIME, REFERENCED_DATETIME), "19000101000000"),
    URN_CODE: "urn:removed",
    DATE: "19000101",
    TIME: "000000",
}
"""The values of content items and codes that may be required (Type 1, 1C), and what stands for one that goes;
(0040,A032) and (0040,A033) are the DateTimes of the observation."""

CONTENT_TEXTS = CODES | {MEANING, PERSON_NAME, TEXT}
"""Codes, Code Meaning, Person Name and Text Value: a CLEAN of a sequence speaks of them as if it named them."""


class Concept(StrEnum):
    """What the name of a content item says of its value, where that alone decides."""

    IDENTITY = "IDENTITY"
    """A name, a number or a place of a person, an organization or a device."""
    BIRTH = "BIRTH"
    AGE = "AGE"
    AGE_IN_YEARS = "AGE_IN_YEARS"


_IDENTITIES = (
    "121008", "121009", "121013", "121016", "121017", "121022", "121029", "121030", "121040", "121041",
    "121043", "111700", "111705", "111706", "111724", "110119", "110122", "110182", "110190", "113516",
    "113870", "113871", "113872", "113873", "113877", "113880", "121000", "121114", "121148", "121193",
    "121196", "128674", "128774", "128775", "121020", "121021", "121081", "121121", "121149", "121197",
    "121434", "121435", "122143", "125010", "128739", "130231", "113511", "113512", "113513", "113514",
)  # fmt: skip
"""PS3.16 Annex D: Person Observer Name, its Organization, Device Observer Name, Serial Number and Physical
Location; Accession, Placer and Filler Number; Subject Name and ID; accession numbers and identifiers of
specimens, slides and containers, with their issuers; Station AE Title, Login, Node ID; Prescription Identifier;
Person Name and ID with issuer, Organization Name; Device Name and Serial Number; Unique Device Identifiers,
Performing Physician, Unit Serial Identifier, Device Subject Name, Serial Number and Physical Location; Lead
Radiologic Technologist; Person Observer's Login Name and Identifier; Physician, Room identification, Lot
Identifier, Service Delivery Location and Performer, Acquisition Device ID, Identifier, UDI, Barcode Value;
identifiers of a radiopharmaceutical's unit, lot and vials."""
_AGES = ("111518", "111519", "111520", "111521", "111522", "111523", "111524", "111525", "111538", "121033")
"""Subject Age, and the ages at which something happened."""

CONCEPTS = {
    **{("DCM", code): Concept.IDENTITY for code in _IDENTITIES},
    **{("DCM", code): Concept.AGE for code in _AGES},
    ("DCM", "121031"): Concept.BIRTH,
}

IDENTIFYING_VALUES = {
    Concept.IDENTITY: frozenset({TEXT, PERSON_NAME}),
    Concept.BIRTH: frozenset({TEXT, DATE, DATETIME}),
}
"""The values that a concept leaves nothing of."""


def concept_of(buf: bytes, begin: int, end: int, encoding: Encoding) -> Concept | None:
    """The concept of the content item whose elements begin at `begin`, if it decides; None where it cannot be read."""
    code = _code(buf, begin, end, encoding, CONCEPT_NAME)
    return CONCEPTS.get(code) if code else None


def is_in_years(buf: bytes, begin: int, end: int, encoding: Encoding) -> bool:
    """Whether a measured value, whose elements begin at `begin`, is in years."""
    return _code(buf, begin, end, encoding, UNITS) == ("UCUM", "a")


def _code(buf: bytes, begin: int, end: int, encoding: Encoding, sequence: int) -> tuple[str, str] | None:
    """Scheme and value of the code in the first item of a sequence, which comes before what it decides of."""
    try:
        for tag, vr, written, _, start, after, _ in elements(buf, begin, end, FLAT[encoding]):
            if tag == sequence and vr == "SQ":
                return _first_code(buf, start, after, encoding_inside(written, encoding))
            if tag > sequence:
                break
    except DataFault:
        pass  # the walk will say what is wrong
    return None


def _first_code(buf: bytes, begin: int, end: int, encoding: Encoding) -> tuple[str, str] | None:
    found: dict[int, str] = {}
    for start, stop in items(buf, begin, end, encoding, 1):
        for tag, _, _, _, at, after, _ in elements(buf, start, stop, FLAT[encoding]):
            if tag in (CODE_VALUE, SCHEME):
                found[tag] = buf[at:after].decode("latin-1").strip(" \0")
        return found.get(SCHEME, ""), found.get(CODE_VALUE, "")
    return None
