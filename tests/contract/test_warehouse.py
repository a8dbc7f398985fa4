"""The contract of every Warehouse. SQL here is what DuckDB and BigQuery both understand."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sendit import parquet
from sendit.errors import BrokenPromise, Misconfigured, ServiceRefused
from sendit.pipeline.stages.rows import write_parquet
from sendit.ports import TABLES, Warehouse
from tests.support.processes import at_once, killed_after, seconds_of

INSTANCES = 40
KILLS = 6


def study(name: str, **values: object) -> dict[str, object]:
    return {"CodedAccessionNumberID": name, "load_id": name, "DicomHeader": '{"Modality":"CT"}', **values}


def instance(name: str, number: int, **values: object) -> dict[str, object]:
    header = '{"00080060":{"vr":"CS"}}'
    return {"CodedAccessionNumberID": name, "InstanceNumber": number, "load_id": name, "header": header, **values}


@pytest.fixture
def rows(tmp_path: Path) -> Any:
    def make(name: str = "one", count: int = INSTANCES, **values: object) -> Path:
        path = tmp_path / f"{name}.parquet"
        write_parquet("instance", (instance(name, number, **values) for number in range(count)), path)
        return path

    return make


def counted(warehouse: Warehouse, table: str = "instance") -> int:
    [(count,)] = warehouse.query(f"SELECT count(*) FROM {table}").rows
    assert isinstance(count, int)
    return count


@pytest.mark.parametrize("table", TABLES)
def test_a_table_without_a_load_is_empty_and_has_its_columns(warehouse: Warehouse, table: str) -> None:
    answer = warehouse.query(f"SELECT * FROM {table}")
    assert list(answer.rows) == []
    assert answer.columns == tuple(column.name for column in TABLES[table])


def test_what_is_loaded_is_answered(warehouse: Warehouse, rows: Any) -> None:
    assert warehouse.load("instance", rows("one"), "one") == INSTANCES
    assert warehouse.load("instance", rows("two", 3), "two") == 3
    answer = warehouse.query("SELECT load_id, count(*) AS n FROM instance GROUP BY load_id ORDER BY load_id")
    assert answer.columns == ("load_id", "n")
    assert [tuple(row) for row in answer.rows] == [("one", INSTANCES), ("two", 3)]


def test_values_keep_their_types_and_nulls(warehouse: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "dicom.parquet"
    values = {"study_date": date(2010, 2, 9), "size_bytes": 5_000_000_000, "StudyDescription": "ü"}
    write_parquet("dicom", [study("typed", processed_at="2026-01-02T04:04:05.5+01:00", **values)], path)
    warehouse.load("dicom", path, "typed")
    asked = "SELECT StudyDescription, study_date, size_bytes, processed_at, PatientSex FROM dicom"
    [found] = warehouse.query(asked).rows
    assert found[:3] == ("ü", date(2010, 2, 9), 5_000_000_000)
    assert str(found[3]).startswith("2026-01-02 03:04:05.5")
    assert found[4] is None


def test_the_tables_stand_under_the_data_sets_name_too(warehouse: Warehouse, rows: Any) -> None:
    warehouse.load("instance", rows(), "one")
    assert counted(warehouse, "IRB41449.instance") == INSTANCES


def test_two_tables_can_be_joined(warehouse: Warehouse, rows: Any, tmp_path: Path) -> None:
    warehouse.load("instance", rows(), "one")
    write_parquet("dicom", [study("one", image_count=INSTANCES)], tmp_path / "d.parquet")
    warehouse.load("dicom", tmp_path / "d.parquet", "one")
    joined = "SELECT count(*) FROM dicom JOIN instance USING (CodedAccessionNumberID)"
    assert [tuple(row) for row in warehouse.query(joined).rows] == [(INSTANCES,)]


def test_a_view_has_a_row_for_each_series(warehouse: Warehouse, tmp_path: Path) -> None:
    images = [
        instance("one", 1, SeriesInstanceUID="1.1", SliceThickness=2.5, NumberOfFrames=3, size_bytes=10, length=4),
        instance("one", 2, SeriesInstanceUID="1.1", SliceThickness=2.0, size_bytes=20, length=5, Rows=512),
        instance("one", 3, SeriesInstanceUID="1.2", orientation="axial"),
    ]
    write_parquet("instance", images, tmp_path / "i.parquet")
    write_parquet("dicom", [study("one", study_date=date(2010, 2, 9))], tmp_path / "d.parquet")
    warehouse.load("dicom", tmp_path / "d.parquet", "one")
    warehouse.load("instance", tmp_path / "i.parquet", "one")
    columns = (
        "SeriesInstanceUID, study_date, image_count, frame_count, size_bytes, stored_bytes, SliceThickness, orientation"
    )
    found = warehouse.query(f"SELECT {columns} FROM series ORDER BY SeriesInstanceUID").rows
    assert [tuple(row) for row in found] == [
        ("1.1", date(2010, 2, 9), 2, 4, 30, 9, 2.0, None),
        ("1.2", date(2010, 2, 9), 1, 1, None, None, None, "axial"),
    ]


HEADER = {
    "00080008": {"vr": "CS", "Value": ["ORIGINAL", "PRIMARY", None, "M"]},
    "00080020": {"vr": "DA", "Value": ["20100209"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]},
    "00180050": {"vr": "DS", "Value": [0.6666667]},
    "00280030": {"vr": "DS", "Value": [0.5, 0.25]},
    "00400275": {"vr": "SQ", "Value": [{"00400009": {"vr": "SH", "Value": ["A"]}}]},
}


def test_headers_are_asked_by_keyword(warehouse: Warehouse, tmp_path: Path) -> None:
    write_parquet("instance", [instance("one", 1, header=json.dumps(HEADER))], tmp_path / "i.parquet")
    warehouse.load("instance", tmp_path / "i.parquet", "one")
    asked = {
        "tag(header, 'ImageType')": "ORIGINAL\\PRIMARY\\\\M",
        "tag(header, 'ImageType[2]')": "PRIMARY",
        "tag(header, 'PatientName')": "A^B",
        "tag(header, 'RequestAttributesSequence.ScheduledProcedureStepID')": "A",
        "tag(header, 'ProtocolName')": None,
        "tag_number(header, 'SliceThickness')": 0.6666667,
        "tag_number(header, 'PixelSpacing[2]')": 0.25,
        "tag_number(header, 'ImageType')": None,
        "tag_date(header, 'StudyDate')": date(2010, 2, 9),
        "tag_date(header, 'PatientName')": None,
    }
    [found] = warehouse.query(f"SELECT {', '.join(asked)} FROM instance").rows
    assert dict(zip(asked, found, strict=True)) == asked
    assert [
        tuple(row) for row in warehouse.query("SELECT load_id FROM instance WHERE tag(header, 'Modality') IS NULL").rows
    ]
    for wrong in ("SliceThicknes", "RequestAttributesSequence.Nothing"):
        with pytest.raises(Misconfigured, match="is not a keyword"):
            warehouse.query(f"SELECT tag(header, '{wrong}') FROM instance")


def test_a_repeated_load_adds_no_row(warehouse: Warehouse, rows: Any) -> None:
    for _ in range(3):
        assert warehouse.load("instance", rows(), "one") == INSTANCES
    assert counted(warehouse) == INSTANCES


def test_a_load_id_is_a_tables_own(warehouse: Warehouse, rows: Any, tmp_path: Path) -> None:
    warehouse.load("instance", rows(), "one")
    write_parquet("dicom", [study("one")], tmp_path / "d.parquet")
    warehouse.load("dicom", tmp_path / "d.parquet", "one")
    assert (counted(warehouse), counted(warehouse, "dicom")) == (INSTANCES, 1)


@pytest.mark.parametrize("count", [5, INSTANCES + 5])
def test_other_rows_under_a_known_load_id_do_not_change_it(warehouse: Warehouse, rows: Any, count: int) -> None:
    warehouse.load("instance", rows("one"), "one")
    with suppress(ServiceRefused):
        warehouse.load("instance", rows("one", count, Modality="MR"), "one")
    assert counted(warehouse) == INSTANCES
    assert counted(warehouse, "instance WHERE Modality = 'MR'") == 0


def test_rows_that_carry_another_load_id_are_our_bug(warehouse: Warehouse, rows: Any, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed.parquet"
    write_parquet("instance", [instance("one", 1), instance("two", 2)], mixed)
    for path in (rows("two"), mixed):
        with pytest.raises(BrokenPromise, match="RowsFile"):
            warehouse.load("instance", path, "one")
    assert counted(warehouse) == 0


def test_racing_loads_of_the_same_rows_add_them_once(warehouse: Warehouse, rows: Any) -> None:
    answers = at_once(*[partial(warehouse.load, "instance", rows(), "one")] * 6)
    assert answers == [INSTANCES] * 6
    assert counted(warehouse) == INSTANCES


def test_racing_loads_of_other_rows_all_come_in(warehouse: Warehouse, rows: Any) -> None:
    names = [f"load-{number}" for number in range(6)]
    assert at_once(*(partial(warehouse.load, "instance", rows(name), name) for name in names)) == [INSTANCES] * 6
    assert counted(warehouse) == INSTANCES * 6


def test_a_load_that_was_killed_is_repeated_as_if_it_had_not_been(warehouse: Warehouse, rows: Any) -> None:
    path = rows("whole")
    seconds = seconds_of(partial(warehouse.load, "instance", path, "whole"))
    killed = 0
    for number in range(KILLS):
        name = f"killed-{number}"
        path = rows(name)
        killed += killed_after(seconds * number / KILLS, partial(warehouse.load, "instance", path, name))
        assert warehouse.load("instance", path, name) == INSTANCES
    counts = warehouse.query("SELECT load_id, count(*) AS n FROM instance GROUP BY load_id")
    assert {row[1] for row in counts.rows} == {INSTANCES} and len(counts.rows) == KILLS + 1
    assert killed


def test_json_is_answered_as_text(warehouse: Warehouse, rows: Any) -> None:
    header = '{"00181041":{"vr":"DS","Value":[0.1,"ü"]}}'
    warehouse.load("instance", rows("one", 1, header=header), "one")
    [(text,)] = warehouse.query("SELECT header FROM instance").rows
    assert isinstance(text, str) and json.loads(text) == json.loads(header)


def test_a_row_group_is_no_limit(warehouse: Warehouse, rows: Any) -> None:
    many = parquet.ROW_GROUP_ROWS + 1
    assert warehouse.load("instance", rows("one", many, header=None), "one") == many
    assert counted(warehouse) == many


@pytest.mark.parametrize("sql", ["", "nonsense", "SELECT", "SELECT nothing FROM instance", "SELECT * FROM missing"])
def test_a_statement_that_cannot_be_run_is_the_operators(warehouse: Warehouse, sql: str) -> None:
    with pytest.raises(Misconfigured, match="BadQuery"):
        warehouse.query(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM instance WHERE true",
        "INSERT INTO instance (load_id) VALUES ('x')",
        "UPDATE instance SET load_id = 'x' WHERE true",
        "DROP TABLE instance",
        "DROP VIEW instance",
        "CREATE TABLE other AS SELECT 1 AS one",
        "SELECT 1; DROP VIEW instance",
    ],
)
def test_a_query_changes_nothing(warehouse: Warehouse, rows: Any, sql: str) -> None:
    warehouse.load("instance", rows(), "one")
    with pytest.raises(Misconfigured, match="BadQuery"):
        warehouse.query(sql)
    assert counted(warehouse) == INSTANCES


def test_a_file_that_is_not_in_the_tables_schema_is_our_bug(warehouse: Warehouse, rows: Any, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("PAR1 no, PAR1")
    for path in (tmp_path / "text", rows()):
        with pytest.raises(BrokenPromise, match="RowsFile"):
            warehouse.load("dicom", path, "one")
    assert counted(warehouse, "dicom") == 0


@pytest.mark.parametrize(
    "table, load_id", [("nothing", "one"), ("instance", ""), ("instance", "../x"), ("instance", "a b")]
)
def test_a_load_that_cannot_be_named_is_our_bug(warehouse: Warehouse, rows: Any, table: str, load_id: str) -> None:
    with pytest.raises(BrokenPromise, match="LoadName"):
        warehouse.load(table, rows(), load_id)


# ---------------------------------------------------------------------------------------------- true times

LINK = "https://storage.googleapis.com/download/storage/v1/b/b/o/a.tar.gz?{}alt=media"
TIMED = {
    "processed_at": "2026-11-22T00:05:23+00:00",
    "batch": 17,
    "storage_download": LINK.format("generation=1795305923000001&"),
}
TIMES = ["processed_at", "batch", "storage_download"]


@pytest.fixture
def timed(warehouse: Warehouse, rows: Any, tmp_path: Path) -> Warehouse:
    """A warehouse with two studies that the last release delivered, and one of this one's."""
    for number, name in enumerate(("old-1", "old-2")):
        warehouse.load("instance", rows(name, 3, batch=number), name)
        write_parquet("dicom", [study(name, **TIMED)], tmp_path / "d.parquet")
        warehouse.load("dicom", tmp_path / "d.parquet", name)
    warehouse.load("instance", rows("new", 3), "new")
    write_parquet("dicom", [study("new", storage_download=LINK.format(""))], tmp_path / "d.parquet")
    warehouse.load("dicom", tmp_path / "d.parquet", "new")
    return warehouse


