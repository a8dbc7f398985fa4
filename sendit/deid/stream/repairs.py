"""What is repaired in a header, by kind: what the report, `preview` and an account call it. Repairs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RepairKind(StrEnum):
    """How an element was not readable as it stood, or not what it should be."""

    VR = "VR"
    """Its VR was none, or missing: the one that PS3.6 gives it is written."""
    UNKNOWN = "UNKNOWN"
    """Its VR was none, and PS3.6 allows several or knows none: it goes."""
    SEQUENCE = "SEQUENCE"
    """A sequence stood where none belongs, or the reverse: it is emptied."""
    ITEMS = "ITEMS"
    """The items were in another encoding than the sequence's VR says."""
    CREATOR = "CREATOR"
    """No Private Creator stood in the place of one: it goes."""
    DELIMITER = "DELIMITER"
    """A delimiter had a length."""
    PADDING = "PADDING"
    """Zeros stood behind the last element."""
    META = "META"
    """An element of a command or of the File Meta Information stood in the dataset."""
    INSTANCE = "INSTANCE"
    """SOP Instance UID was only in the File Meta Information."""
    CHARSET = "CHARSET"
    """Specific Character Set had a wrong name that everybody understands."""


@dataclass(frozen=True, slots=True)
class Repair:
    """One element that was written as it should be, emptied, or taken away; `path` is that of its dataset."""

    path: tuple[int, ...]
    tag: int
    kind: RepairKind
