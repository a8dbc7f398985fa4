"""Flat Parquet files: written row by row in bounded memory, and recognised by their footer.

The part of the Apache Parquet format that the warehouse's tables need: optional columns, one PLAIN page of a column in
a row group, gzip. Why no library writes them: `docs/decisions/0004-parquet.md`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from isal import isal_zlib

from sendit import thrift
from sendit.errors import BrokenPromise
from sendit.ports import Column
from sendit.thrift import BINARY, I32, I64, LIST, STRUCT, TRUE, Field

MAGIC = b"PAR1"
ROW_GROUP_ROWS = 10_000
ROW_GROUP_BYTES = 8 << 20
"""What is held in memory, text counted, before a row group is written."""
_PLAIN, _RLE, _OPTIONAL, _GZIP, _DATA_PAGE = 0, 3, 1, 2, 0
_INT32, _INT64, _BYTE_ARRAY = 1, 2, 6
_EPOCH_DAY = date(1970, 1, 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = Mapping[str, object]


# ---------------------------------------------------------------------------------------------- column types


def _text(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError
    return value.encode()


def _json(value: object) -> bytes:
    return _text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _days(value: object) -> int:
    day = value if isinstance(value, date) else date.fromisoformat(_text(value).decode())
    return (day - _EPOCH_DAY).days


def _microseconds(value: object) -> int:
    instant = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value).decode())
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _plain_int64(values: Sequence[Any]) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def _plain_int32(values: Sequence[Any]) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def _plain_bytes(values: Sequence[bytes]) -> bytes:
    return b"".join([piece for value in values for piece in (len(value).to_bytes(4, "little"), value)])


@dataclass(frozen=True, slots=True)
class _Type:
    """How a BigQuery type stands in Parquet: physical type, annotations, and how values become bytes."""

    physical: int
    converted: int | None
    logical: Field | None
    prepare: Callable[[Any], Any]
    plain: Callable[[Sequence[Any]], bytes]


_STRING_TYPE: Field = (1, STRUCT, [])
_DATE_TYPE: Field = (6, STRUCT, [])
_UTC_MICROSECONDS_TYPE: Field = (8, STRUCT, [(1, TRUE, True), (2, STRUCT, [(2, STRUCT, [])])])

# JSON stands as text: BigQuery loads no Parquet into a JSON column, its MERGE parses the text.
_TYPES: dict[str, _Type] = {
    "STRING": _Type(_BYTE_ARRAY, 0, _STRING_TYPE, _text, _plain_bytes),
    "JSON": _Type(_BYTE_ARRAY, 0, _STRING_TYPE, _json, _plain_bytes),
    "INT64": _Type(_INT64, None, None, int.__index__, _plain_int64),
    "DATE": _Type(_INT32, 6, _DATE_TYPE, _days, _plain_int32),
    "TIMESTAMP": _Type(_INT64, 10, _UTC_MICROSECONDS_TYPE, _microseconds, _plain_int64),
}


# ---------------------------------------------------------------------------------------------- writing


def write(stream: BinaryIO, columns: Sequence[Column], rows: Iterable[Row]) -> int:
    """Write rows as one Parquet file; the same rows make the same bytes. Returns their number.

    A row's missing and None values are nulls; DATE and TIMESTAMP are taken as Python's or in ISO 8601, an instant with
    its offset; JSON is its text or what `json.dumps` takes.

    Raises
    ------
    BrokenPromise
        `RowsValue`: a value does not fit its column, or has none.
    """
    stream.write(MAGIC)
    offset, count, groups = len(MAGIC), 0, []
    for group in _groups(columns, rows):
        size, chunks, group_bytes = len(group[0]), [], 0
        for column, values in zip(columns, group, strict=True):
            page, page_bytes = _page(column, values)
            chunks.append(_chunk(column, size, offset, len(page), page_bytes))
            offset += stream.write(page)
            group_bytes += page_bytes
        groups.append([(1, LIST, (STRUCT, chunks)), (2, I64, group_bytes), (3, I64, size)])
        count += size
    footer = thrift.encode(_footer(columns, count, groups))
    stream.write(footer + len(footer).to_bytes(4, "little") + MAGIC)
    return count


def _groups(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[list[list[Any]]]:
    """Row groups, each a list of values a column."""
    prepare = [(column.name, _TYPES[column.type].prepare) for column in columns]
    held: list[list[Any]] = []
    held_bytes = 0
    for row in rows:
        held.append(_prepared(prepare, row))
        held_bytes += sum([len(value) for value in held[-1] if type(value) is bytes])
        if len(held) >= ROW_GROUP_ROWS or held_bytes >= ROW_GROUP_BYTES:
            yield [list(values) for values in zip(*held, strict=True)]
            held, held_bytes = [], 0
    if held:
        yield [list(values) for values in zip(*held, strict=True)]


def _prepared(prepare: Sequence[tuple[str, Callable[[Any], Any]]], row: Row) -> list[Any]:
    values, name = [], ""
    try:
        for name, convert in prepare:
            value = row.get(name)
            values.append(None if value is None else convert(value))
    except (TypeError, ValueError):
        raise BrokenPromise("RowsValue", subject=name) from None
    if len(row) > len(values) or not row.keys() <= {name for name, _ in prepare}:
        raise BrokenPromise("RowsValue")
    return values


def _page(column: Column, values: Sequence[Any]) -> tuple[bytes, int]:
    """A column's one page in a row group: header, and gzipped levels and values; and its size before compression."""
    levels = b"".join(
        [thrift.varint(len(list(run)) << 1) + bytes([there]) for there, run in groupby(values, _is_there)]
    )
    try:
        plain = _TYPES[column.type].plain([value for value in values if value is not None])
    except struct.error:
        raise BrokenPromise("RowsValue", subject=column.name) from None
    body = len(levels).to_bytes(4, "little") + levels + plain
    packed = isal_zlib.compress(body, 1, 31)
    data_page = [(1, I32, len(values)), (2, I32, _PLAIN), (3, I32, _RLE), (4, I32, _RLE)]
    header = thrift.encode([(1, I32, _DATA_PAGE), (2, I32, len(body)), (3, I32, len(packed)), (5, STRUCT, data_page)])
    return header + packed, len(header) + len(body)


