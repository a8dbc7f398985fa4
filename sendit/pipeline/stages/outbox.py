"""What a batch has made and not yet delivered: `OUTBOX/<primary key>/`, there as a whole or not at all."""

from __future__ import annotations

import os
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
        names = os.listdir(self.folder) if os.path.isdir(self.folder) else []
        return [self.folder / name for name in names if _is_of(batch, name)]


def _is_of(batch: int, name: str) -> bool:
    return name == str(batch) or (name.startswith(f".{batch}.") and name.endswith(".tmp"))
