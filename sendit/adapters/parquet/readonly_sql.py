"""SQL that can only read: a DuckDB whose only file system offers the tables' files and cannot write.

Safety does not rest on inspecting the statement. DuckDB has no local file system, no network and no extensions, its
configuration is locked, and the settings that it took from the environment are overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

from sendit.adapters.header_paths import addresses_in, header_path, unknown_address
from sendit.adapters.parquet import tag_functions
from sendit.adapters.series_view import series_view
from sendit.adapters.study_view import study_view
from sendit.errors import BrokenPromise, Misconfigured
from sendit.ports import Column, QueryResult

if TYPE_CHECKING:
    import duckdb

ROW_GROUP_ROWS = 20_480
MOST_ADDRESSES = 64
"""So many different addresses a statement may ask a header for."""
TYPES = {
    "STRING": "VARCHAR",
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMPTZ",
    "JSON": "VARCHAR",
}
_SHOWN = {"JSON": '"{0}"::JSON AS "{0}"', "TIMESTAMP": 'timezone(\'UTC\', "{0}") AS "{0}"'}
_CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "allow_persistent_secrets": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
}
_FORGOTTEN = ("home_directory", "http_proxy", "http_proxy_password", "http_proxy_username", "secret_directory")
"""Settings that SQL can read and that DuckDB, where they are empty, takes from the environment."""


class ReadOnlyTables:
    """A DuckDB with some tables, each made of the rows of Parquet files, that can reach nothing else.

    Parameters
    ----------
    schema : str
        Tables can be named with or without it: `IRB00000.dicom` is `dicom`.
    files : Mapping
        The columns and the files of each table; a table without files is empty.
    """

    def __init__(self, schema: str, files: Mapping[str, tuple[Sequence[Column], Sequence[Path]]]) -> None:
        from sendit.adapters.parquet.readonly_files import ReadOnlyFiles

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
            if {"dicom", "instance"} <= files.keys():
                self._connection.execute(f"CREATE VIEW series AS {series_view(_quoted)}")
                self._connection.execute(f"CREATE VIEW study AS {study_view(_quoted)}")
            self._close_in(readable.names)
            undo.pop_all()

    def _close_in(self, names: Sequence[str]) -> None:
        """Lock DuckDB: from here on it can reach only the named files, and SQL cannot undo it."""
        for setting in _FORGOTTEN:
            self._connection.execute(f"SET {setting} = 'none'")
        self._connection.execute(f"SET allowed_paths = {_list(names)}")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
        self._connection.execute("SET lock_configuration = true")

    def __enter__(self) -> ReadOnlyTables:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def query(self, untrusted_sql: str, seconds: float | None = None) -> QueryResult:
        """Run one statement, which ends after so many seconds.

        Raises
        ------
        Misconfigured
            `BadQuery`: it is not a single statement that only reads, or DuckDB cannot run it.
        """
        addresses = addresses_in(untrusted_sql)
        while True:
            try:
                return self._answer(untrusted_sql, addresses, seconds)
            except _UnknownAddress as unknown:
                header_path(unknown.address)  # raises where it is none
                if unknown.address in addresses or len(addresses) >= MOST_ADDRESSES:
                    raise Misconfigured("BadQuery", subject="tag: name the keywords in the statement") from None
                addresses.add(unknown.address)

    def _answer(self, untrusted_sql: str, addresses: set[str], seconds: float | None) -> QueryResult:
        with _bad_query():
            tag_functions.define(self._connection, addresses)
            statements = self._connection.extract_statements(untrusted_sql)
            if not _is_one_select(statements):
                raise Misconfigured("BadQuery", subject="one statement, and one that only reads the tables")
            with self._ended_after(seconds):
                self._connection.execute(statements[0])
                rows = self._connection.fetchall()
            return QueryResult(tuple(column[0] for column in self._connection.description or ()), rows)

    @contextmanager
    def _ended_after(self, seconds: float | None) -> Iterator[None]:
        if seconds is None:
            yield
            return
        timer = Timer(seconds, self._connection.interrupt)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


class _UnknownAddress(Exception):
    """The statement asks a header for an address that the macros do not know."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address


@contextmanager
def _bad_query() -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        address = unknown_address(str(error))
        if address is not None:
            raise _UnknownAddress(address) from None
        raise Misconfigured("BadQuery", subject=_about(error)) from None


