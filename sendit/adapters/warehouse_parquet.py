"""The embedded warehouse: Parquet files, one a load, asked in SQL by DuckDB, which a load does not need."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from sendit import parquet
from sendit.adapters.load_files import LoadFiles
from sendit.adapters.readonly_sql import Tables, merge, replace_values
from sendit.adapters.true_times import REMOVED, is_told
from sendit.durable import disk
from sendit.errors import BrokenPromise, Misconfigured, ServiceDown
from sendit.ports import TABLES, QueryResult, go_on

MOST_LOADS = 2000
"""How many loads `compact` puts into one file."""
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,200}")


class ParquetWarehouse:
    """Keeps each load as a file, `<root>/<dataset>/<table>/<load id>.parquet`: it is there once or not at all.

    Parameters
    ----------
    root : Path
        Where data sets are kept; made when first needed.
    dataset : str
        The data set, sendit's collection; in SQL, tables stand under its name too.
    """

    def __init__(self, root: Path, dataset: str) -> None:
        if not _PLAIN.fullmatch(dataset):
            raise Misconfigured("BadSetting", subject="SENDIT_GOOGLE_STORAGE_COLLECTION: letters, digits, _ and -")
        self._folder, self._dataset = root.absolute() / dataset, dataset
        if set("*?") & set(str(self._folder)):  # DuckDB would take it for a pattern
            raise Misconfigured("BadSetting", subject="SENDIT_VAR: a folder without * and ? in its path")

    def load(self, table: str, rows: Path, load_id: str, check: Callable[[], None] = go_on) -> int:
        """Load a Parquet file in the table's schema once. Returns its rows.

        Under a load id that is known nothing is added and nothing is changed: it is the name of an archive, and the
        object store has made sure that the archive is the same.

        Raises
        ------
        BrokenPromise
            `RowsFile`: the file is not in the table's schema, or its rows carry another load id. `LoadName`: no such
            table, or a load id that cannot be.
        ServiceDown
            `NoSpace`, `DiskRefused`.
        """
        if table not in TABLES or not _PLAIN.fullmatch(load_id):
            raise BrokenPromise("LoadName")
        with disk("warehouse"):
            count = parquet.count_rows(rows, TABLES[table], load_id=load_id)
            self._files(table).take_in(rows, load_id)
        return count

    def query(self, sql: str) -> QueryResult:
        """Run one SQL statement that reads the tables `dicom` and `instance`; compacts first where loads are many.

        Raises
        ------
        Misconfigured
            `BadQuery`: it is another kind of statement, or cannot be run.
        """
        self._keep_few_files()
        with ExitStack() as stack, disk("warehouse"):
            files = {
                table: (columns, stack.enter_context(self._files(table).reading())) for table, columns in TABLES.items()
            }
            return stack.enter_context(Tables(self._dataset, files)).query(sql)

    def count_times(self) -> int:
        """How many rows tell when their batch was processed."""
        sums = (f"(SELECT count(*) FROM {table} WHERE {is_told(table)})" for table in REMOVED)
        [(count,)] = self.query(f"SELECT {' + '.join(sums)}").rows
        return int(str(count))

    def remove_times(self) -> int:
        """Remove what tells it, file by file. Returns how many rows there were.

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
        """Put the files of up to `most` loads of each table into one; returns how many loads of both.

        Stopped at any moment, it leaves every row in its table once; the next call finishes.
        """
        with disk("warehouse"):
            return sum(self._files(table).compact(most, partial(merge, TABLES[table])) for table in TABLES)

    def _keep_few_files(self) -> None:
        """Over thousands of files every question takes seconds; where they are compacted first, only one does."""
        with suppress(ServiceDown):  # a question needs no space on the disk
            while any(self._files(table).uncompacted() >= MOST_LOADS for table in TABLES) and self.compact():
                continue

    def _files(self, table: str) -> LoadFiles:
        return LoadFiles(self._folder / table)
