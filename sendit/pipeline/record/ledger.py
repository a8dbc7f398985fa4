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
from sendit.pipeline.record.member import Member
from sendit.pipeline.record.models import Outcome


@dataclass(frozen=True, slots=True)
class Mark:
    """One file's outcome: its place in the archive, or why it has none. There may be tens of thousands."""

    outcome: Outcome
    member: Member | None = None
    rule: str = ""
    code: str = ""
    tag: str = ""
    stage: str = ""


class Ledger:
    """The account of `found` files."""

    def __init__(self, found: int) -> None:
        self.found = found
        self._marks: dict[int, Mark] = {}

    def deliver(self, number: int, member: Member) -> None:
        """The file's image is in the archive."""
        self._mark(number, Mark(Outcome.DELIVERED, member))

    def filter(self, number: int, rule: str) -> None:
        """A rule withholds the file."""
        self._mark(number, Mark(Outcome.FILTERED, rule=rule[:255]))

    def fail(self, number: int, error: SenditError, stage: str) -> None:
        """The file is an error."""
        self._mark(number, Mark(Outcome.ERROR, code=error.code, tag=tag_text(error.tag), stage=stage))

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
        alike = Counter((mark.code, mark.tag, mark.stage) for mark in self._failed())
        return [
            {"code": code, "tag": tag, "count": count, "stage": stage} for (code, tag, stage), count in alike.items()
        ]

    def rules(self) -> dict[str, int]:
        """How many files each rule withholds."""
        return Counter(mark.rule for mark in self._marks.values() if mark.outcome is Outcome.FILTERED)

    def images(self) -> Iterator[dict[str, Any]]:
        """The rows of Image, but for their batch, in order of the numbers."""
        for number in sorted(self._marks):
            yield _image(number, self._marks[number])

    def _failed(self) -> Iterator[Mark]:
        return (self._marks[number] for number in sorted(self._marks) if self._marks[number].outcome is Outcome.ERROR)

    def _mark(self, number: int, mark: Mark) -> None:
        if not 1 <= number <= self.found or number in self._marks:
            raise BrokenPromise("Unaccounted", count=1)
        self._marks[number] = mark


def _image(number: int, mark: Mark) -> dict[str, Any]:
    member = mark.member
    return {
        "number": number,
        "outcome": mark.outcome,
        "rule": mark.rule,
        "code": mark.code,
        "tag": mark.tag,
        "member": member.name if member else "",
        "sha256": member.sha256 if member else "",
        "size_bytes": member.size_bytes if member else 0,
        "offset": member.offset if member else None,
        "length": member.length if member else None,
    }


def tag_text(tag: int | None) -> str:
    """`0010,0020`, or nothing."""
    return "" if tag is None else f"{tag >> 16:04X},{tag & 0xFFFF:04X}"