def everything_but_times(warehouse: Warehouse) -> list[list[list[str]]]:
    """Every other value of every row."""
    answers = [warehouse.query(f"SELECT * FROM {table}") for table in TABLES]
    return [
        sorted(
            [str(value) for name, value in zip(one.columns, row, strict=True) if name not in TIMES] for row in one.rows
        )
        for one in answers
    ]


def test_rows_of_the_last_release_no_longer_tell_true_times(timed: Warehouse) -> None:
    before = everything_but_times(timed)
    assert timed.count_times() == 2 + 6
    assert timed.remove_times() == 2 + 6
    assert (timed.count_times(), timed.remove_times()) == (0, 0)
    told = timed.query("SELECT processed_at, batch, storage_download FROM dicom").rows
    assert {tuple(row) for row in told} == {(None, None, LINK.format(""))}
    assert counted(timed, "instance WHERE batch IS NOT NULL") == 0
    assert everything_but_times(timed) == before


def test_what_is_loaded_again_after_times_were_removed_adds_no_row(timed: Warehouse, rows: Any) -> None:
    timed.remove_times()
    timed.load("instance", rows("old-1", 3, batch=0), "old-1")
    assert (counted(timed), timed.count_times()) == (9, 0)


def test_a_warehouse_without_a_load_has_no_times(warehouse: Warehouse) -> None:
    assert (warehouse.count_times(), warehouse.remove_times()) == (0, 0)


