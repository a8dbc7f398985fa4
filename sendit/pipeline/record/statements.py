"""The statements that every batch costs. Their text is made once for each set of columns: Django's compiler takes
several times as long over one of them as the database does.

Columns and values are those of the model's fields; a value is prepared by its field, as Django does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import NoneType
from typing import Any

from django.db import connection, models
from django.db.models import Model


def insert(model: type[Model], *rows: Mapping[str, Any]) -> None:
    """Rows that all have values for the same columns."""
    statement = _insert(model, tuple(rows[0]))
    with connection.cursor() as cursor:
        if len(rows) == 1:
            cursor.execute(statement, prepared(model, rows[0]))
        else:
            cursor.executemany(statement, [prepared(model, row) for row in rows])


def update(model: type[Model], values: Mapping[str, Any], where: Mapping[str, Any]) -> int:
    """The rows in which the columns of `where` have its values; returns how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(_update(model, tuple(values), tuple(where)), prepared(model, values) + prepared(model, where))
        return int(cursor.rowcount)


def delete(model: type[Model], where: Mapping[str, Any]) -> None:
    """The rows in which the columns of `where` have its values."""
    with connection.cursor() as cursor:
        cursor.execute(_delete(model, tuple(where)), prepared(model, where))


@cache
def _delete(model: type[Model], where: tuple[str, ...]) -> str:
    return f"DELETE FROM {_quoted(model._meta.db_table)} WHERE {_terms(model, where)}"


@cache
def _insert(model: type[Model], names: tuple[str, ...]) -> str:
    columns = ", ".join(_column(model, name) for name in names)
    return f"INSERT INTO {_quoted(model._meta.db_table)} ({columns}) VALUES ({', '.join(['%s'] * len(names))})"


@cache
def _update(model: type[Model], names: tuple[str, ...], where: tuple[str, ...]) -> str:
    return f"UPDATE {_quoted(model._meta.db_table)} SET {assignments(model, names)} WHERE {_terms(model, where)}"


def assignments(model: type[Model], names: tuple[str, ...]) -> str:
    """`column = %s, …`."""
    return ", ".join(f"{_column(model, name)} = %s" for name in names)


def prepared(model: type[Model], values: Mapping[str, Any]) -> list[Any]:
    """The values as the database takes them."""
    fields = _fields(model, tuple(values))
    return [
        value if value.__class__ in taken else field.get_db_prep_save(value, connection)
        for (field, taken), value in zip(fields, values.values(), strict=True)
    ]


_TAKEN_AS_IT_IS: dict[type[Any], frozenset[type[Any]]] = {
    models.CharField: frozenset({str, NoneType}),
    models.BigIntegerField: frozenset({int, NoneType}),
    models.BigAutoField: frozenset({int, NoneType}),
    models.PositiveIntegerField: frozenset({int, NoneType}),
    models.PositiveSmallIntegerField: frozenset({int, NoneType}),
    models.BinaryField: frozenset({bytes, NoneType}),
    models.JSONField: frozenset({NoneType}),
}
"""Types of values that every database takes as they are, by the exact type of their field."""


@cache
def _fields(model: type[Model], names: tuple[str, ...]) -> list[tuple[Any, frozenset[type[Any]]]]:
    fields = [model._meta.get_field(name) for name in names]
    return [(field, _TAKEN_AS_IT_IS.get(type(_target(field)), frozenset())) for field in fields]


def _target(field: Any) -> Any:
    """The field whose values a foreign key has."""
    return field.target_field if field.is_relation else field


def _terms(model: type[Model], names: tuple[str, ...]) -> str:
    return " AND ".join(f"{_column(model, name)} = %s" for name in names)


def _column(model: type[Model], name: str) -> str:
    return _quoted(str(model._meta.get_field(name).column))  # type: ignore[union-attr]


def _quoted(name: str) -> str:
    return f'"{name}"'
