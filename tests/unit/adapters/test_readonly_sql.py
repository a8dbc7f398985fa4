"""SQL that can only read: what gets through, and what must not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from sendit.adapters.readonly_sql import Tables
from sendit.errors import Misconfigured
from sendit.pipeline.rows import write_parquet
from sendit.ports import TABLES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "it's [one].parquet"
    header = '{"00080060": {"vr": "CS", "Value": ["CT"]}}'
    rows = [{"InstanceNumber": number, "Modality": "CT", "header": header} for number in range(10)]
    write_parquet("instance", rows, path)
    return path


@pytest.fixture
def tables(file: Path) -> Iterator[Tables]:
    with Tables("IRB1", {"instance": (TABLES["instance"], [file]), "dicom": (TABLES["dicom"], [])}) as opened:
        yield opened


@pytest.mark.parametrize(
    "sql, first",
    [
        ("SELECT count(*) FROM instance", (10,)),
        ("select COUNT(*) from irb1.INSTANCE;", (10,)),
        ("FROM instance SELECT max(InstanceNumber) -- a remark", (9,)),
        ("SELECT header->'00080060'->'Value'->>0 FROM instance LIMIT 1", ("CT",)),
        ('SELECT DISTINCT header."00080060".vr::VARCHAR FROM instance', ('"CS"',)),
        ("WITH a AS (SELECT 1 AS x) SELECT x FROM a UNION ALL SELECT 2 ORDER BY 1", (1,)),
        ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT max(n) FROM r", (3,)),
        ("SELECT (SELECT min(InstanceNumber) FROM instance), x FROM unnest([5]) AS t(x)", (0, 5)),
        ("SELECT Modality, count(*) FROM instance GROUP BY ALL HAVING count(*) > 1", ("CT", 10)),
        ("SELECT count(*) FROM instance i LEFT JOIN dicom d USING (load_id) WHERE d.batch IS NULL", (10,)),
        ("SELECT * FROM (PIVOT instance ON Modality IN ('CT') USING count(*) GROUP BY batch)", (None, 10)),
        ("SELECT row_number() OVER (ORDER BY InstanceNumber) AS n FROM instance QUALIFY n = 3", (3,)),
        ("SELECT * FROM range(4, 5)", (4,)),
        ("VALUES (1, 'a')", (1, "a")),
        ("SELECT table_name FROM information_schema.tables ORDER BY 1", ("dicom",)),
        ("SELECT 'COPY x TO y; DROP TABLE z'", ("COPY x TO y; DROP TABLE z",)),
    ],
)
def test_what_reads_the_tables_is_run(tables: Tables, sql: str, first: tuple[object, ...]) -> None:
    assert tables.query(sql).rows[0] == first


@pytest.mark.parametrize("sql", ["DESCRIBE instance", "SHOW TABLES", "SUMMARIZE instance"])
def test_what_tells_of_the_tables_is_run(tables: Tables, sql: str) -> None:
    assert "instance" in str(tables.query("SHOW TABLES").rows) and tables.query(sql).rows


FORBIDDEN = [
    # other files, in every way that DuckDB knows
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_blob('{secret}')",
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM read_json('{secret}')",
    "SELECT * FROM read_parquet('{other}')",
    "SELECT * FROM '{other}'",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM sniff_csv('{secret}')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM parquet_metadata('{other}')",
    "SELECT (SELECT content FROM read_text('{secret}'))",
    "WITH a AS (SELECT * FROM read_text('{secret}')) SELECT * FROM a",
    "SELECT * FROM instance WHERE Modality IN (SELECT content FROM read_text('{secret}'))",
    "SELECT * FROM query('SELECT * FROM read_text(''{secret}'')')",
    "SELECT * FROM query_table(['{other}'])",
    "SELECT * FROM read_text(getvariable('x'))",
    "SELECT getenv('HOME')",
    # writing: its own file is the one that DuckDB alone would let be overwritten
    "COPY (SELECT 1) TO '{target}'",
    "COPY (SELECT 1) TO '{own}' (FORMAT parquet, USE_TMP_FILE false)",
    "COPY instance TO '{folder}/copy.parquet'",
    "WITH a AS (COPY (SELECT 1) TO '{own}' (FORMAT parquet, USE_TMP_FILE false)) SELECT 1",
    "WITH a AS (COPY (SELECT 1) TO '{target}' (USE_TMP_FILE false)) SELECT 1",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{own}' (FORMAT parquet, USE_TMP_FILE false)",
    "SELECT * FROM query('WITH a AS (COPY (SELECT 1) TO ''{own}'' (FORMAT parquet, USE_TMP_FILE false)) SELECT 1')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "EXPORT DATABASE '{folder}/export'",
    "CREATE TABLE t AS SELECT 1",
    "CREATE OR REPLACE VIEW instance AS SELECT 1",
    "CREATE MACRO m() AS 1",
    "DROP VIEW instance",
    "WITH a AS (DELETE FROM instance RETURNING *) SELECT * FROM a",
    # other databases, networks, extensions, settings
    "ATTACH '{folder}/x.db'",
    "ATTACH ':memory:' AS other",
    "USE main",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SELECT * FROM 'http://127.0.0.1:{port}/x.parquet'",
    "SELECT * FROM read_parquet('http://127.0.0.1:{port}/x.parquet')",
    "SET enable_external_access = true",
    "SET allowed_paths = ['{secret}']",
    "RESET lock_configuration",
    "PRAGMA enable_logging",
    "CALL enable_logging()",
    "SELECT * FROM enable_logging()",
    "CREATE SECRET s (TYPE s3)",
    "IMPORT DATABASE '{folder}'",
    # more than one statement, or none
    "SELECT 1; SELECT 2",
    "SELECT 1; COPY (SELECT 1) TO '{target}'",
    "",
    ";",
    "SELECT $1",
    # Python's own variables
    "SELECT * FROM rows",
    "SELECT * FROM tables",
]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_everything_else_is_refused(tables: Tables, file: Path, tmp_path: Path, listener: int, sql: str) -> None:
    secret, other, target = tmp_path / "secret", tmp_path / "other.parquet", tmp_path / "target"
    secret.write_text("an identifier")
    write_parquet("instance", [{"Modality": "an identifier"}], other)
    before, content = sorted(tmp_path.iterdir()), file.read_bytes()
    places = {
        "secret": secret,
        "other": other,
        "target": target,
        "own": str(file).replace("'", "''"),
        "folder": tmp_path,
    }
    with pytest.raises(Misconfigured, match="BadQuery") as caught:
        tables.query(sql.format(**places, port=listener))
    assert "an identifier" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before and file.read_bytes() == content
    assert tables.query("SELECT count(*) FROM instance").rows == [(10,)]


def test_what_is_said_of_a_bad_statement_helps(tables: Tables) -> None:
    for sql, help_ in [
        ("SELECT Modalty FROM instance", "Modalty"),
        ("SELEC 1", "SELEC"),
        ("SELECT * FROM instances", "instances"),
    ]:
        with pytest.raises(Misconfigured, match=help_):
            tables.query(sql)


def test_what_is_said_of_a_bad_value_is_not_the_value(tables: Tables) -> None:
    with pytest.raises(Misconfigured, match="ConversionException") as caught:
        tables.query("SELECT Modality::INT FROM instance")
    assert "'CT'" not in str(caught.value)


def test_a_file_from_before_a_column_was_added_has_nulls_in_it(file: Path, tmp_path: Path) -> None:
    from sendit import parquet

    old = tmp_path / "old.parquet"
    with old.open("wb") as stream:
        parquet.write(stream, TABLES["instance"][:8], [{"Modality": "MR"}])
    for paths in ([old, file], [file, old], [old]):
        with Tables("x", {"instance": (TABLES["instance"], paths)}) as tables:
            found = tables.query("SELECT Modality, header IS NULL FROM instance WHERE Modality = 'MR'")
            assert found.rows == [("MR", True)]
            assert len(tables.query("SELECT * FROM instance").columns) == len(TABLES["instance"])


@pytest.fixture(scope="module")
def listener() -> Iterator[int]:
    """A port that fails the module when anything asks it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)

        do_HEAD = do_GET

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
    assert asked == []
