"""SQL that can only read: a DuckDB whose one file system holds the tables' files and cannot write.

No statement is searched for what it must not do. DuckDB has no local file system, no network and no extensions, its
configuration is locked, and what the environment told it about this machine is overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sendit.errors import BrokenPromise, Misconfigured
from sendit.ports import Column, QueryResult

if TYPE_CHECKING:
    import duckdb

ROW_GROUP_ROWS = 20_480
TYPES = {"STRING": "VARCHAR", "INT64": "BIGINT", "DATE": "DATE", "TIMESTAMP": "TIMESTAMPTZ", "JSON": "VARCHAR"}
_SHOWN = {"JSON": '"{0}"::JSON AS "{0}"', "TIMESTAMP": 'timezone(\'UTC\', "{0}") AS "{0}"'}
_CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "allow_persistent_secrets": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
}
_FORGOTTEN = ("home_directory", "http_proxy", "http_proxy_password", "http_proxy_username", "secret_directory")
"""Settings that DuckDB takes from the environment where they are empty, and that SQL can read."""


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
        from sendit.adapters.readonly_files import ReadOnlyFiles

        readable = ReadOnlyFiles([path for _, paths in files.values() for path in paths])
        names = iter(readable.names)
        self._connection = _connect()
        with ExitStack() as undo, _bad_query():
            undo.callback(self._connection.close)
            self._connection.register_filesystem(readable)
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema)}")
            self._connection.execute(f"USE {_quoted(schema)}")
            for table, (columns, paths) in files.items():
                rows = _typed_rows(columns, [next(names) for _ in paths])
                self._connection.execute(f"CREATE VIEW {_quoted(table)} AS {_shown(columns, rows)}")
            self._close_in(readable.names)
            undo.pop_all()

    def _close_in(self, names: Sequence[str]) -> None:
        """From here on nothing but the named files can be reached, and nothing of this can be undone."""
        for setting in _FORGOTTEN:
            self._connection.execute(f"SET {setting} = 'none'")
        self._connection.execute(f"SET allowed_paths = {_list(names)}")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
        self._connection.execute("SET lock_configuration = true")

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
        with _bad_query():
            statements = self._connection.extract_statements(untrusted_sql)
            if not _is_one_select(statements):
                raise Misconfigured("BadQuery", subject="one statement, and one that only reads the tables")
            self._connection.execute(statements[0])
            rows = self._connection.fetchall()
            return QueryResult(tuple(column[0] for column in self._connection.description or ()), rows)


@contextmanager
def _bad_query() -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise Misconfigured("BadQuery", subject=_about(error)) from None


def _is_one_select(statements: Sequence[duckdb.Statement]) -> bool:
    """Not what keeps the files safe: other statements would only be without use here."""
    import duckdb

    try:
        return [statement.type for statement in statements] == [duckdb.StatementType.SELECT]
    except ValueError:  # DuckDB has kinds of statements that its Python package has no name for
        return False


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
        _write(connection, _all_rows(columns, paths), paths, target)


def replace_values(
    columns: Sequence[Column], values: Mapping[str, str], condition: str, path: Path, target: Path
) -> int:
    """Write a file's rows into another, with `values` in some columns. Returns in how many rows `condition` held.

    Where it held in none, nothing is written. Raises as `merge` does.
    """
    types = {column.name: TYPES[column.type] for column in columns}
    replaced = ", ".join(f"CAST({value} AS {types[name]}) AS {_quoted(name)}" for name, value in values.items())
    rows = _all_rows(columns, [path])
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
    same = f"SELECT ({counted}) = ({counted})".format(_list(map(str, sources)), _list([str(target)]))
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


def _all_rows(columns: Sequence[Column], paths: Sequence[Path]) -> str:
    """A SELECT of the files' rows with every column that a file has; a column that it lacks is null."""
    read = f"read_parquet({_list(map(str, paths))}, union_by_name = true)"
    return f"{_no_rows(columns)} UNION ALL BY NAME SELECT * FROM {read}"


def _typed_rows(columns: Sequence[Column], names: Sequence[str]) -> str:
    """The same with just these columns. DuckDB is told the schema, and so opens no file before it reads its rows."""
    if not names:
        return _no_rows(columns)
    fields = (
        f"{_literal(column.name)}: {{name: {_literal(column.name)}, type: '{TYPES[column.type]}', default_value: NULL}}"
        for column in columns
    )
    return f"SELECT * FROM read_parquet({_list(names)}, schema = MAP {{{', '.join(fields)}}})"


def _no_rows(columns: Sequence[Column]) -> str:
    nothing = ", ".join(f"NULL::{TYPES[column.type]} AS {_quoted(column.name)}" for column in columns)
    return f"SELECT {nothing} WHERE false"


def _shown(columns: Sequence[Column], rows: str) -> str:
    """The rows as a person asks for them: JSON as JSON, instants in UTC."""
    outputs = ", ".join(_SHOWN.get(column.type, '"{0}"').format(column.name) for column in columns)
    return f"SELECT {outputs} FROM ({rows})"


def _list(texts: Iterable[str]) -> str:
    return "[" + ", ".join(map(_literal, texts)) + "]"


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
    return str(error).partition("\n")[0] if about_a_statement else type(error).__name__
