"""The embedded warehouse: one Parquet file per load. DuckDB answers SQL over them; a load does not need it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from sendit import parquet
from sendit.adapters.parquet.load_files import LoadFiles
from sendit.adapters.parquet.readonly_sql import ReadOnlyTables, drop_load, merge, replace_values
from sendit.adapters.true_times import REMOVED, is_told
from sendit.durable import disk
from sendit.errors import BrokenPromise, Misconfigured, ServiceDown
from sendit.ports import TABLES, QueryResult, go_on

MOST_LOADS = 2000
"""The most loads that `compact` puts into one file."""
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,200}")
_LOAD = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}")


class ParquetWarehouse:
    """Keeps each load as a file, `<root>/<dataset>/<table>/<load id>.parquet`, which is there as a whole or not at all.

    Parameters
    ----------
    root : Path
        Where data sets are kept; created when first needed.
    dataset : str
        The data set, named after the collection; in SQL it is also the tables' schema.
    """

    def __init__(self, root: Path, dataset: str) -> None:
        if not _PLAIN.fullmatch(dataset):
            raise Misconfigured("BadSetting", subject="SENDIT_GOOGLE_STORAGE_COLLECTION: letters, digits, _ and -")
        self._folder, self._dataset = root.absolute() / dataset, dataset
        if set("*?") & set(str(self._folder)):  # DuckDB would read it as a pattern
            raise Misconfigured("BadSetting", subject="SENDIT_VAR: a folder without * and ? in its path")

    def load(self, table: str, rows: Path, load_id: str, check: Callable[[], None] = go_on) -> int:
        """Load a Parquet file in the table's schema once, and return how many rows it has.

        If the load id is already known, nothing is added or changed: a load id names an archive, and the object store
        has made sure that the archive is the same.

        Raises
        ------
        BrokenPromise
            `RowsFile`: the file is not in the table's schema, or its rows carry another load id. `LoadName`: there is
            no such table, or the load id is not legal.
        ServiceDown
            `NoSpace`, `DiskRefused`.
        """
        if table not in TABLES or not _LOAD.fullmatch(load_id):
            raise BrokenPromise("LoadName")
        with disk("warehouse"):
            count = parquet.count_rows(rows, TABLES[table], load_id=load_id)
            self._files(table).take_in(rows, load_id)
        return count

    def remove(self, table: str, load_id: str, check: Callable[[], None] = go_on) -> None:
        """Remove the rows of a load, also from a compacted file; whoever reads meanwhile sees all of them or none.

        Raises
        ------
        BrokenPromise
            `LoadName`: there is no such table, or the load id is not legal.
        ServiceDown
            `NoSpace`, `DiskRefused`.
        """
        if table not in TABLES or not _LOAD.fullmatch(load_id):
            raise BrokenPromise("LoadName")
        check()
        with disk("warehouse"):
            self._files(table).remove(load_id, partial(drop_load, TABLES[table], load_id))

    def query(self, sql: str, seconds: float | None = None) -> QueryResult:
        """Run one SQL statement that reads the tables `dicom` and `instance`. Many loads are compacted first.

        Raises
        ------
        Misconfigured
            `BadQuery`: the statement is of another kind, cannot be run, or takes longer than `seconds`.
        """
        self._keep_few_files()
        with ExitStack() as stack, disk("warehouse"):
            files = {
                table: (columns, stack.enter_context(self._files(table).reading())) for table, columns in TABLES.items()
            }
            return stack.enter_context(ReadOnlyTables(self._dataset, files)).query(sql, seconds)

    def count_times(self) -> int:
        """Count the rows that tell when their batch was processed."""
        sums = (f"(SELECT count(*) FROM {table} WHERE {is_told(table)})" for table in REMOVED)
        [(count,)] = self.query(f"SELECT {' + '.join(sums)}").rows
        return int(str(count))

    def remove_times(self) -> int:
        """Remove those times, file by file, and return how many rows held one.

        Raises
        ------
        ServiceDown
            `NoSpace`, `DiskRefused`.
        """
        with disk("warehouse"):
            return sum(
                self._files(table).rewrite(partial(replace_values, TABLES[table], values, is_told(table)))
                for table, values in REMOVED.items()
            )

    def compact(self, most: int = MOST_LOADS) -> int:
        """Merge the files of up to `most` loads of each table into one. Returns how many loads in both tables.

        It can be stopped at any moment: every row stays in its table once, and the next call finishes the work.
        """
        with disk("warehouse"):
            return sum(self._files(table).compact(most, partial(merge, TABLES[table])) for table in TABLES)

    def _keep_few_files(self) -> None:
        """Compact while loads are many: over thousands of files each question takes seconds, afterwards none does."""
        with suppress(ServiceDown):  # a question needs no space on the disk
            while any(self._files(table).uncompacted() >= MOST_LOADS for table in TABLES) and self.compact():
                continue

    def _files(self, table: str) -> LoadFiles:
        return LoadFiles(self._folder / table)
