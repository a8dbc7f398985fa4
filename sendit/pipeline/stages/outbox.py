"""What a batch has made and not yet delivered: `OUTBOX/<primary key>/`, there as a whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sendit.durable import disk, sync


@dataclass(frozen=True, slots=True)
class Outbox:
    """The folder in which batches' archives and rows wait for their delivery."""

    folder: Path

    def of(self, batch: int) -> Path:
        """Where a batch's archive and rows wait."""
        return self.folder / str(batch)

    @contextmanager
    def draft(self, batch: int) -> Iterator[Path]:
        """A folder of this attempt's own, gone afterwards unless it was published."""
        draft = self.folder / f".{batch}.{secrets.token_hex(8)}.tmp"
        with disk("outbox"):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.mkdir(mode=0o700)
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def publish(self, draft: Path, batch: int) -> None:
        """Give a finished draft its name; called while the batch's row is locked, so no second worker can."""
        with disk("outbox"):
            sync(draft)
            os.rename(draft, self.of(batch))
            sync(draft.parent)

    def remove(self, batch: int) -> None:
        """Remove a batch's folder and every draft of it."""
        for folder in self.remains(batch):
            shutil.rmtree(folder, ignore_errors=True)

    def remains(self, batch: int) -> list[Path]:
        """A batch's folder and the drafts of it, where there are any."""
        return [self.folder / name for name in self._names() if _batch_of(name) == batch]

    def batches(self) -> set[int]:
        """The batches of which there is something."""
        return {batch for batch in map(_batch_of, self._names()) if batch is not None}

    def _names(self) -> list[str]:
        return os.listdir(self.folder) if os.path.isdir(self.folder) else []


_NAME = re.compile(r"(\d+)|\.(\d+)\..*\.tmp", re.ASCII)


def _batch_of(name: str) -> int | None:
    """The batch of which a folder in the outbox is."""
    matched = _NAME.fullmatch(name)
    return int(matched[1] or matched[2]) if matched else None
