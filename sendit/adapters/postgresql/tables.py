"""The tables and views of a warehouse in PostgreSQL: made when missing, given columns that they lack, never narrowed.

Names are not quoted, so a statement may write them in any case, as in the other warehouses. Two domains, `int64` and
`float64`, are the types by which the other dialects know whole and real numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sendit.adapters.series_view import series_view
from sendit.adapters.study_view import study_view
from sendit.ports import TABLES, Column

TYPES = {
    "STRING": "text",
    "INT64": "bigint",
    "FLOAT64": "double precision",
    "DATE": "date",
    "TIMESTAMP": "timestamptz",
    "JSON": "jsonb",
}
DOMAINS = {"int64": "bigint", "float64": "double precision"}
INDEXES = {
    "dicom": ("load_id", "CodedAccessionNumberID", "StudyInstanceUID"),
    "instance": ("load_id", "CodedAccessionNumberID", "SeriesInstanceUID"),
}
_RESERVED = frozenset({"offset"})
MAKING = 0x5E4D17
"""The advisory lock under which tables are made, by one process at a time."""


def column_name(name: str) -> str:
    """Return a column's name as a statement writes it."""
    return f'"{name}"' if name in _RESERVED else name


def make_tables(connection: Any, schema: str) -> None:
    """Make whatever is missing of the schema, whose name is quoted, in one transaction."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (MAKING,))
        connection.execute(f"SET LOCAL search_path = {schema}")  # for the domains in the views
        for statement in _statements(connection, schema):
            connection.execute(statement)


def are_made(connection: Any, schema: str) -> bool:
    """Return whether the schema has everything that this version needs."""
    return not list(_statements(connection, schema, with_views=False))


def _statements(connection: Any, schema: str, with_views: bool = True) -> Iterator[str]:
    there = _columns(connection, schema)
    if not there:
        yield f"CREATE SCHEMA IF NOT EXISTS {schema}"
        for name, of in DOMAINS.items():
            yield f"CREATE DOMAIN {schema}.{name} AS {of}"
    for table, columns in TABLES.items():
        if table not in there:
            yield f"CREATE TABLE {schema}.{table} ({', '.join(map(_declared, columns))})"
            yield from (f"CREATE INDEX ON {schema}.{table} ({name})" for name in INDEXES[table])
            yield from _comments(schema, table, columns)
        else:
            missing = [column for column in columns if column.name.lower() not in there[table]]
            yield from (f"ALTER TABLE {schema}.{table} ADD COLUMN {_declared(column)}" for column in missing)
            yield from _comments(schema, table, missing)
    if with_views:
        for view, select in (("series", series_view), ("study", study_view)):
            yield f"DROP VIEW IF EXISTS {schema}.{view}"
            yield f"CREATE VIEW {schema}.{view} AS {select(str, f'{schema}.instance', f'{schema}.dicom')}"


def _columns(connection: Any, schema: str) -> dict[str, set[str]]:
    rows = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s",
        (schema.strip('"'),),
    ).fetchall()
    found: dict[str, set[str]] = {}
    for table, column in rows:
        found.setdefault(table, set()).add(column)
    return found


def _declared(column: Column) -> str:
    default = "" if column.absent is None else f" DEFAULT {column.absent}"
    return f"{column_name(column.name)} {TYPES[column.type]}{default}"


def _comments(schema: str, table: str, columns: Iterable[Column]) -> Iterator[str]:
    for column in columns:
        says = column.description.replace("'", "''")
        yield f"COMMENT ON COLUMN {schema}.{table}.{column_name(column.name)} IS '{says}'"
