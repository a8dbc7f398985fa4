"""The Parquet warehouse: its files, and compaction at any moment."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import duckdb
import pytest

from sendit.adapters.parquet import load_files
from sendit.adapters.parquet import warehouse as warehouse_module
from sendit.adapters.parquet.warehouse import ParquetWarehouse
from sendit.errors import Misconfigured, ServiceDown
from sendit.pipeline.stages.rows import write_parquet
from tests.support.processes import at_once, killed_after

LOADS = 30


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "warehouse"


def rows(folder: Path, number: int, load_id: str = "", table: str = "instance") -> Path:
    path = folder / f"rows-{table}-{number}.parquet"
    write_parquet(table, [{"load_id": load_id or f"load-{number}", "batch": number}] * 3, path)
    return path


@pytest.fixture
def filled(root: Path, tmp_path: Path) -> ParquetWarehouse:
    warehouse = ParquetWarehouse(root, "IRB1")
    for number in range(LOADS):
        warehouse.load("instance", rows(tmp_path, number), f"load-{number}")
    return warehouse


def loads(warehouse: ParquetWarehouse) -> dict[str, int]:
    """How many rows of each load a question finds."""
    return dict(warehouse.query("SELECT load_id, count(*) FROM instance GROUP BY ALL").rows)  # type: ignore[arg-type]


ALL = {f"load-{number}": 3 for number in range(LOADS)}


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.parquet"))


def test_a_load_is_a_file_of_its_name_that_nobody_writes_again(root: Path, tmp_path: Path) -> None:
    given = rows(tmp_path, 1, "a_20100209_b")
    ParquetWarehouse(root, "IRB1").load("instance", given, "a_20100209_b")
    assert files(root) == ["IRB1/instance/a_20100209_b.parquet"]
    path = root / "IRB1/instance/a_20100209_b.parquet"
    assert path.read_bytes() == given.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o400
    assert {oct(each.stat().st_mode & 0o777) for each in root.rglob("*") if each.is_dir()} == {"0o700"}


def test_other_rows_under_a_known_load_id_change_nothing(filled: ParquetWarehouse, tmp_path: Path) -> None:
    before = filled.query("SELECT * FROM instance ORDER BY ALL").rows
    filled.load("instance", rows(tmp_path, 1, "load-2"), "load-2")
    assert filled.query("SELECT * FROM instance ORDER BY ALL").rows == before
    assert loads(filled) == ALL


def test_what_a_killed_load_left_is_removed(root: Path, filled: ParquetWarehouse, tmp_path: Path) -> None:
    left = root / "IRB1/instance/.incoming/left"
    left.write_bytes(b"half")
    filled.load("instance", rows(tmp_path, 99), "load-99")
    assert not left.exists()


def test_removing_times_leaves_none_in_any_file(root: Path, filled: ParquetWarehouse, tmp_path: Path) -> None:
    """Neither in the files of single loads, nor in compacted ones, nor in what a killed compaction left."""
    filled.compact(most=20)
    left = root / "IRB1/instance/.merged.rows"
    left.write_bytes(rows(tmp_path, 1).read_bytes())
    names = files(root)
    assert filled.remove_times() == 3 * LOADS
    assert files(root) == names and not left.exists()
    assert filled.query("SELECT count(*) FROM instance WHERE batch IS NOT NULL").rows == [(0,)]
    assert loads(filled) == ALL
    for path in root.rglob("*.parquet"):
        assert (path.stat().st_mtime, path.stat().st_mode & 0o777) == (0, 0o400)


def test_times_are_removed_from_a_file_that_lacks_columns_of_today(root: Path, tmp_path: Path) -> None:
    """As a version before would have written it."""
    folder = root / "IRB1/dicom"
    folder.mkdir(parents=True)
    told = "TIMESTAMPTZ '2026-11-22 00:05:23+00' AS processed_at, 7::BIGINT AS batch"
    duckdb.sql(f"COPY (SELECT 'old' AS load_id, 'CT' AS Modality, {told}) TO '{folder}/old.parquet' (FORMAT parquet)")
    warehouse = ParquetWarehouse(root, "IRB1")
    assert (warehouse.count_times(), warehouse.remove_times(), warehouse.count_times()) == (1, 1, 0)
    asked = "SELECT load_id, Modality, processed_at, batch, storage_download FROM dicom"
    assert warehouse.query(asked).rows == [("old", "CT", None, None, None)]


def test_files_of_loads_have_no_true_time(root: Path, filled: ParquetWarehouse) -> None:
    assert {path.stat().st_mtime for path in [*root.rglob("*.parquet"), root / "IRB1/instance"]} == {0}
    filled.compact()
    assert {path.stat().st_mtime for path in root.rglob("*.parquet")} == {0}


def test_questions_go_on_while_times_are_removed(filled: ParquetWarehouse) -> None:
    removed, *asked = at_once(filled.remove_times, *[partial(loads, filled)] * 4)
    assert removed == 3 * LOADS and asked == [ALL] * 4


PAGES = Path(__file__).parents[3] / "docs"
EXAMPLES = [
    sql
    for page in ("warehouse.md", "archive.md")
    for sql in re.findall(r"```sql\n(.*?)```", (PAGES / page).read_text(), re.S)
]


@pytest.mark.parametrize("sql", EXAMPLES)
def test_the_pages_examples_are_run(filled: ParquetWarehouse, sql: str) -> None:
    assert len(filled.query(sql).columns) >= 2


def test_data_sets_do_not_mix(root: Path, filled: ParquetWarehouse) -> None:
    assert loads(ParquetWarehouse(root, "IRB2")) == {}


@pytest.mark.parametrize("name", ["", "a/b", "..", "a.b", "x" * 201, 'a"b'])
def test_a_data_set_has_a_plain_name(root: Path, name: str) -> None:
    with pytest.raises(Misconfigured, match="GOOGLE_STORAGE_COLLECTION"):
        ParquetWarehouse(root, name)


@pytest.mark.parametrize("name", ["main", "dicom", "IRB-1", "select"])
def test_any_plain_name_can_be_asked_under(root: Path, tmp_path: Path, name: str) -> None:
    warehouse = ParquetWarehouse(root, name)
    warehouse.load("instance", rows(tmp_path, 1, "one"), "one")
    assert warehouse.query(f'SELECT count(*) FROM "{name}".instance').rows == [(3,)]


@pytest.mark.parametrize("name", ["it's", "a b", "[ab]", "ü", '"'])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    warehouse = ParquetWarehouse(tmp_path / name, "IRB1")
    for number in range(2):
        warehouse.load("instance", rows(tmp_path, number), f"load-{number}")
    assert sum(loads(warehouse).values()) == 6
    assert warehouse.compact() == 2
    assert sum(loads(warehouse).values()) == 6


@pytest.mark.parametrize("name", ["a*", "?"])
def test_but_none_that_would_be_taken_for_a_pattern(tmp_path: Path, name: str) -> None:
    with pytest.raises(Misconfigured, match="SENDIT_VAR"):
        ParquetWarehouse(tmp_path / name, "IRB1")


LOAD = """
import sys
from pathlib import Path
from sendit.adapters.parquet.warehouse import ParquetWarehouse
print(ParquetWarehouse(Path(sys.argv[1]), "IRB1").load("instance", Path(sys.argv[2]), "one"), "duckdb" in sys.modules)
"""


def test_a_load_does_not_import_duckdb(root: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, root, rows(tmp_path, 1, "one")], capture_output=True, text=True, env=env
    )
    assert done.stdout == "3 False\n", done.stderr


# ------------------------------------------------------------------------------------------------- compaction


def test_compacted_loads_are_one_file_with_the_same_rows(root: Path, filled: ParquetWarehouse) -> None:
    before = filled.query("SELECT * FROM instance ORDER BY ALL").rows
    assert filled.compact() == LOADS
    assert len(files(root)) == 1
    assert filled.query("SELECT * FROM instance ORDER BY ALL").rows == before


def test_a_compacted_load_is_still_known(filled: ParquetWarehouse, tmp_path: Path) -> None:
    filled.compact()
    assert filled.load("instance", rows(tmp_path, 7), "load-7") == 3
    filled.load("instance", rows(tmp_path, 7, "load-8"), "load-8")
    assert loads(filled) == ALL


def test_a_load_id_that_begins_like_a_known_one_is_another(filled: ParquetWarehouse, tmp_path: Path) -> None:
    filled.compact()
    filled.load("instance", rows(tmp_path, 99, "load-"), "load-")
    filled.load("instance", rows(tmp_path, 98, "oad-1"), "oad-1")
    assert len(loads(filled)) == LOADS + 2


def test_compaction_goes_on_where_it_stopped(root: Path, filled: ParquetWarehouse, tmp_path: Path) -> None:
    assert [filled.compact(most=20), filled.compact(most=20), filled.compact()] == [20, 10, 0]
    filled.load("instance", rows(tmp_path, 99), "load-99")
    assert filled.compact() == 0, "one load alone is left as it is"
    assert len(files(root)) == 3 and len(loads(filled)) == LOADS + 1


def test_a_question_over_many_loads_compacts_them_first(
    root: Path, filled: ParquetWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse_module, "MOST_LOADS", LOADS + 1)
    assert loads(filled) == ALL and len(files(root)) == LOADS
    filled.load("instance", rows(tmp_path, 99), "load-99")
    assert loads(filled) == {**ALL, "load-99": 3} and len(files(root)) == 1


def test_a_question_is_answered_where_compacting_fails(
    filled: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(warehouse_module, "MOST_LOADS", 2)
    monkeypatch.setattr(warehouse_module, "merge", full)
    assert loads(filled) == ALL


def test_both_tables_are_compacted(root: Path, filled: ParquetWarehouse, tmp_path: Path) -> None:
    for number in range(3):
        filled.load("dicom", rows(tmp_path, number, table="dicom"), f"load-{number}")
    assert filled.compact() == LOADS + 3
    assert filled.query("SELECT count(*) FROM dicom JOIN instance USING (load_id)").rows == [(27,)]


def test_an_empty_warehouse_has_nothing_to_compact(root: Path) -> None:
    assert ParquetWarehouse(root, "IRB1").compact() == 0


@pytest.mark.parametrize("nth", range(12))
def test_stopped_at_any_step_it_loses_and_doubles_nothing(
    root: Path, filled: ParquetWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    steps = [0]

    def counted(step: object, *args: object, **more: object) -> object:
        steps[0] += 1
        if steps[0] > nth:
            raise OSError(5, "the power went")
        return step(*args, **more)  # type: ignore[operator]

    with monkeypatch.context() as broken:
        for module, name in ((load_files, "place"), (load_files, "sync"), (load_files.os, "rename"), (Path, "unlink")):
            step = getattr(module, name)
            broken.setattr(module, name, lambda *args, _step=step, **more: counted(_step, *args, **more))
        with pytest.raises(ServiceDown, match="DiskRefused"):
            filled.compact()
    assert loads(filled) == ALL
    assert filled.load("instance", rows(tmp_path, 5), "load-5") == 3
    filled.compact()
    assert loads(filled) == ALL
    assert len(files(root)) == 1
    assert not list(root.rglob("*.merging")) and not list(root.rglob(".merged*"))


def test_killed_at_random_moments_it_loses_and_doubles_nothing(root: Path, filled: ParquetWarehouse) -> None:
    moments, killed = random.Random(5), 0
    for _ in range(12):
        killed += killed_after(moments.uniform(0, 0.08), partial(filled.compact, 3))
        assert loads(filled) == ALL
    while filled.compact():
        pass
    assert killed and loads(filled) == ALL


def test_questions_and_loads_meanwhile_see_every_row_once(root: Path, filled: ParquetWarehouse, tmp_path: Path) -> None:
    answers: list[dict[str, int]] = []
    done = threading.Event()

    def compact() -> None:
        for _ in range(LOADS // 3):
            filled.compact(most=3)
        done.set()

    compacting = threading.Thread(target=compact)
    compacting.start()
    while not done.is_set():
        assert filled.load("instance", rows(tmp_path, 3), "load-3") == 3
        answers.append(loads(filled))
    compacting.join()
    assert len(answers) > 2 and all(answer == ALL for answer in answers)


def test_two_compactions_at_once_do_each_load_once(root: Path, filled: ParquetWarehouse) -> None:
    done = at_once(*[partial(filled.compact, 10)] * 3)
    assert done == [10, 10, 10]
    assert loads(filled) == ALL


# ---------------------------------------------------------------------------------------------- remove


def bytes_with(root: Path, load_id: str) -> list[str]:
    """The files in which a load's rows are, or its name."""
    told = [path for path in root.rglob("*") if path.is_file() and load_id.encode() in path.read_bytes()]
    return [str(path.relative_to(root)) for path in [*told, *root.rglob(f"*{load_id}*")]]


