"""What a batch has made and not yet delivered: `OUTBOX/<primary key>/`, there as a whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from sendit.durable import disk, sync


def outbox_of(batch: int) -> Path:
    """Where a batch's archive and rows wait."""
    return Path(settings.OUTBOX) / str(batch)


@contextmanager
def draft_outbox(batch: int) -> Iterator[Path]:
    """A folder of this attempt's own, gone afterwards unless it was published."""
    draft = Path(settings.OUTBOX) / f".{batch}.{secrets.token_hex(8)}.tmp"
    with disk("outbox"):
        draft.mkdir(mode=0o700, parents=True)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def publish(draft: Path, batch: int) -> None:
    """Give a finished draft its name; called while the batch's row is locked, so no second worker can."""
    with disk("outbox"):
        sync(draft)
        os.rename(draft, outbox_of(batch))
        sync(draft.parent)


def remove_outbox(batch: int) -> None:
    """Remove a batch's outbox and every draft of it."""
    for folder in remains(batch):
        shutil.rmtree(folder, ignore_errors=True)


def remains(batch: int) -> list[Path]:
    """A batch's outbox and the drafts of it, where there are any."""
    names = os.listdir(settings.OUTBOX) if os.path.isdir(settings.OUTBOX) else []
    mine = [name for name in names if name == str(batch) or (name.startswith(f".{batch}.") and name.endswith(".tmp"))]
    return [Path(settings.OUTBOX) / name for name in mine]
