"""Flat Parquet files, by pyarrow: written row by row in bounded memory, and recognised by their schema.

pyarrow is imported when it is first needed: most commands never need it, and it must not be loaded before a fork.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, BinaryIO

from sendit.errors import BrokenPromise
from sendit.ports import Column

if TYPE_CHECKING:
    import pyarrow

ROW_GROUP_ROWS = 10_000
ROW_GROUP_BYTES = 2 << 20
"""How many bytes of text are held in memory before a row group is written."""

Row = Mapping[str, object]


@cache
def _arrow() -> Any:
    """Import pyarrow, with the system's allocator, which returns freed memory, and without threads of its own.

    At its first array pyarrow imports pandas if that is installed, which takes 60 MB and seconds, and nothing here uses
    it. So pyarrow looks for pandas while there is none.
    """
    import pyarrow

    with _without_pandas():
        pyarrow.array([1])
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    pyarrow.set_cpu_count(1)
    return pyarrow


class _NoPandas:
    """Finds modules for the import system: no pandas."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


@contextmanager
def _without_pandas() -> Iterator[None]:
    """While this lasts, pandas is not imported; if it was before, it stays."""
    finder: Any = _NoPandas
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def load() -> None:
    """Import pyarrow now, so that the first row does not wait for it."""
    _arrow()
    from pyarrow import parquet  # noqa: F401


@cache
def schema(columns: tuple[Column, ...]) -> pyarrow.Schema:
    """Return the columns as an Arrow schema. JSON becomes text, because BigQuery loads no Parquet into JSON columns."""
    arrow = _arrow()
    types = {
        "STRING": arrow.string(),
        "JSON": arrow.string(),
        "INT64": arrow.int64(),
        "FLOAT64": arrow.float64(),
        "DATE": arrow.date32(),
        "TIMESTAMP": arrow.timestamp("us", tz="UTC"),
    }
    return arrow.schema([(column.name, types[column.type]) for column in columns])


# ---------------------------------------------------------------------------------------------- writing


class RowWriter:
    """Writes rows as one Parquet file, a row group at a time. The same rows give the same bytes.

    Missing values and None become nulls. DATE and TIMESTAMP accept Python's types or ISO 8601, an instant with its
    offset; JSON accepts its text or anything that `json.dumps` accepts.
    """

    def __init__(self, stream: BinaryIO, columns: Sequence[Column]) -> None:
        from pyarrow import parquet

        compression = {column.name: "zstd" if column.type == "JSON" else "none" for column in columns}
        self._schema = schema(tuple(columns))
        repeated = [column.name for column in columns if column.type != "JSON"]  # a dictionary of headers is never used
        self._writer = parquet.ParquetWriter(stream, self._schema, compression=compression, use_dictionary=repeated)
        self._prepare = {column.name: (_AS_IT_IS[column.type], _PREPARE[column.type]) for column in columns}
        self._held: list[dict[str, Any]] = []
        self._held_bytes = 0
        self.count = 0

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def append(self, row: Row) -> None:
        """Add a row.

        Raises
        ------
        BrokenPromise
            `RowsValue`: a value does not fit its column, or there is no such column.
        """
        values = _prepared(self._prepare, row)
        self._held.append(values)
        self._held_bytes += sum([len(value) for value in values.values() if value.__class__ is str])
        if len(self._held) >= ROW_GROUP_ROWS or self._held_bytes >= ROW_GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(_table(self._held, self._schema))
            self.count += len(self._held)
            self._held, self._held_bytes = [], 0


def write(stream: BinaryIO, columns: Sequence[Column], rows: Iterable[Row]) -> int:
    """Write all rows with one `RowWriter`, and return how many."""
    with RowWriter(stream, columns) as writer:
        for row in rows:
            writer.append(row)
    return writer.count


def _table(group: list[dict[str, Any]], wanted: pyarrow.Schema) -> pyarrow.Table:
    arrow = _arrow()
    arrays = []
    for field in wanted:
        try:
            arrays.append(arrow.array([row[field.name] for row in group], type=field.type))
        except (arrow.ArrowException, OverflowError, TypeError, UnicodeError, ValueError):
            raise BrokenPromise("RowsValue", subject=field.name) from None
    return arrow.table(arrays, schema=wanted)


