"""Delivery on an operator's word."""

from __future__ import annotations

import pytest
from django.core.management.base import CommandError

from sendit.errors import ServiceDown
from sendit.pipeline import wiring
from sendit.pipeline.models import Batch
from sendit.ports import StoredObject
from tests.aftermath import everything_is_right
from tests.phantoms import make_study
from tests.site import Site


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


def test_a_study_that_is_taken_back_is_delivered_anew(site: Site) -> None:
    """As docs/folders.md says it."""
    site.study(1, images=2)
    site.process()
    (first,) = site.deliver()
    make_study(site.data / "again", number=1, images=3)
    site.process()
    (second,) = site.deliver()
    assert (second.state, second.errors[0]["code"]) == ("ERROR", "ObjectConflict")
    (row,) = wiring.warehouse().query(f"SELECT load_id FROM dicom WHERE batch = {first.pk}").rows
    for place in ("store", "warehouse"):
        for path in (site.var / place).rglob(f"{row[0]}.*"):
            path.unlink()
    site.call("retry", "--code", "ObjectConflict")
    site.process()
    (second,) = site.deliver()
    assert (second.state, second.delivered) == ("DONE", 3)
    rows = wiring.warehouse().query("SELECT batch, image_count, (SELECT count(*) FROM instance) FROM dicom").rows
    assert rows == [(second.pk, 3, 3)]


def test_switched_off_batches_rest_and_it_says_so(site: Site) -> None:
    site.set(SEND_TO_GOOGLE=False)
    site.study(1, images=2)
    site.process()
    out = site.call("upload_finished")
    assert "SENDIT_SEND_TO_GOOGLE is off" in out and "1 batch" in out
    assert Batch.objects.get().state == "DONEPROCESSING"


def test_a_store_that_is_down_for_one_batch_does_not_stop_the_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        site.study(number, images=1)
    first, *_ = site.process()
    store = wiring.object_store()

    class Sometimes:
        def put(self, name: str, *about: object) -> StoredObject:
            if name == first.object_name:
                raise ServiceDown("NotVerified")
            return store.put(name, *about)  # type: ignore[arg-type]

    monkeypatch.setattr(wiring, "object_store", Sometimes)
    with pytest.raises(SystemExit) as ended:
        site.call("upload_finished")
    assert ended.value.code == 1
    assert Batch.objects.counts()["DONE"] == 3
    first.refresh_from_db()
    assert (first.state, first.waits_for, first.attempts) == ("DONEPROCESSING", "NotVerified", 0)


@pytest.mark.parametrize("workers", ["0", "-2"])
def test_no_workers_is_wrong_use(site: Site, workers: str) -> None:
    with pytest.raises(CommandError) as raised:
        site.call("upload_finished", "--workers", workers)
    assert raised.value.returncode == 2
