"""How far quasi-identifiers single patients out: cells of patients who are alike in all of them, and their sizes.

k is the number of patients in the smallest cell. A patient counts in every cell in which one of the images is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """What patients have in common, and how many they are."""

    values: Values
    patients: int


@dataclass(frozen=True)
class Risk:
    """The cells of some rows."""

    members: dict[Values, set[str]]
    """The patients' pseudonyms by what they have in common."""

    @cached_property
    def cells(self) -> list[Cell]:
        """Return the cells, the smallest first."""
        found = (Cell(values, len(patients)) for values, patients in self.members.items())
        return sorted(found, key=lambda cell: (cell.patients, cell.values))

    @property
    def k(self) -> int:
        """Return how many patients the smallest cell has; 0 where nobody is in any."""
        return self.cells[0].patients if self.cells else 0

    @property
    def patients(self) -> int:
        return len(set().union(*self.members.values()))

    def patients_below(self, size: int) -> int:
        """Return how many patients are in a cell that is smaller than that."""
        return len(set().union(*(found for found in self.members.values() if len(found) < size)))

    @property
    def unique(self) -> int:
        """Return how many patients are alone in a cell."""
        return self.patients_below(2)

    def without(self, place: int) -> Risk:
        """Return the risk if the values at a place were not there."""
        return measure(
            (patient, values[:place] + values[place + 1 :])
            for values, patients in self.members.items()
            for patient in patients
        )


def measure(rows: Iterable[tuple[str, Values]]) -> Risk:
    """Put patients into cells by what each row says of one."""
    members: defaultdict[Values, set[str]] = defaultdict(set)
    for patient, values in rows:
        members[values].add(patient)
    return Risk(dict(members))