def _prepared(prepare: Mapping[str, tuple[type, Callable[[Any], Any]]], row: Row) -> dict[str, Any]:
    if not row.keys() <= prepare.keys():
        raise BrokenPromise("RowsValue")
    values, name = {}, ""
    try:
        for name, (kind, convert) in prepare.items():
            value = row.get(name)
            values[name] = value if value is None or value.__class__ is kind else convert(value)
    except (TypeError, ValueError):
        raise BrokenPromise("RowsValue", subject=name) from None
    return values


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _json(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _day(value: object) -> date:
    if isinstance(value, datetime):
        raise TypeError
    return value if isinstance(value, date) else date.fromisoformat(_text(value))


def _instant(value: object) -> datetime:
    instant = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value))
    if instant.tzinfo is None:
        raise ValueError
    return instant.astimezone(UTC)


_PREPARE: dict[str, Callable[[Any], Any]] = {
    "STRING": _text,
    "JSON": _json,
    "INT64": int.__index__,
    "FLOAT64": float,
    "DATE": _day,
    "TIMESTAMP": _instant,
}

_AS_IT_IS: dict[str, type] = {
    "STRING": str,
    "JSON": str,
    "INT64": int,
    "FLOAT64": float,
    "DATE": date,
    "TIMESTAMP": NoneType,
}
"""The type of a value that needs no preparation."""


# ---------------------------------------------------------------------------------------------- recognising


def count_rows(path: Path, columns: Sequence[Column], **constants: str) -> int:
    """Count the rows of a Parquet file that has these columns, and in all rows the values of `constants`.

    A file of an earlier version may lack columns that were added since.

    Raises
    ------
    BrokenPromise
        `RowsFile`: the file has other columns or values, or is not Parquet.
    """
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            found, count = file.schema_arrow, file.metadata.num_rows
            are_alike = all(_is_everywhere(file.metadata, name, value) for name, value in constants.items())
    except (_arrow().ArrowException, ValueError):
        raise BrokenPromise("RowsFile") from None
    except OSError as error:
        if error.errno is not None:  # from the disk; Arrow reports a malformed footer as an OSError without errno
            raise
        raise BrokenPromise("RowsFile") from None
    if not _is_part_of(found, schema(tuple(columns))) or not are_alike:
        raise BrokenPromise("RowsFile")
    return int(count)


@contextmanager
def completed(path: Path, columns: Sequence[Column]) -> Iterator[Path]:
    """Give a file with the rows of `path` and all columns: `path` itself, or a temporary copy with those it lacks.

    Raises
    ------
    OSError
        The disk refused.
    """
    from pyarrow import parquet

    wanted = schema(tuple(columns))
    with parquet.ParquetFile(path) as file:
        if file.schema_arrow.equals(wanted):
            yield path
            return
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".completed-", suffix=".parquet") as copy:
            with parquet.ParquetWriter(copy.name, wanted) as writer:
                for group in file.iter_batches(batch_size=ROW_GROUP_ROWS):
                    writer.write_batch(_with_nulls(group, wanted))
            yield Path(copy.name)


def _with_nulls(group: Any, wanted: pyarrow.Schema) -> Any:
    arrow = _arrow()
    there = set(group.schema.names)
    arrays = [
        group.column(field.name) if field.name in there else arrow.nulls(group.num_rows, field.type) for field in wanted
    ]
    return arrow.record_batch(arrays, schema=wanted)


def _is_part_of(found: pyarrow.Schema, wanted: pyarrow.Schema) -> bool:
    """Return whether all fields are wanted ones, in the same order."""
    rest = iter(wanted)
    return all(any(field.equals(one) for one in rest) for field in found)


def _is_everywhere(metadata: Any, name: str, value: str) -> bool:
    """Return whether a text column has this value in all rows, according to the statistics of each row group."""
    if name not in metadata.schema.names:
        return False
    place = metadata.schema.names.index(name)
    known = (metadata.row_group(number).column(place).statistics for number in range(metadata.num_row_groups))
    return all(each and (each.min, each.max, each.null_count) == (value, value, 0) for each in known)
