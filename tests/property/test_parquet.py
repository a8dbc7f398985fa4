"""Any rows come out of a Parquet file as they went in."""

from __future__ import annotations

import io
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from sendit import parquet
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
    assert pipe.written[:4] == pipe.written[-4:] == b"PAR1"
