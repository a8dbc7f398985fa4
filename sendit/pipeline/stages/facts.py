"""What the header of one image says of it, and what the filters or a reviewer say of the header."""

from __future__ import annotations

from dataclasses import dataclass

from sendit.deid.recipe.screen import Verdict


@dataclass(frozen=True, slots=True, repr=False)
class SeriesFacts:
    """What an image says of its patient, its study and its series; most of a study's images say the same."""

    entity_id: str
    item_id: str
    study_instance_uid: str
    series_instance_uid: str
    series_number: int
    birth_date: str
    dates: tuple[str, ...]
    name_parts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, repr=False)
class Facts:
    """What one readable image says."""

    number: int
    verdict: Verdict
    sop_instance_uid: str
    instance_number: int
    series: SeriesFacts
    window_crc32c: int | None
    """Of the bytes in which all of the header stands; None where it is longer than a window."""
    is_decided: bool = False
    """Whether the verdict is a reviewer's."""

    @property
    def passed(self) -> bool:
        """Whether no filter withholds it."""
        return self.verdict.passed

    @property
    def order(self) -> tuple[int, int, int]:
        """Its place in the archive."""
        return self.series.series_number, self.instance_number, self.number