def _is_one_select(statements: Sequence[duckdb.Statement]) -> bool:
    """Return whether there is one SELECT. This is for clear errors only; the locked DuckDB keeps the files safe."""
    import duckdb

    try:
        return [statement.type for statement in statements] == [duckdb.StatementType.SELECT]
    except ValueError:  # DuckDB has kinds of statements that its Python package has no name for
        return False


def merge(columns: Sequence[Column], paths: Sequence[Path], target: Path) -> None:
    """Write the rows of many files into one, keeping their order.

    Raises
    ------
    BrokenPromise
        `RowsFile`: a source cannot be read, or the new file has another number of rows than the sources.
    OSError
        The disk refused.
    """
    with _connect() as connection:
        _write(connection, _all_rows(columns, paths), paths, target)


def replace_values(
    columns: Sequence[Column], values: Mapping[str, str], condition: str, path: Path, target: Path
) -> int:
    """Write a file's rows into another, with `values` in some columns. Returns how many rows meet `condition`.

    If no row meets it, nothing is written. Raises as `merge` does.
    """
    types = {column.name: TYPES[column.type] for column in columns}
    replaced = ", ".join(f"CAST({value} AS {types[name]}) AS {_quoted(name)}" for name, value in values.items())
    rows = _all_rows(columns, [path])
    with _connect() as connection:
        [(count,)] = _safely(connection, f"SELECT count(*) FROM ({rows}) WHERE {condition}")
        if count:
            _write(connection, f"SELECT * REPLACE ({replaced}) FROM ({rows})", [path], target)
    return int(count)


def drop_load(columns: Sequence[Column], load_id: str, path: Path, target: Path) -> int:
    """Write a file's rows into another, without those of a load. Returns how many those are.

    If there are none, nothing is written. Raises as `merge` does.
    """
    rows = _all_rows(columns, [path])
    with _connect() as connection:
        [(count,)] = _safely(connection, f"SELECT count(*) FROM ({rows}) WHERE load_id = {_literal(load_id)}")
        if count:
            kept = f"SELECT * FROM ({rows}) WHERE load_id IS DISTINCT FROM {_literal(load_id)}"
            _write(connection, kept, [path], target, dropped=int(count))
    return int(count)


def _write(
    connection: duckdb.DuckDBPyConnection, rows: str, sources: Sequence[Path], target: Path, dropped: int = 0
) -> None:
    """Write the rows of a SELECT over the sources as a Parquet file.

    Raises `RowsFile` if it has another number of rows than they have, less those that are dropped.
    """
    to_target = f"TO {_literal(str(target))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS})"
    connection.execute("SET threads = 1")  # memory grows with threads
    _safely(connection, f"COPY ({rows}) {to_target}")
    counted = "SELECT sum(num_rows) FROM parquet_file_metadata({})"
    same = f"SELECT ({counted}) = ({counted}) + {dropped}".format(_list(map(str, sources)), _list([str(target)]))
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
    import duckdb  # slow to import, and needed for questions only

    connection = duckdb.connect(":memory:", config=_CLOSED)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET parquet_metadata_cache = true")
    return connection


def _all_rows(columns: Sequence[Column], paths: Sequence[Path]) -> str:
    """Return a SELECT of the files' rows with all columns of all files; a column that a file lacks is null."""
    read = f"read_parquet({_list(map(str, paths))}, union_by_name = true)"
    return f"{_no_rows(columns)} UNION ALL BY NAME SELECT * FROM {read}"


def _typed_rows(columns: Sequence[Column], names: Sequence[str]) -> str:
    """Return a SELECT of the files' rows with just these columns. The schema is given, so no file is opened for it."""
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
    """Return a SELECT of the rows as they are shown: JSON as JSON, instants in UTC."""
    outputs = ", ".join(map(_output, columns))
    return f"SELECT {outputs} FROM ({rows})"


def _output(column: Column) -> str:
    if column.absent is not None:
        return f"coalesce({_quoted(column.name)}, {column.absent}) AS {_quoted(column.name)}"
    return _SHOWN.get(column.type, '"{0}"').format(column.name)


def _list(texts: Iterable[str]) -> str:
    return "[" + ", ".join(map(_literal, texts)) + "]"


def _quoted(name: str) -> str:
    """Return the name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    """Return the text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _about(error: duckdb.Error) -> str:
    """Return DuckDB's message if it is about the statement, or else only the error's name: it may quote a value."""
    import duckdb

    about_a_statement = isinstance(error, duckdb.ParserException | duckdb.BinderException | duckdb.CatalogException)
    return str(error).partition("\n")[0] if about_a_statement else type(error).__name__
