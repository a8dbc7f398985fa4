"""Structured content (PS3.3 10.2, C.17.3): what in a sequence is the value of a content item. Knows tags, no bytes."""

from __future__ import annotations

REMOVED = "REMOVED"
"""What stands where a value is required and none may stay."""

CODES = frozenset({0x00080100, 0x00080102, 0x00080119, 0x00080120})
"""Code Value, Coding Scheme Designator, Long Code Value, URN Code Value: no text, so only identifiers are taken out."""

DUMMIES = {
    0x00080100: REMOVED,
    0x00080102: REMOVED,
    0x00080104: REMOVED,
    0x00080119: REMOVED,
    0x00080120: "urn:removed",
    0x0040A032: "19000101000000",
    0x0040A033: "19000101000000",
    0x0040A120: "19000101000000",
    0x0040A121: "19000101",
    0x0040A122: "000000",
    0x0040A123: REMOVED,
    0x0040A13A: "19000101000000",
    0x0040A160: REMOVED,
}
"""The values of content items and codes that may be required (Type 1, 1C), and what stands for one that goes: a code
and its meaning, the observation's DateTimes, DateTime, Date, Time, Person Name, Referenced DateTime and Text Value."""

CONTENT_TEXTS = CODES | {0x00080104, 0x0040A123, 0x0040A160}
"""Codes, Code Meaning, Person Name and Text Value: a CLEAN of a sequence speaks of them as if it named them."""
