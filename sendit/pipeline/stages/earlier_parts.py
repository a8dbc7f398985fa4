"""What earlier parts of a batch have accounted for: those files keep their outcome.

A file is known again by its name, size and time, without being opened. Knows no DICOM.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from sendit.pipeline.intake.folders import Entry
from sendit.pipeline.record import decisions, studies
from sendit.pipeline.record.ledger import Ledger, LedgerEntry
from sendit.pipeline.record.member import Member
from sendit.pipeline.record.models import Batch, Image, Outcome


def file_digest(entry: Entry) -> bytes:
    """The digest by which a file is known again as long as nobody writes to it."""
    return studies.of_file(entry.kind, entry.size_bytes, entry.modified_ns, os.fsencode(entry.name))


class EarlierParts:
    """What earlier parts of a batch have accounted for.

    Parameters
    ----------
    batch : Batch
    ledger : Ledger
        It is told of every file that keeps its outcome.
    entries : sequence of Entry
        What the folder holds now.
    """

    def __init__(self, batch: Batch, ledger: Ledger, entries: Sequence[Entry]) -> None:
        self._batch, self._ledger, self._entries = batch, ledger, entries
        finished = studies.finished_parts(batch.study, batch.pk) if batch.study and batch.archive_bytes else set()
        rows = Image.objects.filter(batch=batch.pk).order_by("number") if finished else Image.objects.none()
        kept = [row for row in rows if _stands(row, finished)]
        self._left = {row.pk: row for row in kept}
        self.delivered_before = [row for row in kept if row.outcome == Outcome.DELIVERED]
        """Images that were delivered, whether their files have been found again or not."""
        self._stages = {(error["code"], error["tag"]): error["stage"] for error in batch.errors}
        self.are_there = bool(finished)
        self.was_kept_unread = False

    def keep_unchanged(self) -> None:
        """Give every file that nobody has written to the outcome that it had."""
        known = {bytes(row.file_digest): row for row in self._left.values() if row.file_digest is not None}
        for decided in decisions.decided_rows(self._batch.project, self._left.values()):
            if decided.file_digest is not None:
                known.pop(bytes(decided.file_digest))  # so that it is read again
        if not known:
            return
        for number, entry in enumerate(self._entries, 1):
            row = known.pop(file_digest(entry), None)
            if row is not None:
                self.keep(number, row)
                self.was_kept_unread = True

    def keep(self, number: int, row: Image) -> None:
        """Give a file the outcome that it had."""
        self._left.pop(row.pk)
        self._ledger.keep(number, self._mark(row))

    def is_left(self, row: Image) -> bool:
        """Whether the file of a row has not been found yet."""
        return row.pk in self._left

    def delivered(self) -> Iterator[Image]:
        """Images that were delivered and whose files have not been found yet."""
        return (row for row in self._left.values() if row.outcome == Outcome.DELIVERED)

    def keep_missing(self) -> None:
        """Images that were delivered stay accounted for, though their files are gone or were changed."""
        for row in list(self.delivered()):
            self._left.pop(row.pk)
            self._ledger.keep_missing(self._mark(row))

    def _mark(self, row: Image) -> LedgerEntry:
        member = None
        if row.offset is not None and row.length is not None:
            member = Member(row.member, row.offset, row.length, row.sha256, row.size_bytes)
        return LedgerEntry(
            Outcome(row.outcome),
            member,
            rule=row.rule,
            code=row.code,
            tag=row.tag,
            stage=self._stages.get((row.code, row.tag), "import") if row.code else "",
            part=row.part,
            instance_digest=_bytes(row.instance_digest),
            content_digest=_bytes(row.content_digest),
            review_digest=_bytes(row.review_digest),
            proposed=row.proposed,
            is_kept=True,
        )


def _stands(row: Image, finished: set[int]) -> bool:
    """Whether what became of a file does not depend on an archive that is made again."""
    if row.outcome == Outcome.IN_REVIEW:
        return not row.member
    return row.outcome != Outcome.DELIVERED or row.part in finished


def _bytes(value: bytes | memoryview | None) -> bytes | None:
    return None if value is None else bytes(value)
