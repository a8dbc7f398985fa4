"""A warehouse in PostgreSQL: a load is one transaction, so it arrives whole and once, even if processes race."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sendit import parquet
from sendit.adapters.per_process import PerProcess
from sendit.adapters.postgresql.settings import PostgresqlDatabase
from sendit.adapters.postgresql.tables import are_made, column_name, make_tables
from sendit.adapters.postgresql.tag_calls import expanded
from sendit.adapters.true_times import REMOVED, is_told
from sendit.durable import disk
from sendit.errors import BrokenPromise, Misconfigured, SenditError, ServiceDown, ServiceRefused
from sendit.ports import TABLES, QueryResult, go_on

if TYPE_CHECKING:
    import psycopg

SERVICE = "warehouse"
CONNECT_SECONDS = 10
ROWS_AT_A_TIME = 500
"""How many rows are read, and answered, at a time, so that a worker's memory is bounded."""
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,60}")
_LOAD = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}")
_NAMES = {column.name.lower(): column.name for columns in TABLES.values() for column in columns}
"""The columns' names, by what PostgreSQL makes of them."""
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""A NUL in JSON text, which DICOM does not allow and PostgreSQL does not take."""


class PostgresqlWarehouse:
    """Keeps rows in two tables of a schema, which it makes and widens as needed.

    Parameters
    ----------
    choice : PostgresqlDatabase
    collection : str
        The schema's name; `-` becomes `_`, and letters become small ones.
    """

    def __init__(self, choice: PostgresqlDatabase, collection: str) -> None:
        if not _PLAIN.fullmatch(collection):
            raise Misconfigured("BadSetting", subject="SENDIT_GOOGLE_STORAGE_COLLECTION: letters, digits, _ and -")
        try:
            import psycopg  # noqa: F401
        except ImportError:
            raise Misconfigured("MissingExtra", subject="postgres") from None
        self._choice, self._schema = choice, '"' + collection.replace("-", "_").lower() + '"'
        self._connection: PerProcess[_Kept] = PerProcess(_Kept)

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
            `WarehouseDown`.
        ServiceRefused
            `CredentialsRefused`, `AccessDenied`, `LoadRefused`.
        """
        _ensure_named(table, load_id)
        with disk(SERVICE):
            count = parquet.count_rows(rows, TABLES[table], load_id=load_id)
            with self._connected() as connection, connection.transaction():
                _lock(connection, table, load_id)
                if not self._has(connection, table, load_id):
                    self._copy(connection, table, rows, check)
        return count

    def remove(self, table: str, load_id: str, check: Callable[[], None] = go_on) -> None:
        """Remove the rows of a load in one transaction. Raises as `load` does."""
        _ensure_named(table, load_id)
        check()
        with self._connected() as connection, connection.transaction():
            _lock(connection, table, load_id)
            connection.execute(f"DELETE FROM {self._schema}.{table} WHERE load_id = %s", (load_id,))

    def query(self, sql: str, seconds: float | None = None) -> QueryResult:
        """Run one SELECT in a transaction that may only read.

        Raises
        ------
        Misconfigured
            `BadQuery`: the statement is of another kind, cannot be run, or takes longer than `seconds`.
        """
        import psycopg

        statement = expanded(sql).strip().rstrip(";")
        if not statement:
            raise Misconfigured("BadQuery")
        with self._connected() as connection:
            try:
                return self._read(connection, statement, seconds)
            except _statement_errors() as error:
                raise Misconfigured("BadQuery", subject=_said(error)) from None
            except psycopg.InternalError:  # of the class 25: what changes something, or the transaction
                raise Misconfigured("BadQuery", subject="one statement, and one that only reads the tables") from None

    def _read(self, connection: psycopg.Connection[Any], statement: str, seconds: float | None) -> QueryResult:
        with connection.transaction():
            connection.execute("SET TRANSACTION READ ONLY")
            connection.execute(f"SET LOCAL search_path = {self._schema}")
            connection.execute(f"SET LOCAL statement_timeout = {int((seconds or 0) * 1000)}")
            # A cursor is declared for a SELECT only, and the extended protocol takes one statement only.
            with connection.cursor("asked") as cursor:
                cursor.itersize = ROWS_AT_A_TIME
                cursor.execute(statement.replace("%", "%%").encode(), ())
                names = tuple(_NAMES.get(column.name, column.name) for column in cursor.description or ())
                if not names:
                    raise Misconfigured("BadQuery")
                return QueryResult(names, list(cursor))

    def count_times(self) -> int:
        """Count the rows that tell when their batch was processed."""
        with self._connected() as connection:
            return sum(self._count_told(connection, table) for table in REMOVED)

    def _count_told(self, connection: psycopg.Connection[Any], table: str) -> int:
        row = connection.execute(f"SELECT count(*) FROM {self._schema}.{table} WHERE {is_told(table)}".encode())
        [(count,)] = row.fetchall()
        return int(count)

    def remove_times(self) -> int:
        """Remove those times with one UPDATE for each table, and return how many rows held one."""
        with self._connected() as connection, connection.transaction():
            return sum(self._remove_told(connection, table) for table in REMOVED)

    def _remove_told(self, connection: psycopg.Connection[Any], table: str) -> int:
        changes = ", ".join(f"{name} = {value}" for name, value in REMOVED[table].items())
        sql = f"UPDATE {self._schema}.{table} SET {changes} WHERE {is_told(table)}"
        return connection.execute(sql.encode()).rowcount

    # ------------------------------------------------------------------------------------------ a load

    def _has(self, connection: psycopg.Connection[Any], table: str, load_id: str) -> bool:
        known = connection.execute(f"SELECT 1 FROM {self._schema}.{table} WHERE load_id = %s LIMIT 1", (load_id,))
        return known.fetchone() is not None

    def _copy(self, connection: psycopg.Connection[Any], table: str, rows: Path, check: Callable[[], None]) -> None:
        from pyarrow.parquet import ParquetFile

        columns = TABLES[table]
        names = ", ".join(column_name(column.name) for column in columns)
        json_places = {place for place, column in enumerate(columns) if column.type == "JSON"}
        with (
            parquet.completed(rows, columns) as whole,
            ParquetFile(whole) as file,
            connection.cursor() as cursor,
            cursor.copy(f"COPY {self._schema}.{table} ({names}) FROM STDIN".encode()) as copy,
        ):
            for group in file.iter_batches(batch_size=ROWS_AT_A_TIME):
                check()
                for row in zip(*(column.to_pylist() for column in group.columns), strict=True):
                    copy.write_row([_plain(value, place in json_places) for place, value in enumerate(row)])

    # ------------------------------------------------------------------------------------------ the connection

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        """Give this process's connection, with the tables made; a connection that is lost is opened again next time."""
        import psycopg

        kept = self._connection.get()
        try:
            connection = kept.get(self._choice)
            if not kept.has_tables:
                if not are_made(connection, self._schema):
                    make_tables(connection, self._schema)
                kept.has_tables = True
            yield connection
        except psycopg.Error as error:
            kept.forget()
            raise _meaning(error) from None


