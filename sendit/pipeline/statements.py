"""The statements that every batch costs. Their text is made once for each set of columns: Django's compiler takes
several times as long over one of them as the database does.

Columns and values are those of the model's fields; a value is prepared by its field, as Django does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Model


def insert(model: type[Model], values: Mapping[str, Any]) -> None:
    """One row."""
    with connection.cursor() as cursor:
        cursor.execute(_insert(model, tuple(values)), prepared(model, values))


def update(model: type[Model], values: Mapping[str, Any], where: Mapping[str, Any]) -> int:
    """The rows in which the columns of `where` have its values; returns how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(_update(model, tuple(values), tuple(where)), prepared(model, values) + prepared(model, where))
        return int(cursor.rowcount)


@cache
def _insert(model: type[Model], names: tuple[str, ...]) -> str:
    columns = ", ".join(_column(model, name) for name in names)
    return f"INSERT INTO {_quoted(model._meta.db_table)} ({columns}) VALUES ({', '.join(['%s'] * len(names))})"


@cache
def _update(model: type[Model], names: tuple[str, ...], where: tuple[str, ...]) -> str:
    table, terms = _quoted(model._meta.db_table), " AND ".join(f"{_column(model, name)} = %s" for name in where)
    return f"UPDATE {table} SET {assignments(model, names)} WHERE {terms}"


def assignments(model: type[Model], names: tuple[str, ...]) -> str:
    """`column = %s, …`."""
    return ", ".join(f"{_column(model, name)} = %s" for name in names)


def prepared(model: type[Model], values: Mapping[str, Any]) -> list[Any]:
    """The values as the database takes them."""
    fields = model._meta
    return [fields.get_field(name).get_db_prep_save(value, connection) for name, value in values.items()]  # type: ignore[union-attr]


def _column(model: type[Model], name: str) -> str:
    return _quoted(str(model._meta.get_field(name).column))  # type: ignore[union-attr]


def _quoted(name: str) -> str:
    return f'"{name}"'
