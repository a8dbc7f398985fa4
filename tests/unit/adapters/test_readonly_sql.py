"""SQL that can only read: what gets through, and what must not."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import duckdb
import pytest

from sendit.adapters.parquet.readonly_files import ReadOnlyFiles
from sendit.adapters.parquet.readonly_sql import ReadOnlyTables
from sendit.errors import Misconfigured
from sendit.pipeline.stages.rows import write_parquet
from sendit.ports import TABLES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "it's [one].parquet"
    header = '{"00080060": {"vr": "CS", "Value": ["CT"]}}'
    rows = [{"InstanceNumber": number, "Modality": "CT", "header": header} for number in range(10)]
    write_parquet("instance", rows, path)
    return path


@pytest.fixture
def tables(file: Path) -> Iterator[ReadOnlyTables]:
    with ReadOnlyTables("IRB1", {"instance": (TABLES["instance"], [file]), "dicom": (TABLES["dicom"], [])}) as opened:
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
        ("SELECT * FROM query('SELECT count(*) FROM instance')", (10,)),
        ("SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))", (1,)),
        ("SELECT sql LIKE '%warehouse://0.parquet%' FROM duckdb_views() WHERE view_name = 'instance'", (True,)),
    ],
)
def test_what_reads_the_tables_is_run(tables: ReadOnlyTables, sql: str, first: tuple[object, ...]) -> None:
    assert tables.query(sql).rows[0] == first


HEADER = {
    "00080008": {"vr": "CS", "Value": ["ORIGINAL", "PRIMARY", None, "M"]},
    "00080020": {"vr": "DA", "Value": ["20100209"]},
    "0008002A": {"vr": "DT", "Value": ["20100209101112.5"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B", "Ideographic": "C"}]},
    "00180050": {"vr": "DS", "Value": [0.6666667]},
    "00280030": {"vr": "DS", "Value": [0.5, 0.25]},
    "00181030": {"vr": "LO"},
    "00400275": {
        "vr": "SQ",
        "Value": [{"00400009": {"vr": "SH", "Value": ["A"]}}, {"00400009": {"vr": "SH", "Value": ["B"]}}],
    },
    "00191010": {"vr": "LO", "Value": ["private"]},
}


@pytest.fixture
def with_header(tmp_path: Path) -> Iterator[ReadOnlyTables]:
    path = tmp_path / "h.parquet"
    write_parquet("instance", [{"header": HEADER}, {"header": "{}"}, {}], path)
    with ReadOnlyTables("IRB1", {"instance": (TABLES["instance"], [path]), "dicom": (TABLES["dicom"], [])}) as opened:
        yield opened


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("tag(header, 'SliceThickness')", "0.6666667"),
        ("tag_number(header, 'SliceThickness')", 0.6666667),
        ("tag(i.header, 'ImageType')", "ORIGINAL\\PRIMARY\\\\M"),
        ("tag(header, 'ImageType[4]')", "M"),
        ("tag(header, 'ImageType[3]')", None),
        ("tag(header, 'ImageType[9]')", None),
        ("tag_number(header, 'PixelSpacing')", 0.5),
        ("tag_number(header, 'PixelSpacing[2]')", 0.25),
        ("tag_number(header, 'ImageType')", None),
        ("tag_date(header, 'StudyDate')", date(2010, 2, 9)),
        ("tag_date(header, 'AcquisitionDateTime')", date(2010, 2, 9)),
        ("tag_date(header, 'PatientName')", None),
        ("tag(header, 'PatientName')", "A^B"),
        ("tag(header, 'ProtocolName')", None),
        ("tag(header, 'RequestAttributesSequence.ScheduledProcedureStepID')", "A"),
        ("tag(header, 'RequestAttributesSequence[2].ScheduledProcedureStepID')", "B"),
        ("tag(header, '00191010')", "private"),
        ("tag(header, '0008002a')", "20100209101112.5"),
    ],
)
def test_a_header_is_asked_by_keyword(with_header: ReadOnlyTables, asked: str, answer: object) -> None:
    rows = with_header.query(f"SELECT {asked} FROM instance AS i").rows
    assert list(rows) == [(answer,), (None,), (None,)]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("SliceThicknes", "SliceThicknes is not a keyword; did you mean SliceThickness?"),
        ("slicethickness", "did you mean SliceThickness?"),
        ("Nonsense12345", "Nonsense12345 is not a keyword"),
        ("RequestAttributesSequence.Nothing", "Nothing is not a keyword"),
        ("", "a keyword such as"),
        ("PixelSpacing[0]", "a keyword such as"),
        ('$."x"', "a keyword such as"),
    ],
)
def test_a_wrong_keyword_is_an_error(with_header: ReadOnlyTables, address: str, said: str) -> None:
    with pytest.raises(Misconfigured, match="BadQuery") as caught:
        with_header.query(f"SELECT tag_number(header, '{address}') FROM instance")
    assert said in str(caught.value)
    assert with_header.query("SELECT tag(header, 'SliceThickness') FROM instance").rows[0] == ("0.6666667",)
    with pytest.raises(Misconfigured) as other:
        with_header.query("SELECT nothing FROM instance")
    assert "keyword" not in str(other.value)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("tag(header, 'Slice' || 'Thickness')", "0.6666667"),
        ("tag(header, CASE WHEN header IS NULL THEN 'StudyDate' ELSE 'ProtocolName' END)", None),
        ("tag(header, 'Patient''s Name')", "Patient's Name is"),
        ("tag(header, NULL)", "a keyword such as"),
        ("tag(header, 'Slice' || 'Thicknes')", "did you mean SliceThickness?"),
    ],
)
def test_an_address_may_be_put_together(with_header: ReadOnlyTables, asked: str, answer: str | None) -> None:
    sql = f"SELECT {asked} FROM instance -- it's a comment"
    if answer is None or answer[0].isdigit():
        assert with_header.query(sql).rows[0] == (answer,)
    else:
        with pytest.raises(Misconfigured) as caught:
            with_header.query(sql)
        assert answer in str(caught.value) or "a keyword such as" in str(caught.value)


def test_headers_are_asked_without_numpy(with_header: ReadOnlyTables, monkeypatch: pytest.MonkeyPatch) -> None:
    """numpy comes with an extra: DuckDB must not need it."""
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert with_header.query("SELECT tag(header, 'SliceThickness') FROM instance").rows[0] == ("0.6666667",)


@pytest.mark.parametrize("sql", ["DESCRIBE instance", "SHOW TABLES", "SUMMARIZE instance"])
def test_what_tells_of_the_tables_is_run(tables: ReadOnlyTables, sql: str) -> None:
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
    "SELECT * FROM read_csv('/proc/self/environ')",
    "SELECT * FROM read_text('file://{secret}')",
    "SELECT * FROM read_text('warehouse://{secret}')",
    "SELECT * FROM read_text('warehouse://../../secret')",
    "SELECT * FROM read_text('warehouse://1.parquet')",
    "SELECT * FROM read_parquet('{own}')",
    "SELECT * FROM glob('warehouse://*')",
    "SELECT * FROM read_ndjson_objects('{secret}')",
    "SELECT * FROM read_duckdb('{secret}')",
    "SELECT * FROM parquet_bloom_probe('{other}', 'Modality', 'CT')",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM pandas_scan(1)",
    "PREPARE p AS SELECT * FROM read_text('{secret}')",
    "CREATE MACRO m() AS TABLE SELECT * FROM read_text('{secret}')",
    # writing: a WITH clause may hold a COPY, and the tables' files are the ones that have a name
    "COPY (SELECT 1) TO '{target}'",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "COPY (SELECT 1) TO 'warehouse://0.parquet' (FORMAT parquet, USE_TMP_FILE false)",
    "COPY (SELECT 1) TO 'warehouse://0.parquet' (FORMAT parquet)",
    "WITH a AS (COPY (SELECT 1) TO 'warehouse://0.parquet' (FORMAT parquet, USE_TMP_FILE false)) SELECT 1",
    "WITH a AS (COPY (SELECT 1) TO 'warehouse://0.parquet' (FORMAT csv, USE_TMP_FILE false)) SELECT 1",
    "WITH a AS (COPY (SELECT 1) TO 'warehouse://new.parquet' (FORMAT parquet, USE_TMP_FILE false)) SELECT 1",
    "WITH a AS (COPY (SELECT 1 a, 2 b) TO 'warehouse://0.parquet' (FORMAT csv, PARTITION_BY (a), OVERWRITE)) FROM a",
    "WITH a AS (COPY (SELECT 1 a, 2 b) TO '{folder}' (FORMAT csv, PARTITION_BY (a), OVERWRITE)) FROM a",
    "COPY (SELECT 1) TO '{own}' (FORMAT parquet, USE_TMP_FILE false)",
    "COPY instance TO '{folder}/copy.parquet'",
    "WITH a AS (COPY (SELECT 1) TO '{own}' (FORMAT parquet, USE_TMP_FILE false)) SELECT 1",
    "WITH a AS (COPY (SELECT 1) TO '{target}' (USE_TMP_FILE false)) SELECT 1",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{own}' (FORMAT parquet, USE_TMP_FILE false)",
    "SELECT * FROM query('WITH a AS (COPY (SELECT 1) TO ''{own}'' (FORMAT parquet, USE_TMP_FILE false)) SELECT 1')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''{secret}'')'))",
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
    "SELECT * FROM enable_logging(storage = 'file', storage_config = {{'path': '{folder}/log'}})",
    "SELECT * FROM enable_profiling(format = 'json', save_location = '{target}')",
    "SET profiling_output = '{target}'",
    "SET log_query_path = '{target}'",
    "SET disabled_filesystems = ''",
    "SET VARIABLE x = 1",
    "FORCE INSTALL httpfs FROM 'http://127.0.0.1:{port}'",
    "UPDATE EXTENSIONS",
    "LOAD '{secret}'",
    "ATTACH 'http://127.0.0.1:{port}/x.db'",
    "SELECT * FROM read_text('s3://bucket/key')",
    "SELECT * FROM duckdb_extensions()",
    "CREATE PERSISTENT SECRET s (TYPE http)",
    "COPY FROM DATABASE memory TO memory",
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


class Surroundings:
    """What a statement may want beside the tables' files, and whether it is as it was."""

    def __init__(self, folder: Path, file: Path, port: int) -> None:
        secret, other = folder / "secret", folder / "other.parquet"
        secret.write_text(SECRET)
        write_parquet("instance", [{"Modality": SECRET}], other)
        self._folder, self._own, self._places = folder, str(file).replace("'", "''"), {"secret": secret, "other": other}
        self._port, self._before = port, self._now()

    def _now(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() if path.is_file() else b"" for path in self._folder.rglob("*")}

    def put_into(self, sql: str) -> str:
        target = self._folder / "target"
        return sql.format(**self._places, target=target, own=self._own, folder=self._folder, port=self._port)

    def assert_unchanged(self) -> None:
        assert self._now() == self._before


