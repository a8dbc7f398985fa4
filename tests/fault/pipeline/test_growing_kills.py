"""kill -9 while studies grow, are taken back and made again: every image is where the last word says, once."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sendit.adapters.folder.store import FolderStore
from sendit.adapters.parquet.load_files import LoadFiles
from sendit.adapters.parquet.warehouse import ParquetWarehouse
from sendit.ground.database import disconnect
from sendit.pipeline import operations, taking_back
from sendit.pipeline.record import deliveries, studies
from sendit.pipeline.record.models import Batch, Study
from sendit.pipeline.record.states import Job
from sendit.pipeline.stages import delivering, parts, processing, removing
from sendit.pipeline.stages.outbox import Outbox
from tests.support.dying import AFTER, BEFORE, die_at, name_of
from tests.support.growing import BEGINNING, add, in_warehouse, suffixes, traces, work
from tests.support.processes import killed_after
from tests.support.site import Site

WHY = "a test"

GROWING = [
    (processing, "import_study", AFTER, 1),
    (studies, "hold", AFTER, 1),
    (parts, "begin_part", AFTER, 1),
    (processing, "choose_images", AFTER, 1),
    (processing, "_finish_as", AFTER, 1),
    (deliveries, "add", AFTER, 1),
    (Outbox, "publish", AFTER, 1),
    (FolderStore, "put", AFTER, 1),
    (ParquetWarehouse, "load", AFTER, 1),
    (deliveries, "finish", AFTER, 1),
    (delivering, "_finish", AFTER, 1),
]
WITHDRAWING = [
    (taking_back, "_move_out", BEFORE, 1),
    (taking_back, "_move_out", AFTER, 1),
    (Outbox, "remove", AFTER, 1),
    (ParquetWarehouse, "remove", AFTER, 1),
    (LoadFiles, "remove", BEFORE, 2),
    (FolderStore, "remove", AFTER, 1),
    (FolderStore, "remove", AFTER, 3),
    (deliveries, "mark_removed", AFTER, 1),
]
REPLACING = [
    (removing, "ensure_replaced", BEFORE, 1),
    (removing, "remove", BEFORE, 1),
    (ParquetWarehouse, "remove", AFTER, 1),
    (FolderStore, "remove", AFTER, 3),
    (deliveries, "mark_removed", AFTER, 1),
    (delivering, "_finish", AFTER, 2),
]


def once_more(site: Site) -> list[Batch]:
    """As the next workers do: what is left is taken over."""
    for job in (Job.PROCESS, Job.DELIVER):
        Batch.objects.filter(state__in=("QUEUE", "DONEPROCESSING")).update(not_before=BEGINNING)
        for key in Batch.objects.order_by("pk").values_list("pk", flat=True):
            site.attempt(key, job)
    return list(Batch.objects.order_by("pk"))


@pytest.fixture
def folder(site: Site) -> Path:
    """The folder of a delivered study."""
    site.set(MAX_ATTEMPTS=50)
    folder = site.data / "ACC1"
    add(folder, 1, 2)
    work(site)
    return folder


@pytest.mark.parametrize("place", GROWING, ids=name_of)
def test_a_part_is_delivered_once_wherever_its_worker_is_killed(site: Site, folder: Path, place: Any) -> None:
    add(folder, 3)
    die_at(place, lambda: work(site))
    (batch,) = once_more(site)
    assert (batch.state, batch.found, batch.delivered) == ("DONE", 3, 3)
    assert suffixes(site) == ["part2.tar.gz", "tar.gz"] and in_warehouse(site) == [(1, 1, 2), (1, 2, 1)]


@pytest.mark.parametrize("place", WITHDRAWING, ids=name_of)
def test_a_withdrawal_that_was_killed_is_finished_by_the_next_one(site: Site, folder: Path, place: Any) -> None:
    suids = Batch.objects.get().item_suid, Batch.objects.get().entity_suid
    die_at(place, lambda: operations.withdraw(1, WHY, site.projects, "command"))
    assert operations.withdraw(1, WHY, site.projects, "command").is_complete
    assert (Batch.objects.get().state, suffixes(site), in_warehouse(site)) == ("WITHDRAWN", [], [])
    assert traces(site, *suids) == []


@pytest.mark.parametrize("place", REPLACING, ids=name_of)
def test_a_study_that_is_made_again_stands_once_wherever_its_worker_is_killed(
    site: Site, folder: Path, place: Any
) -> None:
    list(operations.redeliver([Study.objects.get().pk], WHY, "command"))
    site.process()
    die_at(place, lambda: site.deliver())
    (batch,) = once_more(site)
    assert (batch.state, batch.delivered) == ("DONE", 2)
    assert suffixes(site) == ["r2.tar.gz"] and in_warehouse(site) == [(2, 1, 2)]


def test_studies_that_grow_are_taken_back_and_made_again_through_kills_at_random_moments(
    site: Site, growing_studies: int
) -> None:
    """The last word of every third study is a withdrawal; of the others it is another part, or a new generation."""
    site.set(MAX_ATTEMPTS=1000)
    seed = int.from_bytes(os.urandom(4), "big")
    chance = random.Random(seed)
    numbers = range(1, growing_studies + 1)
    suids: dict[int, tuple[str, str]] = {}
    for instance in range(1, 4):
        for number in numbers:
            add(site.data / f"ACC{number}", instance, number=number)
        shaken(lambda: work(site), chance)
        settle(site)
    for batch in Batch.objects.all():
        suids[batch.pk] = (batch.item_suid, batch.entity_suid)
    assert {batch.delivered for batch in Batch.objects.all()} == {3}, seed
    for batch in Batch.objects.all():
        key = batch.pk
        shaken(lambda key=key: operations.withdraw(key, WHY, site.projects, "command"), chance)  # type: ignore[misc]
        assert operations.withdraw(key, WHY, site.projects, "command").is_complete, seed
    assert suffixes(site) == [] and in_warehouse(site) == [], seed
    for batch in Batch.objects.all():
        remade = operations.readmit(batch.pk, WHY, "command")
        assert remade and not remade.is_left_alone, seed
    shaken(lambda: work(site), chance)
    settle(site)
    list(operations.redeliver(Study.objects.values_list("pk", flat=True), WHY, "command"))
    shaken(lambda: work(site), chance)
    settle(site)
    for batch in Batch.objects.filter(pk__in=[key for key in suids if key % 3 == 0]):
        assert operations.withdraw(batch.pk, WHY, site.projects, "command").is_complete
    out = [suid for key, both in suids.items() if key % 3 == 0 for suid in both]
    assert traces(site, *out) == [], seed
    left = sum(1 for key in suids if key % 3)
    assert suffixes(site) == ["r3.tar.gz"] * left and in_warehouse(site) == [(3, 1, 3)] * left, seed
    assert Batch.objects.filter(state="DONE").count() == left, seed


def shaken(deed: Callable[[], object], chance: random.Random) -> None:
    """It is begun and killed a few times."""
    for _ in range(3):
        disconnect()
        killed_after(chance.uniform(0.05, 0.8), deed)


def settle(site: Site) -> None:
    """What is left is done."""
    work(site)
    for _ in range(5):
        once_more(site)
        if not Batch.objects.exclude(state__in=("DONE", "WITHDRAWN")).exists():
            break
    work(site)
