"""Rows for the warehouse, as a Parquet file in a table's schema. Knows not where they come from, nor where they go."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from sendit import parquet
from sendit.durable import disk, draft_of, private, sweep_drafts, sync
from sendit.ports import TABLES


def write_parquet(table: str, rows: Iterable[Mapping[str, object]], path: Path) -> int:
    """Write the rows of `TABLES[table]` under `path`, whole or not at all. Returns their number.

    The bytes are durable before they have their name, the name when its folder is synced.

    Rows are taken one by one and never held together; what a value may be is `sendit.parquet.write`'s.

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
        with open(draft, "xb", opener=private) as stream:
            count = parquet.write(stream, TABLES[table], rows)
        sync(draft)
        os.rename(draft, path)
    return count
