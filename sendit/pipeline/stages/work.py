"""A batch under a lease: its folder, what the folder holds, and the account of every file."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import closing
from functools import cached_property
from typing import cast

from sendit.errors import DataFault
from sendit.phi import Phi
from sendit.pipeline.intake.folders import Entry, FolderChanged, StudyFile, StudyFolder, fingerprint, list_folder
from sendit.pipeline.record import decisions
from sendit.pipeline.record.leases import Lease
from sendit.pipeline.record.ledger import Ledger
from sendit.pipeline.record.models import Batch, BatchIdentifiers
from sendit.pipeline.stages.earlier_parts import EarlierParts
from sendit.pipeline.stages.outbox import Outbox
from sendit.projects.review_policy import NO_REVIEW


class Work:
    """What the stages share; identified, and so without a voice."""

    def __init__(self, lease: Lease, outbox: Outbox) -> None:
        self.lease, self.outbox = lease, outbox
        self._stage, self._since = "import", time.monotonic()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self.identified: dict[str, object] = {}
        """What goes into BatchIdentifiers, by field."""
        self.recipe: dict[str, str] = {}
        """Which recipe the batch is processed by, by field of Batch, once it is known."""
        self.released: dict[int, str] = {}
        """Who released which image that a rule calls doubtful, by the file's number."""
        self.review = NO_REVIEW
        """Which images wait for a person."""

    @property
    def stage(self) -> str:
        """What is being done, as an operator calls it."""
        return self._stage

    @stage.setter
    def stage(self, stage: str) -> None:
        self._clock()
        self._stage = stage

    def seconds(self, stage: str) -> float:
        """How long a stage has taken."""
        self._clock()
        return round(self._seconds[stage], 3)

    def _clock(self) -> None:
        now = time.monotonic()
        self._seconds[self._stage] += now - self._since
        self._since = now

    @property
    def batch(self) -> Batch:
        """The batch as it was when it was claimed."""
        return self.lease.batch

    @cached_property
    def has_decisions(self) -> bool:
        """Whether a reviewer has decided anything in the project."""
        return decisions.are_there(self.batch.project)

    def review_digest(self, number: int) -> bytes:
        """The digest of the numbered file's bytes, by which a decision is kept. Raises FolderChanged, OSError."""
        with closing(self.open(number)) as file:
            return decisions.digest_of(file.readinto)

    @cached_property
    def folder(self) -> str:
        """The study folder's path."""
        if self.batch.known_folder is None:  # and not all else that is encrypted there
            kept = BatchIdentifiers.objects.filter(batch=self.batch.pk).values_list("folder", flat=True).get()
            self.batch.known_folder = Phi(cast(Phi[dict[str, str]], kept).reveal()["path"])
        return self.batch.known_folder.reveal()

    @cached_property
    def _opened(self) -> StudyFolder:
        return StudyFolder(self.folder)

    @cached_property
    def entries(self) -> list[Entry]:
        """The folder's listing when the work began."""
        return self._opened.entries()

    @cached_property
    def known_entries(self) -> list[Entry]:
        """The same, or nothing where the folder cannot be listed."""
        try:
            return self.entries
        except DataFault:
            return []

    @cached_property
    def ledger(self) -> Ledger:
        """The account of the entries."""
        return Ledger(len(self.known_entries))

    @cached_property
    def earlier(self) -> EarlierParts:
        """What earlier parts of the batch have accounted for."""
        return EarlierParts(self.batch, self.ledger, self.known_entries)

    @cached_property
    def fingerprint(self) -> str:
        """That of the listing when the work began."""
        return fingerprint(self.known_entries)

    def open(self, number: int) -> StudyFile:
        """The numbered file. Raises FolderChanged, OSError."""
        return self._opened.open(self.entries[number - 1])

    def close(self) -> None:
        """Let go of the folder."""
        if "_opened" in self.__dict__:
            self._opened.close()

    def ensure_unchanged(self) -> None:
        """Raise FolderChanged if anybody wrote to the folder since."""
        if fingerprint(list_folder(self.folder)) != self.fingerprint:
            raise FolderChanged
