"""What became of every file of a batch: delivered, filtered by a rule, or an error with its code. Nothing else.

Numbers, not names: a file is its place in the folder's sorted listing, from 1. The ledger cannot be closed while a
file has no outcome, which is how `found = delivered + filtered + errored` holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sendit.errors import BrokenPromise, SenditError
from sendit.pipeline.models import Image, Outcome


@dataclass(frozen=True, slots=True)
class Mark:
    """One file's outcome; the fields are those of `Image`."""

    outcome: Outcome
    stage: str
    fields: dict[str, Any]


class Ledger:
    """The account of `found` files."""

    def __init__(self, found: int) -> None:
        self.found = found
        self._marks: dict[int, Mark] = {}

    def deliver(self, number: int, **member: Any) -> None:
        """The file's image is in the archive."""
        self._mark(number, Mark(Outcome.DELIVERED, "", member))

    def filter(self, number: int, rule: str) -> None:
        """A rule withholds the file."""
        self._mark(number, Mark(Outcome.FILTERED, "", {"rule": rule[:255]}))

    def fail(self, number: int, error: SenditError, stage: str) -> None:
        """The file is an error."""
        self._mark(number, Mark(Outcome.ERROR, stage, {"code": error.code, "tag": tag_text(error.tag)}))

    def fail_rest(self, error: SenditError, stage: str) -> None:
        """Nothing is delivered: what was to be, and what has no outcome yet, shares the batch's error."""
        for number in range(1, self.found + 1):
            if self.is_open(number) or self._marks[number].outcome is Outcome.DELIVERED:
                self._marks.pop(number, None)
                self.fail(number, error, stage)

    def is_open(self, number: int) -> bool:
        """Whether the file has no outcome yet."""
        return number not in self._marks

    def count(self, outcome: Outcome) -> int:
        """How many files have the outcome."""
        return sum(mark.outcome is outcome for mark in self._marks.values())

    def counts(self) -> dict[str, int]:
        """The batch's four numbers."""
        if len(self._marks) != self.found:
            raise BrokenPromise("Unaccounted", count=self.found - len(self._marks))
        return {
            "found": self.found,
            "delivered": self.count(Outcome.DELIVERED),
            "filtered": self.count(Outcome.FILTERED),
            "errored": self.count(Outcome.ERROR),
        }

    def errors(self) -> list[dict[str, Any]]:
        """The batch's errors, alike ones counted together."""
        alike = Counter((mark.fields["code"], mark.fields["tag"], mark.stage) for mark in self._failed())
        return [
            {"code": code, "tag": tag, "count": count, "stage": stage} for (code, tag, stage), count in alike.items()
        ]

    def rules(self) -> dict[str, int]:
        """How many files each rule withholds."""
        return Counter(mark.fields["rule"] for mark in self._marks.values() if mark.outcome is Outcome.FILTERED)

    def images(self, batch: int) -> Iterator[Image]:
        """The rows, in order of the numbers."""
        for number, mark in sorted(self._marks.items()):
            yield Image(batch_id=batch, number=number, outcome=mark.outcome, **mark.fields)

    def _failed(self) -> Iterator[Mark]:
        return (mark for _, mark in sorted(self._marks.items()) if mark.outcome is Outcome.ERROR)

    def _mark(self, number: int, mark: Mark) -> None:
        if not 1 <= number <= self.found or number in self._marks:
            raise BrokenPromise("Unaccounted", count=1)
        self._marks[number] = mark


def tag_text(tag: int | None) -> str:
    """`0010,0020`, or nothing."""
    return "" if tag is None else f"{tag >> 16:04X},{tag & 0xFFFF:04X}"
