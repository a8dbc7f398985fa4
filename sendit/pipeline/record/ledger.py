"""What became of every file of a batch: delivered, filtered by a rule, in review, or an error. Nothing else.

Numbers, not names: a file is its place in the folder's sorted listing, from 1. The ledger cannot be closed while a
file has no outcome, which is how `found = delivered + filtered + in review + errored` holds.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sendit.errors import BrokenPromise, SenditError
from sendit.pipeline.record.member import Member
from sendit.pipeline.record.models import Outcome

Boxes = list[list[int]]
"""Rectangles as [left, top, right, bottom]."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One file's outcome: its place in the archive, or why it has none. There may be tens of thousands."""

    outcome: Outcome
    member: Member | None = None
    rule: str = ""
    code: str = ""
    tag: str = ""
    stage: str = ""
    part: int = 1
    """In which of the study's archives the image is."""
    instance_digest: bytes | None = None
    content_digest: bytes | None = None
    review_digest: bytes | None = None
    proposed: Boxes | None = None
    """Of an image in review: what is proposed to be blanked, or is blanked in its output."""
    is_kept: bool = False
    """Whether an earlier part of the batch has accounted for the file."""


class Ledger:
    """The account of `found` files.

    Of a new image in the archive, the commonest outcome, the mark is kept packed: a study may have many thousands.
    """

    def __init__(self, found: int) -> None:
        self.found = found
        self._marks: dict[int, LedgerEntry | bytes] = {}

    def deliver(
        self, number: int, member: Member, part: int, instance_digest: bytes | None, content_digest: bytes
    ) -> None:
        """The file's image is in the archive."""
        self._mark(number, _packed(member, part, instance_digest or b"", content_digest))

    def keep(self, number: int, mark: LedgerEntry) -> None:
        """The file has the outcome that an earlier part gave it, whatever has been found out about it since."""
        self._marks.pop(number, None)
        self._mark(number, mark)

    def keep_missing(self, mark: LedgerEntry) -> None:
        """A file that an earlier part accounted for is not in the folder any more; it gets the next number."""
        self.found += 1
        self._mark(self.found, mark)

    def filter(self, number: int, rule: str) -> None:
        """A rule withholds the file."""
        self._mark(number, LedgerEntry(Outcome.FILTERED, rule=rule[:255]))

    def review(self, number: int, rule: str, review_digest: bytes, proposed: Boxes) -> None:
        """A person must look at the file's image before it is delivered."""
        self._mark(
            number,
            LedgerEntry(Outcome.IN_REVIEW, rule=rule[:255], review_digest=review_digest, proposed=proposed or None),
        )

    def hold_back(self, number: int, rule: str, review_digest: bytes, proposed: Boxes) -> None:
        """A person must look at an image that is in the archive."""
        packed = self._marks.pop(number)
        made = _unpacked(packed) if isinstance(packed, bytes) else packed
        made = replace(made, review_digest=review_digest, proposed=proposed or None)
        self._mark(number, replace(made, outcome=Outcome.IN_REVIEW, rule=rule[:255]))

    def fail(self, number: int, error: SenditError, stage: str) -> None:
        """The file is an error."""
        self._mark(number, LedgerEntry(Outcome.ERROR, code=error.code, tag=tag_text(error.tag), stage=stage))

    def fail_rest(self, error: SenditError, stage: str) -> None:
        """Nothing is delivered: what was to be, and what has no outcome yet, shares the batch's error."""
        for number in range(1, self.found + 1):
            if self.is_open(number) or self._is_on_its_way(number):
                self._marks.pop(number, None)
                self.fail(number, error, stage)

    def filter_rest(self, rule: str) -> None:
        """Nothing is delivered: a rule withholds what was to be, and what has no outcome yet."""
        for number in range(1, self.found + 1):
            if self.is_open(number) or self._is_on_its_way(number) or self._is_in_review(number):
                self._marks.pop(number, None)
                self.filter(number, rule)

    def is_open(self, number: int) -> bool:
        """Whether the file has no outcome yet."""
        return number not in self._marks

    def _is_on_its_way(self, number: int) -> bool:
        mark = self._marks[number]
        return isinstance(mark, bytes) or (mark.outcome is Outcome.IN_REVIEW and not mark.is_kept)

    def _is_in_review(self, number: int) -> bool:
        mark = self._marks[number]
        return not isinstance(mark, bytes) and mark.outcome is Outcome.IN_REVIEW

    def count(self, outcome: Outcome, *, only_new: bool = False) -> int:
        """How many files have the outcome."""
        if outcome is Outcome.DELIVERED:
            packed = sum(isinstance(mark, bytes) for mark in self._marks.values())
            return packed + sum(mark.outcome is outcome for mark in self._whole(only_new))
        return sum(mark.outcome is outcome for mark in self._whole(only_new))

    def counts(self, *, only_new: bool = False) -> dict[str, int]:
        """The batch's numbers, or those of the files for which no earlier part has accounted."""
        if len(self._marks) != self.found:
            raise BrokenPromise("Unaccounted", count=self.found - len(self._marks))
        return {
            "found": sum(isinstance(mark, bytes) or not (only_new and mark.is_kept) for mark in self._marks.values()),
            "delivered": self.count(Outcome.DELIVERED, only_new=only_new),
            "filtered": self.count(Outcome.FILTERED, only_new=only_new),
            "in_review": self.count(Outcome.IN_REVIEW, only_new=only_new),
            "errored": self.count(Outcome.ERROR, only_new=only_new),
        }

    def counts_of_archive(self) -> dict[str, int]:
        """The same of the new files, as the archive's report has them: it leaves only with what it holds."""
        counts = self.counts(only_new=True)
        held_back = len(self._held_back())
        return counts | {
            "delivered": counts["delivered"] + held_back,
            "in_review": counts["in_review"] - held_back,
        }

    def errors(self, *, only_new: bool = False) -> list[dict[str, Any]]:
        """The batch's errors, alike ones counted together."""
        failed = (mark for mark in self._failed() if not (only_new and mark.is_kept))
        alike = Counter((mark.code, mark.tag, mark.stage) for mark in failed)
        return [
            {"code": code, "tag": tag, "count": count, "stage": stage} for (code, tag, stage), count in alike.items()
        ]

    def rules(self, *, only_new: bool = False) -> dict[str, int]:
        """How many files each rule withholds."""
        return Counter(mark.rule for mark in self._whole(only_new) if mark.outcome is Outcome.FILTERED)

    def images(self) -> Iterator[dict[str, Any]]:
        """The rows of Image, but for their batch, in order of the numbers."""
        for number in sorted(self._marks):
            mark = self._marks[number]
            yield _image(number, _unpacked(mark) if isinstance(mark, bytes) else mark)

    def new_members(self) -> Iterator[tuple[int, Member]]:
        """The numbers of the images that are in the new archive, and their places there, in the archive's order."""
        new: list[tuple[int, LedgerEntry | bytes]] = [*self._held_back()]
        new += [(number, mark) for number, mark in self._marks.items() if isinstance(mark, bytes)]
        for number, mark in sorted(new, key=lambda one: _offset(one[1])):
            member = _unpacked(mark).member if isinstance(mark, bytes) else mark.member
            if member is not None:
                yield number, member

    def _held_back(self) -> list[tuple[int, LedgerEntry]]:
        """The new images that are in the archive and wait for a person."""
        return [
            (number, mark)
            for number, mark in self._marks.items()
            if not isinstance(mark, bytes) and mark.outcome is Outcome.IN_REVIEW and mark.member and not mark.is_kept
        ]

    def _whole(self, only_new: bool) -> Iterator[LedgerEntry]:
        """The marks that are not packed."""
        marks = (mark for mark in self._marks.values() if not isinstance(mark, bytes))
        return (mark for mark in marks if not (only_new and mark.is_kept))

    def _failed(self) -> Iterator[LedgerEntry]:
        marks = (self._marks[number] for number in sorted(self._marks))
        return (mark for mark in marks if not isinstance(mark, bytes) and mark.outcome is Outcome.ERROR)

    def _mark(self, number: int, mark: LedgerEntry | bytes) -> None:
        if not 1 <= number <= self.found or number in self._marks:
            raise BrokenPromise("Unaccounted", count=1)
        self._marks[number] = mark