def test_a_compacted_load_can_be_removed(filled: ParquetWarehouse, root: Path) -> None:
    filled.compact()
    filled.remove("instance", "load-7")
    assert loads(filled) == {name: 3 for name in ALL if name != "load-7"}
    assert bytes_with(root, "load-7") == []


def test_a_removed_load_can_be_loaded_again(filled: ParquetWarehouse, tmp_path: Path) -> None:
    filled.compact()
    filled.remove("instance", "load-7")
    filled.load("instance", rows(tmp_path, 7), "load-7")
    filled.compact()
    assert loads(filled) == ALL


def test_a_removal_from_a_compacted_file_may_be_killed_at_any_moment(filled: ParquetWarehouse, root: Path) -> None:
    filled.compact()
    chance = random.Random(3)
    for number in range(8):
        name = f"load-{number}"
        killed_after(chance.uniform(0, 0.2), partial(filled.remove, "instance", name))
        assert {found: count for found, count in loads(filled).items() if found != name} == {
            other: 3 for other in ALL if int(other[5:]) > number
        }
        filled.remove("instance", name)
        assert name not in loads(filled) and bytes_with(root, f"{name}\n") == []


def test_all_loads_of_a_compacted_file_can_be_removed(filled: ParquetWarehouse) -> None:
    filled.compact()
    for name in ALL:
        filled.remove("instance", name)
    assert loads(filled) == {}
