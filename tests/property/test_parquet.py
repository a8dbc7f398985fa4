"""Any rows come out of a Parquet file as they went in; any footer is read or refused."""

from __future__ import annotations

import io
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from sendit import parquet, thrift
from sendit.ports import Column

COLUMNS = (Column("s", "STRING", ""), Column("i", "INT64", ""), Column("d", "DATE", ""), Column("t", "TIMESTAMP", ""))
DUCKDB = duckdb.connect()
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
INSTANTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda naive: naive.replace(tzinfo=UTC))
ROWS = st.lists(
    st.tuples(
        st.none() | TEXT,
        st.none() | st.integers(-(1 << 63), (1 << 63) - 1),
        st.none() | st.dates(),
        st.none() | INSTANTS,
    ),
    max_size=60,
)


@settings(max_examples=100, deadline=None)
@given(ROWS, st.integers(1, 200))
def test_rows_come_back(rows: list[tuple[Any, ...]], group_bytes: int) -> None:
    whole = parquet.ROW_GROUP_BYTES
    parquet.ROW_GROUP_BYTES = group_bytes
    try:
        with tempfile.NamedTemporaryFile(suffix=".parquet") as stream:
            parquet.write(stream, COLUMNS, [dict(zip("sidt", row, strict=True)) for row in rows])
            stream.flush()
            assert parquet.count_rows(Path(stream.name), COLUMNS) == len(rows)
            sql = f"SELECT s, i, d, timezone('UTC', t) FROM read_parquet('{stream.name}')"
            found = DUCKDB.execute(sql).fetchall()
    finally:
        parquet.ROW_GROUP_BYTES = whole
    assert found == [(*row[:3], row[3] and row[3].replace(tzinfo=None)) for row in rows]


FIELDS = st.deferred(
    lambda: st.dictionaries(
        st.integers(1, 200),
        st.integers(-(1 << 63), (1 << 63) - 1) | st.binary(max_size=20) | st.just(True) | STRUCTS | LISTS,
    )
)
STRUCTS = FIELDS.map(lambda fields: ("struct", fields))
LISTS = st.lists(st.integers(-5, 5), max_size=40)


def encoded(fields: dict[int, Any]) -> list[thrift.Field]:
    return [(number, *_kind(value)) for number, value in sorted(fields.items())]


def _kind(value: Any) -> tuple[int, Any]:
    if value is True:
        return thrift.TRUE, True
    if isinstance(value, int):
        return thrift.I64, value
    if isinstance(value, bytes):
        return thrift.BINARY, value
    return (thrift.LIST, (thrift.I32, value)) if isinstance(value, list) else (thrift.STRUCT, encoded(value[1]))


def plain(fields: dict[int, Any]) -> dict[int, Any]:
    return {number: plain(value[1]) if isinstance(value, tuple) else value for number, value in fields.items()}


@settings(max_examples=50)
@given(FIELDS)
def test_a_struct_comes_back(fields: dict[int, Any]) -> None:
    if all(after - before <= 15 for before, after in zip([0, *sorted(fields)], sorted(fields), strict=False)):
        assert thrift.decode(thrift.encode(encoded(fields))) == plain(fields)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_struct_or_are_refused(untrusted: bytes) -> None:
    with suppress(ValueError):
        assert isinstance(thrift.decode(untrusted), dict)


def test_a_stream_that_cannot_seek_will_do() -> None:
    class Pipe(io.RawIOBase):
        written = b""

        def writable(self) -> bool:
            return True

        def write(self, piece: Any) -> int:
            self.written += bytes(piece)
            return len(piece)

    pipe = Pipe()
    parquet.write(pipe, COLUMNS, [{"s": "a"}])  # type: ignore[arg-type]
    assert pipe.written[:4] == pipe.written[-4:] == parquet.MAGIC
