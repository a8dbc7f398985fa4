"""A disk that is full: batches wait, and go on when there is space again."""

from __future__ import annotations

import pytest
from django.db import connections

from sendit.pipeline.record.models import Batch
from tests.support.aftermath import everything_is_right, leftovers
from tests.support.disks import enlarge, small_disk
from tests.support.site import DATABASE, Site

PIXELS = (1, 256, 256)


def let_time_pass() -> None:
    """The waits of postponed batches are over."""
    for batch in Batch.objects.all():
        Batch.objects.filter(pk=batch.pk).update(not_before=batch.created_at)


def test_batches_wait_while_the_outbox_is_full_and_go_on_afterwards(site: Site) -> None:
    for number in range(6):
        site.study(number, images=8, pixels=PIXELS)
    with small_disk(site.var / "outbox", "1500k"):
        site.process()
        counts = Batch.objects.counts()
        assert counts["DONEPROCESSING"] + counts["QUEUE"] == 6
        assert counts["DONEPROCESSING"] and counts["QUEUE"]
        assert set(Batch.objects.filter(state="QUEUE").values_list("waits_for", "attempts")) == {("NoSpace", 0)}
        assert [path for path in leftovers(site) if ".tmp" in path] == []
        enlarge(site.var / "outbox", "64m")
        let_time_pass()
        site.process()
        site.deliver()
        everything_is_right(site, images=8)


def test_a_store_without_space_postpones_the_delivery(site: Site) -> None:
    site.study(1, images=8, pixels=PIXELS)
    site.process()
    with small_disk(site.var / "store", "300k"):
        (batch,) = site.deliver()
        assert (batch.state, batch.waits_for) == ("DONEPROCESSING", "NoSpace")
        enlarge(site.var / "store", "64m")
        let_time_pass()
        site.deliver()
        everything_is_right(site, images=8)


def test_a_database_without_space_loses_nothing(site: Site) -> None:
    """Everything is on the one disk that is full."""
    for number in range(3):
        site.study(number, images=8, pixels=PIXELS)
    site.queue()
    template = (site.var / DATABASE).read_bytes()
    connections.close_all()
    with small_disk(site.var, "4m"):
        (site.var / DATABASE).write_bytes(template)
        filler = site.var / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(bytes(4096))
        done = site.run("start_queue", "--number", "all")
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        filler.unlink()
        enlarge(site.var, "64m")
        let_time_pass()
        assert site.run("start_queue", "--number", "all").returncode == 0
        assert site.run("upload_finished").returncode == 0
        everything_is_right(site, images=8)
