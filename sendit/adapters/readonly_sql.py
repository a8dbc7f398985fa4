"""SQL that can only read: DuckDB closed in on given files, and statements looked at before they run.

DuckDB alone is not enough: it may write wherever it may read, and a WITH clause may hold a COPY. So a statement is
parsed by DuckDB, its tree is walked, and only kinds of node known to be harmless are let through.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sendit.errors import BrokenPromise, Misconfigured
from sendit.ports import Column, QueryResult

if TYPE_CHECKING:
    import duckdb

QUERY_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series", "json_each", "json_tree"})
ROW_GROUP_ROWS = 20_480
TYPES = {"STRING": "VARCHAR", "INT64": "BIGINT", "DATE": "DATE", "TIMESTAMP": "TIMESTAMPTZ", "JSON": "VARCHAR"}
_SHOWN = {"JSON": '"{0}"::JSON AS "{0}"', "TIMESTAMP": 'timezone(\'UTC\', "{0}") AS "{0}"'}
_CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
}


class Tables:
    """A DuckDB that knows some tables, each the rows of Parquet files, and reaches nothing else.

    Parameters
    ----------
    schema : str
        The tables may be named with it or without: `IRB00000.dicom` is `dicom`.
    files : Mapping
        For each table its columns and its files; no file is an empty table.
    """

    def __init__(self, schema: str, files: Mapping[str, tuple[Sequence[Column], Sequence[Path]]]) -> None:
        self._connection = _connect()
        with ExitStack() as undo:
            undo.callback(self._connection.close)
            self._run(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema)}")
            self._run(f"USE {_quoted(schema)}")
            for table, (columns, paths) in files.items():
                self._run(f"CREATE VIEW {_quoted(table)} AS {_shown(columns, paths)}")
            self._run(f"SET allowed_paths = {_names([path for _, paths in files.values() for path in paths])}")
            self._run("SET enable_external_access = false")
            self._run("SET lock_configuration = true")
            undo.pop_all()

    def __enter__(self) -> Tables:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def query(self, untrusted_sql: str) -> QueryResult:
        """Run one statement.

        Raises
        ------
        Misconfigured
            `BadQuery`: it is no single statement that only reads, or DuckDB cannot run it.
        """
        self._check(untrusted_sql)
        rows = self._run(untrusted_sql)
        return QueryResult(tuple(column[0] for column in self._connection.description or ()), rows)

    def _check(self, untrusted_sql: str) -> None:
        [(parsed,)] = self._run("SELECT json_serialize_sql(?::VARCHAR)", [untrusted_sql])
        tree = json.loads(parsed)
        if tree["error"]:
            raise Misconfigured("BadQuery", subject=_first_line(tree["error_message"]))
        if len(tree["statements"]) != 1 or not all(map(_is_harmless, _dicts(tree))):
            raise Misconfigured("BadQuery", subject="one statement, and one that only reads the tables")

    def _run(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        import duckdb

        try:
            return self._connection.execute(sql, values).fetchall()
        except duckdb.Error as error:
            raise Misconfigured("BadQuery", subject=_about(error)) from None


def merge(columns: Sequence[Column], paths: Sequence[Path], target: Path) -> None:
    """Write the rows of many files into one, in their order.

    Raises
    ------
    BrokenPromise
        `RowsFile`: one of them cannot be read, or the file has not as many rows as they have.
    OSError
        The disk said no.
    """
    with _connect() as connection:
        _write(connection, _rows(columns, paths), paths, target)


def replace_values(
    columns: Sequence[Column], values: Mapping[str, str], condition: str, path: Path, target: Path
) -> int:
    """Write a file's rows into another, with `values` in some columns. Returns in how many rows `condition` held.

    Where it held in none, nothing is written. Raises as `merge` does.
    """
    types = {column.name: TYPES[column.type] for column in columns}
    replaced = ", ".join(f"CAST({value} AS {types[name]}) AS {_quoted(name)}" for name, value in values.items())
    rows = _rows(columns, [path])
    with _connect() as connection:
        [(count,)] = _safely(connection, f"SELECT count(*) FROM ({rows}) WHERE {condition}")
        if count:
            _write(connection, f"SELECT * REPLACE ({replaced}) FROM ({rows})", [path], target)
    return int(count)


def _write(connection: duckdb.DuckDBPyConnection, rows: str, sources: Sequence[Path], target: Path) -> None:
    """The rows of a SELECT over the sources as a Parquet file, which has as many as they."""
    to_target = f"TO {_literal(str(target))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS})"
    connection.execute("SET threads = 1")  # memory grows with threads
    _safely(connection, f"COPY ({rows}) {to_target}")
    counted = "SELECT sum(num_rows) FROM parquet_file_metadata({})"
    same = f"SELECT ({counted}) = ({counted})".format(_names(sources), _names([target]))
    if connection.execute(same).fetchone() != (True,):
        raise BrokenPromise("RowsFile")


def _safely(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    import duckdb

    try:
        return connection.execute(sql).fetchall()
    except duckdb.IOException:
        raise OSError from None
    except duckdb.Error:
        raise BrokenPromise("RowsFile") from None


def _connect() -> duckdb.DuckDBPyConnection:
    import duckdb  # only who asks a question pays for it

    connection = duckdb.connect(":memory:", config=_CLOSED)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET parquet_metadata_cache = true")
    return connection


def _rows(columns: Sequence[Column], paths: Sequence[Path]) -> str:
    """A SELECT of the files' rows, in the columns' order; a column that a file has not is null."""
    nothing = ", ".join(f"NULL::{TYPES[column.type]} AS {_quoted(column.name)}" for column in columns)
    empty = f"SELECT {nothing} WHERE false"
    if not paths:
        return empty
    return f"{empty} UNION ALL BY NAME SELECT * FROM read_parquet({_names(paths)}, union_by_name = true)"


def _names(paths: Sequence[Path]) -> str:
    return "[" + ", ".join(_literal(str(path)) for path in paths) + "]"


def _shown(columns: Sequence[Column], paths: Sequence[Path]) -> str:
    """The rows as a person asks for them: JSON as JSON, instants in UTC."""
    outputs = ", ".join(_SHOWN.get(column.type, '"{0}"').format(column.name) for column in columns)
    return f"SELECT {outputs} FROM ({_rows(columns, paths)})"


def _quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _about(error: duckdb.Error) -> str:
    """What DuckDB says about a statement; what it says about a value stays unsaid."""
    import duckdb

    about_a_statement = isinstance(error, duckdb.ParserException | duckdb.BinderException | duckdb.CatalogException)
    return _first_line(str(error)) if about_a_statement else type(error).__name__


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _dicts(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for branch in tree.values():
            yield from _dicts(branch)
    elif isinstance(tree, list):
        for branch in tree:
            yield from _dicts(branch)


def _is_harmless(node: Mapping[str, Any]) -> bool:
    kind = node.get("type")
    if not isinstance(kind, str):
        return True
    if kind == "TABLE_FUNCTION":
        return node["function"]["function_name"] in TABLE_FUNCTIONS
    return not kind.endswith("_NODE") or kind in QUERY_NODES
