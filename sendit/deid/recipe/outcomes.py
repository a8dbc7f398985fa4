"""What becomes of an attribute, as `explain` tells it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TreatmentKind(StrEnum):
    """What becomes of an attribute, in the order in which it is told."""

    PSEUDONYM = "becomes a pseudonym"
    UID = "becomes a UID that stands for it"
    SHIFTED = "is shifted by days"
    CLEANED = "is cleaned of what identifies"
    CAPPED = "stays up to a limit"
    KEPT = "stays as it is"
    EMPTIED = "is emptied"
    FIXED = "gets a fixed value"
    REMOVED = "is removed"
    CONDITIONAL = "depends on its value"
    WRITTEN_ANEW = "is dealt with by sendit itself"


@dataclass(frozen=True, slots=True)
class Treatment:
    """One fate, and in words what exactly."""

    fate: TreatmentKind
    words: str
