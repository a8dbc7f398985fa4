"""Rows for the warehouse, as a Parquet file in a table's schema. This module does not know where they come from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sendit.durable import disk, draft_of, private, sweep_drafts, sync
from sendit.parquet import RowWriter
from sendit.ports import TABLES


@contextmanager
def rows_written(table: str, path: Path) -> Iterator[RowWriter]:
    """Give a writer for rows of `TABLES[table]`, which stand under `path` once the block has ended without an error.

    The bytes are durable before they have their name, the name when its folder is synced.

    Raises
    ------
    BrokenPromise
        `RowsValue`: a value does not fit its column, or has none.
    ServiceDown
        `NoSpace`, `DiskRefused`.
    """
    draft = draft_of(path)
    with ExitStack() as undo, disk("rows"):
        sweep_drafts(path)
        undo.callback(draft.unlink, missing_ok=True)
        with open(draft, "xb", opener=private) as stream, RowWriter(stream, TABLES[table]) as rows:
            yield rows
        sync(draft)
        os.rename(draft, path)


def write_parquet(table: str, rows: Iterable[Mapping[str, object]], path: Path) -> int:
    """Write rows that are there already, as `rows_written` does; returns their number."""
    with rows_written(table, path) as writer:
        for row in rows:
            writer.append(row)
    return writer.count
