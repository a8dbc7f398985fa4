"""Rows on their way to the warehouse: a whole file or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sendit import parquet
from sendit.errors import BrokenPromise, DataFault, ServiceDown
from sendit.pipeline.stages.rows import write_parquet
from sendit.ports import TABLES


def test_rows_are_written_in_the_tables_schema(tmp_path: Path) -> None:
    path = tmp_path / "instance.parquet"
    assert write_parquet("instance", ({"InstanceNumber": number} for number in range(5)), path) == 5
    assert parquet.count_rows(path, TABLES["instance"]) == 5
    assert path.stat().st_mode & 0o777 == 0o600


def broken() -> Iterator[dict[str, object]]:
    yield {"InstanceNumber": 1}
    raise DataFault("Truncated")


@pytest.mark.parametrize("rows, error", [(broken(), DataFault), ([{"InstanceNumber": "1"}], BrokenPromise)])
def test_rows_that_fail_leave_what_was_there(tmp_path: Path, rows: Iterator[dict[str, object]], error: type) -> None:
    path = tmp_path / "instance.parquet"
    path.write_text("before")
    with pytest.raises(error):
        write_parquet("instance", rows, path)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("instance.parquet", "before")]


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "dicom.parquet"
    path.with_name(f".{path.name}.0123456789abcdef.tmp").touch()
    write_parquet("dicom", [{}], path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ServiceDown, match="DiskRefused"):
        write_parquet("dicom", [{}], tmp_path / "no" / "dicom.parquet")
