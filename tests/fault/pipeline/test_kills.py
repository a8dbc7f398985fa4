"""kill -9 at every stage boundary and at random moments: nothing is lost, done twice or left over."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import pytest
from pytest import MonkeyPatch

from sendit.adapters.folder.store import FolderStore
from sendit.adapters.parquet.warehouse import ParquetWarehouse
from sendit.ground.database import disconnect
from sendit.pipeline.record import leases, models
from sendit.pipeline.record.leases import Job
from sendit.pipeline.record.models import Batch
from sendit.pipeline.stages import deidentifying, delivering, processing, rows
from sendit.pipeline.stages.archive import ArchiveWriter
from sendit.pipeline.stages.outbox import Outbox
from tests.support.aftermath import everything_is_right, leftovers
from tests.support.dying import AFTER, BEFORE, killing, name_of
from tests.support.processes import FORK
from tests.support.site import Site
from topology.families import descendants_of, kill

PROCESSING = [
    (leases.history, "record", AFTER, 1),
    (processing, "import_study", BEFORE, 1),
    (processing, "import_study", AFTER, 1),
    (processing, "identify", AFTER, 1),
    (ArchiveWriter, "add", AFTER, 1),
    (ArchiveWriter, "add", AFTER, 3),
    (rows, "sync", AFTER, 1),
    (deidentifying.StudyArchiver, "close", BEFORE, 1),
    (processing, "deidentify_study", AFTER, 1),
    (processing, "_write_study_row", AFTER, 1),
    (processing, "_finish_as", AFTER, 1),
    (Outbox, "publish", BEFORE, 1),
    (Outbox, "publish", AFTER, 1),
    (processing, "_finish", AFTER, 1),
]
DELIVERY = [
    (models.Batch, "move", AFTER, 1),
    (FolderStore, "put", BEFORE, 1),
    (FolderStore, "put", AFTER, 1),
    (delivering, "write_parquet", AFTER, 1),
    (ParquetWarehouse, "load", AFTER, 1),
    (ParquetWarehouse, "load", AFTER, 2),
    (delivering, "_finish", AFTER, 1),
    (Outbox, "remove", AFTER, 1),
]


def die_at(site: Site, place: tuple[Any, str, str, int], pk: int, job: Job) -> None:
    """A worker that is killed at that place."""
    owner, name, when, nth = place

    def work() -> None:
        with MonkeyPatch.context() as patch:
            patch.setattr(owner, name, killing(owner, name, when, nth))
            site.attempt(pk, job)

    disconnect()
    worker = FORK.Process(target=work)
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL, "the worker did not come to the place"


@pytest.mark.parametrize("place", PROCESSING, ids=name_of)
def test_a_worker_killed_while_processing_leaves_a_batch_that_the_next_one_finishes(site: Site, place: Any) -> None:
    site.study(images=4)
    (pk,) = site.queue()
    die_at(site, place, pk, Job.PROCESS)
    if Batch.objects.get().state != "DONEPROCESSING":
        assert leases.claimable(Job.PROCESS, 1) == [pk], "a worker that is known to be dead is not waited for"
        site.attempt(pk, Job.PROCESS)
    site.attempt(pk, Job.DELIVER)
    everything_is_right(site, images=4)


@pytest.mark.parametrize("place", DELIVERY, ids=name_of)
def test_a_worker_killed_while_delivering_leaves_a_batch_that_the_next_one_finishes(site: Site, place: Any) -> None:
    site.study(images=4)
    (batch,) = site.process()
    die_at(site, place, batch.pk, Job.DELIVER)
    site.attempt(batch.pk, Job.DELIVER)
    if Batch.objects.get().state == "DONE":
        Outbox(site.outbox).remove(batch.pk)  # as clean_up does
    everything_is_right(site, images=4)


def test_a_batch_that_kills_its_worker_every_time_ends_as_an_error_with_every_file_accounted_for(site: Site) -> None:
    site.set(MAX_ATTEMPTS=2)
    site.study(images=4)
    (pk,) = site.queue()
    for _ in range(2):
        die_at(site, (processing, "identify", BEFORE, 1), pk, Job.PROCESS)
    site.attempt(pk, Job.PROCESS)
    batch = Batch.objects.get()
    assert (batch.state, batch.found, batch.errored) == ("ERROR", 4, 4)
    assert batch.errors == [{"code": "TooManyAttempts", "tag": "", "count": 4, "stage": "import"}]
    assert leftovers(site) == []


def test_workers_and_pools_killed_at_random_moments_of_thirty_batches_lose_nothing(site: Site) -> None:
    site.set(MAX_ATTEMPTS=50)
    for number in range(30):
        site.study(number, images=8, pixels=(1, 256, 256))
    seed = int.from_bytes(os.urandom(4), "big")
    chance, kills = random.Random(seed), 0
    for _ in range(20):
        pool = site.start("start_queue", "--number", "all")
        while pool.poll() is None and kills < 8:
            time.sleep(chance.uniform(0.01, 0.12))
            processes = descendants_of(pool.pid)
            if _is_working():
                kill(chance.choice([*processes, *processes, *processes, pool.pid]))
                kills += 1
        _, err = pool.communicate(timeout=60)
        assert not err.strip(), (seed, err)
        if not Batch.objects.filter(state__in=("QUEUE", "PROCESSING")).exists():
            break
    assert kills >= 5, f"seed {seed}: too few kills to prove anything"
    assert Batch.objects.counts()["DONEPROCESSING"] == 30, f"seed {seed}"
    upload = site.start("upload_finished")
    time.sleep(chance.uniform(1.2, 2.0))
    kill(upload.pid)
    upload.communicate(timeout=60)
    done = site.run("upload_finished")
    assert done.returncode == 0, (seed, done)
    for pk in Batch.objects.filter(state="DONE").values_list("pk", flat=True):
        Outbox(site.outbox).remove(pk)  # as clean_up does
    everything_is_right(site, images=8)
    assert len(list(site.settings.store_folder.rglob("*.tar.gz"))) == 30


def _is_working() -> bool:
    return Batch.objects.filter(state="PROCESSING").exists()