SECRET = "an identifier"


@pytest.fixture
def surroundings(tmp_path: Path, file: Path, listener: int) -> Surroundings:
    return Surroundings(tmp_path, file, listener)


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_everything_else_is_refused(tables: ReadOnlyTables, surroundings: Surroundings, sql: str) -> None:
    with pytest.raises(Misconfigured, match="BadQuery") as caught:
        tables.query(surroundings.put_into(sql))
    assert SECRET not in str(caught.value)
    surroundings.assert_unchanged()
    assert tables.query("SELECT count(*) FROM instance").rows == [(10,)]


@pytest.mark.parametrize("sql", [sql for sql in FORBIDDEN if sql.strip(";")])
def test_not_the_kind_of_a_statement_but_the_connection_shuts_it_in(
    tables: ReadOnlyTables, surroundings: Surroundings, sql: str
) -> None:
    result = ""
    with contextlib.suppress(duckdb.Error):
        result = str(tables._connection.execute(surroundings.put_into(sql)).fetchall())
    assert SECRET not in result
    surroundings.assert_unchanged()


def test_no_function_of_duckdb_reaches_a_file(tables: ReadOnlyTables, surroundings: Surroundings) -> None:
    functions = tables.query(
        "SELECT DISTINCT function_type, function_name, len(parameters) AS n FROM duckdb_functions() WHERE n < 5"
    ).rows
    assert {"read_text", "glob", "length", "sum"} < {name for _, name, _ in functions}
    for kind, name, count in functions:
        for path in ("{secret}", "{other}", "{target}", "{folder}/*"):
            arguments = ", ".join([f"'{path}'"] * int(str(count)))
            call = f'"{name}"({arguments})'
            sql = f"SELECT * FROM {call}" if kind in ("table", "table_macro", "pragma") else f"SELECT {call}"
            with contextlib.suppress(Misconfigured):
                assert SECRET not in str(tables.query(surroundings.put_into(sql)).rows), sql
    surroundings.assert_unchanged()


