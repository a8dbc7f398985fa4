"""Parquet as sendit writes it, read by DuckDB, which shares no line with it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sendit import parquet
from sendit.errors import BrokenPromise
from sendit.ports import TABLES, Column

COLUMNS = tuple(
    Column(name, kind, "")
    for name, kind in [("s", "STRING"), ("i", "INT64"), ("d", "DATE"), ("t", "TIMESTAMP"), ("j", "JSON")]
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.parquet"


def write(path: Path, rows: list[dict[str, Any]], columns: tuple[Column, ...] = COLUMNS) -> int:
    with path.open("wb") as stream:
        return parquet.write(stream, columns, rows)


def read(path: Path) -> list[tuple[Any, ...]]:
    sql = f"SELECT s, i, d, timezone('UTC', t), j FROM read_parquet('{path}')"
    with duckdb.connect() as connection:
        return connection.execute(sql).fetchall()


def test_values_come_back(path: Path) -> None:
    instant = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    rows = [
        {"s": "text", "i": 1, "d": date(2010, 2, 9), "t": instant, "j": '{"a": 1}'},
        {"s": "", "i": -(1 << 63), "d": date(1, 1, 1), "t": datetime(1, 1, 1, tzinfo=UTC), "j": "[]"},
        {
            "s": "Größe 画像 \0 \n",
            "i": (1 << 63) - 1,
            "d": date(9999, 12, 31),
            "t": datetime(1969, 12, 31, tzinfo=UTC),
            "j": "0",
        },
    ]
    assert write(path, rows) == 3
    assert read(path) == [
        ("text", 1, date(2010, 2, 9), instant.replace(tzinfo=None), '{"a": 1}'),
        ("", -(1 << 63), date(1, 1, 1), datetime(1, 1, 1), "[]"),
        ("Größe 画像 \0 \n", (1 << 63) - 1, date(9999, 12, 31), datetime(1969, 12, 31), "0"),
    ]


def test_days_and_instants_may_be_written_in_iso_8601_and_json_as_what_it_means(path: Path) -> None:
    rows = [
        {"d": "2010-02-09", "t": "2026-01-02T04:04:05+01:00", "j": {"ü": [1, None]}},
        {"d": "20100209", "t": datetime(2026, 1, 2, 4, 4, 5, tzinfo=timezone(timedelta(hours=1)))},
    ]
    write(path, rows)
    instant = datetime(2026, 1, 2, 3, 4, 5)
    assert read(path) == [
        (None, None, date(2010, 2, 9), instant, '{"ü":[1,null]}'),
        (None, None, date(2010, 2, 9), instant, None),
    ]


@pytest.mark.parametrize("there", ["", "1", "0", "01", "10", "0" * 300 + "1" * 300, "01" * 200, "1" * 70_000])
def test_nulls_stand_where_they_stood(path: Path, there: str) -> None:
    rows = [{"i": number if one == "1" else None} for number, one in enumerate(there)]
    write(path, rows)
    assert [row[1] for row in read(path)] == [row["i"] for row in rows]


def test_many_row_groups_hold_what_one_would(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 1_000)
    rows = [{"s": str(number) * 50, "i": number} for number in range(500)]
    write(path, rows)
    with duckdb.connect() as connection:
        [(groups,)] = connection.execute(f"SELECT num_row_groups FROM parquet_file_metadata('{path}')").fetchall()
    assert groups > 10
    assert [row[:2] for row in read(path)] == [(row["s"], row["i"]) for row in rows]


def test_no_row_is_a_table_too(path: Path) -> None:
    assert write(path, []) == 0
    assert read(path) == []
    assert parquet.count_rows(path, COLUMNS) == 0


@pytest.mark.parametrize("table", TABLES)
def test_duckdb_sees_the_types_that_bigquery_will(path: Path, table: str) -> None:
    types = {
        "STRING": "VARCHAR",
        "JSON": "VARCHAR",
        "INT64": "BIGINT",
        "FLOAT64": "DOUBLE",
        "DATE": "DATE",
        "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
    }
    write(path, [{}], TABLES[table])
    with duckdb.connect() as connection:
        described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet('{path}')").fetchall()
    assert [row[:2] for row in described] == [(column.name, types[column.type]) for column in TABLES[table]]


def test_the_same_rows_make_the_same_bytes() -> None:
    first, second = io.BytesIO(), io.BytesIO()
    for stream in (first, second):
        parquet.write(stream, COLUMNS, [{"s": "a", "i": 1}, {"t": "2026-01-02T04:04:05Z"}])
    assert first.getvalue() == second.getvalue()


@pytest.mark.parametrize(
    "row",
    [
        {"s": 1},
        {"s": b"bytes"},
        {"s": "\udc80"},
        {"i": "1"},
        {"i": 1.5},
        {"i": 1 << 63},
        {"d": "yesterday"},
        {"d": ""},
        {"d": 20100209},
        {"d": datetime(2010, 2, 9)},
        {"t": "2026-01-02T04:04:05"},
        {"t": datetime(2026, 1, 2)},
        {"t": 0},
        {"j": object()},
        {"unknown": "column"},
        {"s": "a", "i": 1, "d": None, "t": None, "j": None, "unknown": None},
    ],
)
def test_a_value_without_a_column_or_of_another_type_is_our_bug(row: dict[str, Any]) -> None:
    with pytest.raises(BrokenPromise, match="RowsValue"):
        parquet.write(io.BytesIO(), COLUMNS, [{}, row])


def test_an_error_names_the_column_and_not_the_value() -> None:
    with pytest.raises(BrokenPromise) as caught:
        parquet.write(io.BytesIO(), COLUMNS, [{"d": "secret"}])
    assert "(d)" in str(caught.value) and "secret" not in str(caught.value)


def test_a_file_is_recognised_by_its_columns(path: Path) -> None:
    write(path, [{"i": 1}] * 7)
    assert parquet.count_rows(path, COLUMNS) == 7
    for others in (
        COLUMNS[:-1],
        COLUMNS[::-1],
        (Column("s", "INT64", ""), *COLUMNS[1:]),
    ):
        with pytest.raises(BrokenPromise, match="RowsFile"):
            parquet.count_rows(path, others)


def test_a_file_of_an_earlier_version_lacks_columns_that_came_since(path: Path) -> None:
    write(path, [{"i": number} for number in range(7)])
    now = (Column("w", "FLOAT64", ""), *COLUMNS[:2], Column("x", "STRING", ""), *COLUMNS[2:])
    assert parquet.count_rows(path, now) == 7
    with parquet.completed(path, COLUMNS) as same, parquet.completed(path, now) as whole:
        assert same == path and whole != path
        with duckdb.connect() as connection:
            found = connection.execute(f"SELECT * FROM read_parquet('{whole}')").fetchall()
    assert found == [(None, None, number, None, None, None, None) for number in range(7)]
    assert not whole.exists()


def test_files_of_other_writers_are_recognised(path: Path) -> None:
    types = "NULL::VARCHAR AS s, i, NULL::DATE AS d, NULL::TIMESTAMPTZ AS t, NULL::VARCHAR AS j"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT {types} FROM range(100) r(i)) TO '{path}' (FORMAT parquet)")
    assert parquet.count_rows(path, COLUMNS) == 100


def test_what_is_no_parquet_is_not_taken_for_it(path: Path) -> None:
    write(path, [{"i": 1}])
    whole = path.read_bytes()
    untrusted = [
        b"",
        b"PAR1",
        whole[:-1],
        whole[:-8] + b"\xff\xff\xff\x7fPAR1",
        whole[:-8] + bytes(4) + b"PAR1",
    ]
    for each in untrusted:
        path.write_bytes(each)
        with pytest.raises(BrokenPromise, match="RowsFile"):
            parquet.count_rows(path, COLUMNS)


def test_a_harmed_footer_is_read_or_refused(path: Path) -> None:
    write(path, [{"i": 1}])
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole) - 300, len(whole) - 8, 2):
        for byte in (0, 0x1C, 0xFF):
            path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
            try:
                parquet.count_rows(path, COLUMNS)
            except BrokenPromise as error:
                refused += error.code == "RowsFile"
    assert refused > 10


LARGE = """
import resource, sys
from pathlib import Path
from sendit.pipeline.stages.rows import write_parquet
def rows(count):
    return ({"header": str(number) * 2_500, "InstanceNumber": number} for number in range(count))
write_parquet("instance", rows(2_000), Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write_parquet("instance", rows(20_000), Path(sys.argv[1]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, "duckdb" in sys.modules)
"""


def test_a_large_study_is_not_held_in_memory_nor_duckdb_with_it(path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", LARGE, path], capture_output=True, text=True, env=env)
    more_kib, duckdb_imported = done.stdout.split()
    assert int(more_kib) < 20_000, "of 260 MB"
    assert duckdb_imported == "False"
    assert parquet.count_rows(path, TABLES["instance"]) == 20_000


def test_pyarrow_imports_no_pandas_into_a_process_that_writes_rows() -> None:
    """It is installed here, for the researchers' page."""
    program = (
        "import io, sys; from sendit import parquet; from sendit.ports import TABLES\n"
        "parquet.write(io.BytesIO(), TABLES['instance'][:1], [{TABLES['instance'][0].name: 'x'}])\n"
        "assert 'pandas' not in sys.modules\n"
        "import pandas"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
