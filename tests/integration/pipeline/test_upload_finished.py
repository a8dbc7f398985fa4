"""Delivery on an operator's word."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from sendit.errors import ServiceDown
from sendit.pipeline import checks
from sendit.pipeline.record.models import Batch
from sendit.pipeline.stages.rows import write_parquet
from sendit.projects import composition
from tests.support.aftermath import everything_is_right
from tests.support.site import Site, delivery_of


def test_everything_that_rests_is_delivered_by_several_at_a_time(site: Site) -> None:
    for number in range(12):
        site.study(number, images=2)
    site.process()
    out = site.call("upload_finished", "--workers", "5")
    assert "DONE 12" in out and out.count("batch.delivered") == 12
    everything_is_right(site, images=2)


def test_a_second_call_delivers_nothing_again(site: Site) -> None:
    site.study(1, images=2)
    site.process()
    site.call("upload_finished")
    assert "0 batches in" in site.call("upload_finished")
    everything_is_right(site, images=2)


def test_switched_off_batches_rest_and_it_says_so(site: Site) -> None:
    site.set(SEND_TO_GOOGLE=False)
    site.study(1, images=2)
    site.process()
    out = site.call("upload_finished")
    assert "SENDIT_SEND_TO_GOOGLE is off" in out and "1 batch" in out
    assert Batch.objects.get().state == "DONEPROCESSING"


def test_a_store_that_is_down_for_one_batch_does_not_stop_the_others(site: Site) -> None:
    for number in range(4):
        site.study(number, images=1)
    first, *_ = site.process()
    in_the_way = (site.var / "store" / delivery_of(first).object_name).parent
    in_the_way.parent.mkdir(parents=True)
    in_the_way.touch()
    with pytest.raises(SystemExit) as ended:
        site.call("upload_finished")
    assert ended.value.code == 1
    assert Batch.objects.counts()["DONE"] == 3
    first.refresh_from_db()
    assert (first.state, first.waits_for, first.attempts) == ("DONEPROCESSING", "DiskRefused", 0)


@pytest.mark.parametrize("workers", ["0", "-2"])
def test_no_workers_is_wrong_use(site: Site, workers: str) -> None:
    with pytest.raises(CommandError) as raised:
        site.call("upload_finished", "--workers", workers)
    assert raised.value.returncode == 2


def test_delivery_waits_for_a_random_time_of_each_batchs_own(site: Site) -> None:
    site.set(DELIVERY_DELAY_HOURS=240.0)
    for number in range(4):
        site.study(number, images=1)
    before = timezone.now()
    batches = site.process()
    waits = sorted(batch.not_before - before for batch in batches)
    assert len(set(waits)) == 4 and waits[0] > timedelta(0) and waits[-1] < timedelta(hours=241)
    out = site.call("upload_finished")
    assert "4 batches rest at DONEPROCESSING until a random time: SENDIT_DELIVERY_DELAY_HOURS." in out
    assert not (site.var / "store").exists()
    Batch.objects.filter(pk=batches[0].pk).update(not_before=before)
    out = site.call("upload_finished")
    assert "DONE 1" in out and "3 batches rest at DONEPROCESSING until" in out


def test_without_a_delay_nothing_waits(site: Site) -> None:
    site.study(1, images=1)
    (batch,) = site.process()
    assert batch.not_before <= timezone.now()


def test_an_archive_that_the_last_release_made_is_delivered_without_its_times(site: Site) -> None:
    """Its row lies in the outbox, with the time and the batch's number."""
    site.study(1, images=1)
    (batch,) = site.process()
    row = site.var / "outbox" / str(batch.pk) / "dicom.json"
    told = {"processed_at": "2026-11-22T00:05:23+00:00", "batch": batch.pk}
    row.write_text(json.dumps(json.loads(row.read_text()) | told))
    site.deliver()
    assert site.ports.warehouse.query("SELECT processed_at, batch FROM dicom").rows == [(None, None)]


def test_check_asks_for_what_removes_true_times(site: Site, tmp_path: Path) -> None:
    site.study(1, images=1)
    site.process()
    site.deliver()
    assert "sendit.W002" not in site.call("check")
    values = {"load_id": "old", "processed_at": "2026-11-22T00:05:23+00:00", "batch": 7}
    write_parquet("dicom", [values], tmp_path / "old.parquet")
    site.ports.warehouse.load("dicom", tmp_path / "old.parquet", "old")
    said = site.run("check").stderr
    assert "sendit.W002" in said and "sendit remove_times" in said and "the date shift: 1." in said
    assert "1 row held a true time" in site.call("remove_times")
    assert "sendit.W002" not in site.run("check").stderr
    assert "0 rows held a true time" in site.call("remove_times")


def test_check_says_when_the_warehouse_cannot_be_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> None:
        raise ServiceDown("WarehouseDown")

    monkeypatch.setattr(composition, "warehouse", down)
    assert [message.id for message in checks.true_times()] == ["sendit.W003"]