def test_removing_times_that_was_killed_is_repeated(timed: Warehouse) -> None:
    before = everything_but_times(timed)
    seconds = seconds_of(timed.count_times)
    for number in range(KILLS):
        killed_after(2 * seconds * number / KILLS, timed.remove_times)
        assert everything_but_times(timed) == before
    timed.remove_times()
    assert timed.count_times() == 0
    assert everything_but_times(timed) == before


# ---------------------------------------------------------------------------------------------- remove


def loads(warehouse: Warehouse) -> list[tuple[object, object]]:
    answer = warehouse.query("SELECT load_id, count(*) AS n FROM instance GROUP BY load_id ORDER BY load_id")
    return [(row[0], row[1]) for row in answer.rows]


def test_a_load_that_is_removed_is_gone_and_may_come_again(warehouse: Warehouse, rows: Any) -> None:
    for name in ("one", "two.part2.r2"):
        warehouse.load("instance", rows(name), name)
    warehouse.remove("instance", "one")
    assert loads(warehouse) == [("two.part2.r2", INSTANCES)]
    warehouse.load("instance", rows("one", 3), "one")
    assert loads(warehouse) == [("one", 3), ("two.part2.r2", INSTANCES)]


def test_a_load_that_is_gone_already_is_removed_without_an_error(warehouse: Warehouse, rows: Any) -> None:
    warehouse.remove("instance", "one")
    warehouse.load("instance", rows("one"), "one")
    warehouse.remove("instance", "one")
    warehouse.remove("instance", "one")
    assert loads(warehouse) == []


def test_only_loads_can_be_removed(warehouse: Warehouse) -> None:
    for table, name in (("nothing", "one"), ("instance", "../one"), ("instance", "'; --")):
        with pytest.raises(BrokenPromise, match="LoadName"):
            warehouse.remove(table, name)


def test_a_removal_that_was_killed_can_be_repeated(warehouse: Warehouse, rows: Any) -> None:
    warehouse.load("instance", rows("other", 2), "other")
    warehouse.load("instance", rows("one"), "one")
    whole = seconds_of(partial(warehouse.remove, "instance", "one"))
    for number in range(KILLS):
        warehouse.load("instance", rows("one"), "one")
        killed_after(whole * number / KILLS, partial(warehouse.remove, "instance", "one"))
        assert ("other", 2) in loads(warehouse)
        warehouse.remove("instance", "one")
        assert loads(warehouse) == [("other", 2)]