def test_nothing_tells_what_the_environment_is(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".duckdbrc").write_text(f"COPY (SELECT 1) TO '{home}/written';")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "USER", "TMPDIR", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, f"http://{name}:marked@127.0.0.1:1")
    monkeypatch.setenv("HOME", str(home))
    with ReadOnlyTables("IRB1", {"instance": (TABLES["instance"], [file])}) as tables:
        told = str(tables.query("SELECT * FROM duckdb_settings()").rows)
        for (setting,) in tables.query("SELECT name FROM duckdb_settings()").rows:
            with contextlib.suppress(Misconfigured):
                told += str(tables.query(f"SELECT current_setting('{setting}')").rows)
        for (function,) in tables.query(
            "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type LIKE 'table%'"
        ).rows:
            with contextlib.suppress(Misconfigured):
                told += str(tables.query(f'SELECT * FROM "{function}"()').rows)
    assert "http_proxy" in told and "marked" not in told
    assert str(tmp_path) not in told
    assert [path.name for path in home.iterdir()] == [".duckdbrc"]
    assert capfd.readouterr() == ("", "")


def test_what_is_said_of_a_bad_statement_helps(tables: ReadOnlyTables) -> None:
    for sql, help_ in [
        ("SELECT Modalty FROM instance", "Modalty"),
        ("SELEC 1", "SELEC"),
        ("SELECT * FROM instances", "instances"),
    ]:
        with pytest.raises(Misconfigured, match=help_):
            tables.query(sql)


