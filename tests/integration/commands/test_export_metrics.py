"""`export_metrics`: the table that programs of the field read."""

from __future__ import annotations

import csv
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import WORKING, State
from sendit.pipeline.reports.process_times import COLUMNS
from tests.support.shell import run
from tests.support.site import Site

FIRST = ["batch_id", "status", "size_mb", "start_time", "finish_time", "total_time_sec", "total_time_min"]
BEGIN = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def exported(folder: Path) -> list[dict[str, str]]:
    ran = run("export_metrics", "--out", str(folder))
    assert ran.code == 0
    (path,) = folder.glob("*.tsv")
    assert path.name == f"sendit-process-time-{timezone.now():%Y-%m-%d}.tsv"
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_the_first_seven_columns_are_the_fields(site: Site, out: Path) -> None:
    exported(out)
    (path,) = out.glob("*.tsv")
    assert path.read_text().split("\n")[0].split("\t")[:7] == FIRST == list(COLUMNS[:7])


def test_a_delivered_batch_has_every_column(site: Site, out: Path) -> None:
    folder = site.study(1, images=4)
    (folder / "notes").write_text("not DICOM")
    site.process()
    site.deliver()
    (row,) = exported(out)
    batch = Batch.objects.get()
    assert (row["batch_id"], row["status"], row["has_error"]) == ("1", "DONE", "true")
    assert [row[name] for name in ("found", "delivered", "filtered", "errored", "attempts")] == [
        "5",
        "4",
        "0",
        "1",
        "1",
    ]
    assert float(row["size_mb"]) == pytest.approx(batch.input_bytes / 1e6, abs=0.001)
    assert float(row["archive_mb"]) == pytest.approx(batch.archive_bytes / 1e6, abs=0.001)
    assert datetime.fromisoformat(row["start_time"]) <= datetime.fromisoformat(row["delivered_time"])
    assert all(row.values())


def test_times_and_rates_follow_from_each_other(site: Site, out: Path) -> None:
    make(State.DONE, started_at=BEGIN, processed_at=BEGIN + timedelta(seconds=90), delivered=180, found=180)
    Batch.objects.update(input_bytes=9_000_000, queued_at=BEGIN - timedelta(minutes=2))
    (row,) = exported(out)
    assert (row["start_time"], row["finish_time"]) == ("2026-11-21T12:00:00+00:00", "2026-11-21T12:01:30+00:00")
    assert (row["total_time_sec"], row["total_time_min"], row["wait_sec"]) == ("90.000", "1.500", "120.000")
    assert (row["images_per_sec"], row["mb_per_sec"]) == ("2.000", "0.100")


def make(state: State, **fields: object) -> Batch:
    leased = {"lease_token": "x.x.1.1.x", "lease_expires_at": BEGIN} if state in WORKING else {}
    return Batch.objects.create(state=state, folder_digest=os.urandom(32).hex(), **leased, **fields)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("fields", [{}, {"started_at": BEGIN}, {"processed_at": BEGIN}, {"queued_at": BEGIN}])
def test_half_filled_rows_in_any_state_are_rows(site: Site, out: Path, state: State, fields: dict[str, object]) -> None:
    make(state, **fields)
    (row,) = exported(out)
    assert row["status"] == state
    assert set(row) == set(COLUMNS) and None not in row.values()


def test_a_batch_that_stopped_ends_when_it_stopped(site: Site, out: Path) -> None:
    make(State.ERROR, started_at=BEGIN, changed_at=BEGIN + timedelta(seconds=5))
    make(State.PROCESSING, started_at=BEGIN, changed_at=BEGIN + timedelta(seconds=5))
    stopped, working = exported(out)
    assert (stopped["total_time_sec"], working["total_time_sec"], working["finish_time"]) == ("5.000", "", "")


def test_a_clock_that_was_set_back_makes_no_negative_time(site: Site, out: Path) -> None:
    make(State.DONE, started_at=BEGIN, processed_at=BEGIN - timedelta(seconds=5))
    (row,) = exported(out)
    assert row["total_time_sec"] == ""


def test_attempts_are_how_often_a_worker_took_it_up(site: Site, out: Path) -> None:
    site.study(1)
    site.process()
    Batch.objects.update(state=State.ERROR)
    run("retry", "--all-errors")
    site.process()
    (row,) = exported(out)
    assert row["attempts"] == "2"


def test_a_file_of_the_same_day_is_replaced(site: Site, out: Path) -> None:
    assert exported(out) == []
    make(State.NEW)
    assert len(exported(out)) == 1
    assert len(list(out.iterdir())) == 1


def test_where_it_is_to_be_must_be_a_folder(site: Site, out: Path) -> None:
    assert run("export_metrics", "--out", str(out / "none")).code == 2
