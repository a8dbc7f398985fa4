"""Where studies are fetched from: what a run over a cohort needs of a PACS, by whatever protocol it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, repr=False)
class Match:
    """A study that a query has found; `images` is what (0020,1208) says, or was counted."""

    study: str
    images: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """How many images of a study came in the end, and how many failed."""

    completed: int
    failed: int


class Source(Protocol):
    """A PACS. Both methods raise ServiceDown if it does not answer, ServiceRefused if it refuses."""

    def find(self, keys: dict[str, str]) -> list[Match]:
        """Return the studies that match; keys are values by keyword."""
        ...

    def bring(self, study: str) -> Transfer:
        """Bring a study, by its Study Instance UID, to our listener."""
        ...