def test_what_is_said_of_a_bad_value_is_not_the_value(tables: ReadOnlyTables) -> None:
    with pytest.raises(Misconfigured, match="ConversionException") as caught:
        tables.query("SELECT Modality::INT FROM instance")
    assert "'CT'" not in str(caught.value)


def test_a_file_from_before_a_column_was_added_has_nulls_in_it(file: Path, tmp_path: Path) -> None:
    from sendit import parquet

    old = tmp_path / "old.parquet"
    with old.open("wb") as stream:
        parquet.write(stream, TABLES["instance"][:8], [{"Modality": "MR"}])
    for paths in ([old, file], [file, old], [old]):
        with ReadOnlyTables("x", {"instance": (TABLES["instance"], paths)}) as tables:
            found = tables.query("SELECT Modality, header IS NULL FROM instance WHERE Modality = 'MR'")
            assert found.rows == [("MR", True)]
            assert len(tables.query("SELECT * FROM instance").columns) == len(TABLES["instance"])


def test_a_column_that_only_a_newer_version_knows_is_left_out(file: Path, tmp_path: Path) -> None:
    from sendit import parquet
    from sendit.ports import Column

    new = tmp_path / "new.parquet"
    with new.open("wb") as stream:
        columns = (Column("Laterality", "STRING", ""), *reversed(TABLES["instance"]))
        parquet.write(stream, columns, [{"Modality": "MR", "Laterality": "L", "Rows": 5}])
    for paths in ([new, file], [file, new], [new]):
        with ReadOnlyTables("x", {"instance": (TABLES["instance"], paths)}) as tables:
            assert tables.query("SELECT \"Rows\" FROM instance WHERE Modality = 'MR'").rows == [(5,)]
            assert tables.query("SELECT * FROM instance").columns == tuple(each.name for each in TABLES["instance"])


@pytest.mark.parametrize("mode", ["wb", "ab", "xb", "r+b", "r", "w"])
def test_the_file_system_opens_its_files_for_reading_and_no_other(file: Path, tmp_path: Path, mode: str) -> None:
    before = sorted(tmp_path.iterdir()), file.read_bytes()
    files = ReadOnlyFiles([file])
    [name] = files.names
    for path in (name, str(file), f"warehouse://{file}", "warehouse://1.parquet", "warehouse://x/../0.parquet"):
        with pytest.raises(OSError):
            files.open(path, mode)
        if path != name:
            with pytest.raises(OSError):
                files.open(path)
    for change in (lambda: files.rm(name), lambda: files.mv(name, f"{name}2"), lambda: files.pipe(name, b"")):
        with pytest.raises((OSError, NotImplementedError)):
            change()
    assert files.open(name).read(file.stat().st_size) == file.read_bytes()
    assert (sorted(tmp_path.iterdir()), file.read_bytes()) == before


def test_threads_that_share_a_file_read_each_its_own_place(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(b"".join(number.to_bytes(4, "big") * 4096 for number in range(256)))
    [name] = (files := ReadOnlyFiles([path])).names
    shared = files.open(name)

    def read(number: int) -> bool:
        shared.seek(number * 16384)
        return shared.read(16384) == number.to_bytes(4, "big") * 4096

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, [*range(256)] * 40))
    shared.seek(256 * 16384 - 3)
    with pytest.raises(EOFError):
        shared.read(4)


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
