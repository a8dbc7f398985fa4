"""kill -9 between two destinations, at named places and at random moments: both have the same archives, each once."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from sendit.adapters.folder.store import FolderStore
from sendit.adapters.parquet.warehouse import ParquetWarehouse
from sendit.ground.database import disconnect
from sendit.pipeline import operations
from sendit.pipeline.record import deliveries
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import Job
from sendit.pipeline.stages import delivering
from tests.support.dying import AFTER, BEFORE, die_at, name_of
from tests.support.growing import BEGINNING, add, in_warehouse, work
from tests.support.processes import killed_after
from tests.support.site import Site

DELIVERING = [
    (deliveries, "add", AFTER, 1),
    (FolderStore, "put", AFTER, 1),
    (ParquetWarehouse, "load", AFTER, 2),
    (deliveries, "finish", AFTER, 1),
    (FolderStore, "put", AFTER, 4),
    (deliveries, "finish", BEFORE, 2),
    (deliveries, "finish", AFTER, 2),
    (delivering, "_finish", BEFORE, 1),
]
REMOVING = [
    (FolderStore, "remove", AFTER, 1),
    (deliveries, "mark_removed", AFTER, 1),
    (FolderStore, "remove", AFTER, 4),
    (deliveries, "mark_removed", AFTER, 2),
]


@pytest.fixture(autouse=True)
def two(site: Site) -> None:
    site.set(STORE=f"file://{site.var}/one#one file://{site.var}/two#two", MAX_ATTEMPTS=1000)


def objects(site: Site, name: str) -> dict[str, bytes]:
    root = site.var / name
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def names(site: Site, name: str) -> list[str]:
    return [path for path in objects(site, name) if path.endswith(".tar.gz")]


def once_more(site: Site) -> list[Batch]:
    for job in (Job.PROCESS, Job.DELIVER):
        Batch.objects.filter(state__in=("QUEUE", "DONEPROCESSING")).update(not_before=BEGINNING)
        for key in Batch.objects.order_by("pk").values_list("pk", flat=True):
            site.attempt(key, job)
    return list(Batch.objects.order_by("pk"))


@pytest.mark.parametrize("place", DELIVERING, ids=name_of)
def test_both_have_the_archive_once_wherever_the_worker_is_killed(site: Site, place: Any) -> None:
    add(site.data / "ACC1", 1, 2)
    die_at(place, lambda: work(site))
    (batch,) = once_more(site)
    assert (batch.state, batch.found, batch.delivered) == ("DONE", 2, 2)
    assert {row.destination: row.state for row in batch.deliveries.all()} == {"one": "DONE", "two": "DONE"}
    assert objects(site, "one") == objects(site, "two") and len(names(site, "one")) == 1
    assert in_warehouse(site) == [(1, 1, 2)]


@pytest.mark.parametrize("place", REMOVING, ids=name_of)
def test_neither_has_it_after_a_withdrawal_that_was_killed(site: Site, place: Any) -> None:
    add(site.data / "ACC1", 1)
    work(site)
    die_at(place, lambda: operations.withdraw(1, "a test", site.projects, "command"))
    assert operations.withdraw(1, "a test", site.projects, "command").is_complete
    assert names(site, "one") == names(site, "two") == [] and in_warehouse(site) == []


def test_both_have_every_archive_through_kills_at_random_moments(site: Site, destination_kills: int) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    chance = random.Random(seed)
    for number in range(1, 7):
        add(site.data / f"ACC{number}", 1, number=number)
    site.process()
    for _ in range(destination_kills):
        disconnect()
        killed_after(chance.uniform(0.02, 0.4), lambda: once_more(site))
        if not Batch.objects.exclude(state="DONE").exists():
            Batch.objects.update(state="DONEPROCESSING")
            for batch in Batch.objects.all():
                batch.deliveries.update(state="WAITING", uri="", delivered_at=None)
    batches = once_more(site)
    assert {batch.state for batch in batches} == {"DONE"}, seed
    assert objects(site, "one") == objects(site, "two") and len(names(site, "one")) == 6, seed
    assert in_warehouse(site) == [(1, 1, 1)] * 6, seed