_PACKED = struct.Struct("=QQQIBB32s")


def _packed(member: Member, part: int, instance_digest: bytes, content_digest: bytes) -> bytes:
    """A delivered image's mark as bytes."""
    sizes = len(instance_digest), len(content_digest)
    fixed = _PACKED.pack(member.offset, member.length, member.size_bytes, part, *sizes, bytes.fromhex(member.sha256))
    return b"".join((fixed, instance_digest, content_digest, member.name.encode()))


def _offset(mark: LedgerEntry | bytes) -> int:
    """Where an image is in its archive."""
    if isinstance(mark, bytes):
        offset: int = _PACKED.unpack_from(mark)[0]
        return offset
    return mark.member.offset if mark.member else 0


def _unpacked(packed: bytes) -> LedgerEntry:
    offset, length, size_bytes, part, instance, content, sha256 = _PACKED.unpack_from(packed)
    begin = _PACKED.size
    middle, end = begin + instance, begin + instance + content
    member = Member(packed[end:].decode(), offset, length, sha256.hex(), size_bytes)
    delivered = LedgerEntry(Outcome.DELIVERED, member, part=part, content_digest=packed[middle:end])
    return replace(delivered, instance_digest=packed[begin:middle] or None)


def _image(number: int, mark: LedgerEntry) -> dict[str, Any]:
    member = mark.member
    return {
        "number": number,
        "outcome": mark.outcome.value,
        "rule": mark.rule,
        "code": mark.code,
        "tag": mark.tag,
        "member": member.name if member else "",
        "sha256": member.sha256 if member else "",
        "size_bytes": member.size_bytes if member else 0,
        "offset": member.offset if member else None,
        "length": member.length if member else None,
        "part": mark.part,
        "instance_digest": mark.instance_digest,
        "content_digest": mark.content_digest,
        "review_digest": mark.review_digest,
        "proposed": mark.proposed,
    }


def tag_text(tag: int | None) -> str:
    """`0010,0020`, or nothing."""
    return "" if tag is None else f"{tag >> 16:04X},{tag & 0xFFFF:04X}"