def _is_there(value: Any) -> bool:
    return value is not None


def _chunk(column: Column, count: int, offset: int, packed: int, uncompressed: int) -> list[Field]:
    facts: list[Field] = [
        (1, I32, _TYPES[column.type].physical),
        (2, LIST, (I32, [_PLAIN, _RLE])),
        (3, LIST, (BINARY, [column.name.encode()])),
        (4, I32, _GZIP),
        (5, I64, count),
        (6, I64, uncompressed),
        (7, I64, packed),
        (9, I64, offset),
    ]
    return [(2, I64, offset), (3, STRUCT, facts)]


def _footer(columns: Sequence[Column], count: int, groups: Sequence[Sequence[Field]]) -> list[Field]:
    schema = [[(4, BINARY, b"schema"), (5, I32, len(columns))], *map(_element, columns)]
    return [
        (1, I32, 1),
        (2, LIST, (STRUCT, schema)),
        (3, I64, count),
        (4, LIST, (STRUCT, groups)),
        (6, BINARY, b"sendit"),
    ]


def _element(column: Column) -> list[Field]:
    kind = _TYPES[column.type]
    fields: list[Field | None] = [
        (1, I32, kind.physical),
        (3, I32, _OPTIONAL),
        (4, BINARY, column.name.encode()),
        None if kind.converted is None else (6, I32, kind.converted),
        None if kind.logical is None else (10, STRUCT, [kind.logical]),
    ]
    return [field for field in fields if field]


# ---------------------------------------------------------------------------------------------- recognising


def count_rows(path: Path, columns: Sequence[Column]) -> int:
    """The number of rows of a Parquet file with just these columns, of these types.

    Raises
    ------
    BrokenPromise
        `RowsFile`: it is another file.
    """
    expected = [(column.name.encode(), _TYPES[column.type].physical) for column in columns]
    try:
        footer = thrift.decode(_read_footer(path))
        found = [(element[4], element[1]) for element in footer[2][1:]]
        count = int(footer[3])
    except (ValueError, LookupError, TypeError):
        raise BrokenPromise("RowsFile") from None
    if found != expected:
        raise BrokenPromise("RowsFile")
    return count


def _read_footer(path: Path) -> bytes:
    with path.open("rb") as stream:
        head, size = stream.read(len(MAGIC)), stream.seek(0, 2)
        stream.seek(max(0, size - 8))
        tail = stream.read()
        length = int.from_bytes(tail[:4], "little")
        if head != MAGIC or tail[4:] != MAGIC or length + 12 > size:
            raise ValueError("no Parquet file")
        stream.seek(size - 8 - length)
        return stream.read(length)