class _Kept:
    """A connection that is kept between calls."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None
        self.has_tables = False

    def get(self, choice: PostgresqlDatabase) -> psycopg.Connection[Any]:
        """Return it. Raises Misconfigured where it is a superuser's, whose queries could read files of the server."""
        if self._connection is None or self._connection.closed:
            self._connection = _connect(choice)
        return self._connection

    def forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self.has_tables = None, False


def _connect(choice: PostgresqlDatabase) -> psycopg.Connection[Any]:
    import psycopg
    from psycopg.types.numeric import NumericLoader
    from psycopg.types.string import TextLoader

    class Number(NumericLoader):
        """Whole numbers of any size as int, others as float."""

        def load(self, data: Any) -> Any:
            found = super().load(data)
            return int(found) if found == found.to_integral_value() else float(found)

    connection = psycopg.connect(choice.url, autocommit=True, connect_timeout=CONNECT_SECONDS)
    if connection.info.parameter_status("is_superuser") == "on":
        connection.close()
        raise Misconfigured("BadSetting", subject=f"{choice.named_by}: an account that is no superuser")
    for name in ("json", "jsonb"):  # JSON is answered as text, as every warehouse does
        connection.adapters.register_loader(name, TextLoader)
    connection.adapters.register_loader("numeric", Number)
    return connection


def _ensure_named(table: str, load_id: str) -> None:
    if table not in TABLES or not _LOAD.fullmatch(load_id):
        raise BrokenPromise("LoadName")


def _lock(connection: psycopg.Connection[Any], table: str, load_id: str) -> None:
    """Let whatever is done to one load be done by one process at a time, until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"{table} {load_id}",))


def _plain(value: Any, is_json: bool) -> Any:
    """Return a value as COPY takes it."""
    if not isinstance(value, str):
        return value
    return _NUL.sub(r"\1", value) if is_json else value.replace("\0", "")


# ---------------------------------------------------------------------------------------------- errors


def _statement_errors() -> tuple[type[Exception], ...]:
    """The errors that a statement of a person's is to blame for."""
    from psycopg import errors

    return (errors.ProgrammingError, errors.DataError, errors.QueryCanceled, errors.NotSupportedError)


def _said(error: Exception) -> str | None:
    """Return PostgreSQL's message about a statement, where it names columns and words of it only, never a value."""
    from psycopg import errors

    if isinstance(error, errors.QueryCanceled):
        return "it takes too long"
    if isinstance(
        error, errors.UndefinedColumn | errors.UndefinedTable | errors.SyntaxError | errors.UndefinedFunction
    ):
        return str(error).partition("\n")[0]
    return None


def _meaning(error: Exception) -> SenditError:
    from psycopg import errors

    if isinstance(error, errors.InvalidPassword | errors.InvalidAuthorizationSpecification):
        return ServiceRefused("CredentialsRefused", subject=SERVICE)
    if isinstance(error, errors.InsufficientPrivilege):
        return ServiceRefused("AccessDenied", subject=SERVICE)
    if isinstance(error, errors.DataError):
        return ServiceRefused("LoadRefused")
    return ServiceDown("WarehouseDown")
