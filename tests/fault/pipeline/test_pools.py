"""Pools in trouble: two at once, interrupted, with a worker that sleeps past its lease, without a parent."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from sendit.pipeline.record.models import Batch, Event, Image
from tests.support.aftermath import everything_is_right, leftovers
from tests.support.site import DATABASE, Site
from topology.families import descendants_of, kill

LARGE = (1, 1024, 1024)


def wait_for(what: Callable[[], object], seconds: float = 30) -> None:
    ends_at = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.01)


def is_in(state: str) -> Callable[[], bool]:
    return lambda: Batch.objects.filter(state=state).exists()


def test_two_pools_at_once_find_every_folder_and_process_every_batch_once(site: Site) -> None:
    for number in range(12):
        site.study(number, images=4)
    pools = [site.start("start_queue", "--number", "all") for _ in range(2)]
    for pool in pools:
        out, err = pool.communicate(timeout=60)
        assert (pool.returncode, err) == (0, ""), out
    claimed = Event.objects.filter(name="batch.claimed").values_list("batch", flat=True)
    assert len(claimed) == 12 and sorted(claimed) == sorted(Batch.objects.values_list("pk", flat=True))
    uploads = [site.start("upload_finished") for _ in range(2)]
    for upload in uploads:
        upload.communicate(timeout=60)
    everything_is_right(site, images=4)


def test_ctrl_c_finishes_nothing_halfway(site: Site) -> None:
    site.study(1, images=60, pixels=LARGE)
    site.queue()
    pool = site.start("start_queue", "--number", "all")
    wait_for(lambda: list(site.outbox.glob(".*/.*.tar.gz.*")))
    pool.send_signal(signal.SIGINT)
    out, _ = pool.communicate(timeout=30)
    assert pool.returncode == 128 + signal.SIGINT
    assert "QUEUE 1" in out
    batch = Batch.objects.get()
    assert (batch.state, batch.attempts, batch.lease_token) == ("QUEUE", 0, "")
    assert (Image.objects.count(), leftovers(site)) == (0, [])
    assert batch.events.latest("pk").fields["reason"] == "stopped"


def test_a_second_ctrl_c_kills_what_does_not_stop(site: Site) -> None:
    site.study(1, images=60, pixels=LARGE)
    site.queue()
    pool = site.start("start_queue", "--number", "all")
    wait_for(is_in("PROCESSING"))
    worker = descendants_of(pool.pid)[-1]
    kill(worker, signal.SIGSTOP)
    pool.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert pool.poll() is None
    pool.send_signal(signal.SIGINT)
    pool.communicate(timeout=10)
    assert pool.returncode == 128 + signal.SIGINT
    assert not Path(f"/proc/{worker}").exists()
    assert Batch.objects.get().state == "PROCESSING"
    (batch,) = _finish(site)
    assert (batch.state, batch.delivered) == ("DONEPROCESSING", 60)


def test_workers_of_a_pool_that_was_killed_put_their_batch_back_and_end(site: Site) -> None:
    site.study(1, images=60, pixels=LARGE)
    site.queue()
    pool = site.start("start_queue", "--number", "all")
    wait_for(is_in("PROCESSING"))
    workers = descendants_of(pool.pid)
    kill(pool.pid)
    wait_for(is_in("QUEUE"))
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    assert leftovers(site) == []
    pool.communicate(timeout=10)


def test_a_worker_that_slept_past_its_lease_changes_nothing(site: Site) -> None:
    site.set(LEASE_SECONDS=2)
    site.study(1, images=40, pixels=LARGE)
    site.study(2, images=2)
    site.queue()
    pool = site.start("start_queue", "--number", "all")
    wait_for(lambda: Batch.objects.filter(pk=1, state="PROCESSING").exists())
    holder = int(Batch.objects.get(pk=1).lease_token.split(".")[2])
    _freeze(holder, site)
    wait_for(lambda: Batch.objects.get(pk=1).lease_expires_at.timestamp() < time.time())
    taker = site.run("start_queue", "--number", "all")
    assert "batch.taken_over batch=1" in taker.stdout or Event.objects.filter(name="batch.taken_over").exists()
    wait_for(lambda: Batch.objects.filter(pk=1, state="DONEPROCESSING").exists())
    before = {path: path.read_bytes() for path in (site.outbox / "1").iterdir()}
    kill(holder, signal.SIGCONT)
    out, _ = pool.communicate(timeout=30)
    assert "batch.lease_lost batch=1" in out
    assert {path: path.read_bytes() for path in (site.outbox / "1").iterdir()} == before
    assert Batch.objects.get(pk=1).state == "DONEPROCESSING"
    assert Event.objects.filter(name="batch.processed", batch=1).count() == 1
    assert [path.name for path in sorted(site.outbox.iterdir())] == ["1", "2"]


def _freeze(pid: int, site: Site) -> None:
    """Stop a process between its transactions: within one it would hold SQLite's lock for as long as it sleeps."""
    while True:
        kill(pid, signal.SIGSTOP)
        with (
            suppress(sqlite3.OperationalError),
            closing(sqlite3.connect(site.var / DATABASE, timeout=0, isolation_level=None)) as connection,
        ):
            connection.execute("BEGIN IMMEDIATE")
            return
        kill(pid, signal.SIGCONT)
        time.sleep(0.01)


def test_a_batch_whose_worker_was_killed_is_finished_by_the_same_call_and_counts_once(site: Site) -> None:
    site.study(1, images=60, pixels=LARGE)
    site.study(2, images=1)
    site.queue()
    pool = site.start("start_queue", "--number", "1")
    wait_for(is_in("PROCESSING"))
    kill(int(Batch.objects.get(state="PROCESSING").lease_token.split(".")[2]))
    out, _ = pool.communicate(timeout=60)
    assert pool.returncode == 0 and "worker.died" in out and "1 batch in" in out
    assert (Batch.objects.counts()["DONEPROCESSING"], Batch.objects.counts()["QUEUE"]) == (1, 1)
    assert [batch.attempts for batch in Batch.objects.order_by("pk")] == [0, 0]
    assert Event.objects.filter(name="batch.taken_over").count() == 1


def test_a_worker_that_is_terminated_puts_its_batch_back_and_is_replaced_where_workers_wait(site: Site) -> None:
    site.study(1, images=60, pixels=LARGE)
    with (site.var / "log").open("w") as log:
        site.start("start_watcher", "--foreground", stderr=log)
    wait_for(is_in("PROCESSING"))
    kill(int(Batch.objects.get().lease_token.split(".")[2]), signal.SIGTERM)
    wait_for(is_in("DONE"), 60)
    assert Event.objects.filter(name="batch.released", fields__reason="stopped").count() == 1
    wait_for(lambda: (site.var / "log").read_text().count("worker.started") == 3)
    assert "worker.died" not in (site.var / "log").read_text()


def test_a_nursery_has_one_thread(site: Site) -> None:
    """Or a fork of it could wait for ever for a lock that a thread held which is not there."""
    site.study(1, images=60, pixels=LARGE)
    site.queue()
    pool = site.start("start_queue")
    wait_for(is_in("PROCESSING"))
    nursery = descendants_of(pool.pid)[0]
    assert "Threads:\t1\n" in Path(f"/proc/{nursery}/status").read_text()
    pool.send_signal(signal.SIGTERM)
    pool.communicate(timeout=30)
    assert pool.returncode == 128 + signal.SIGTERM


def test_a_nursery_that_was_killed_is_replaced(site: Site) -> None:
    for number in range(6):
        site.study(number, images=10, pixels=LARGE)
    site.queue()
    pool = site.start("start_queue", "--number", "all")
    wait_for(is_in("PROCESSING"))
    kill(descendants_of(pool.pid)[0])
    out, err = pool.communicate(timeout=60)
    assert (pool.returncode, err) == (0, ""), out
    assert Batch.objects.counts()["DONEPROCESSING"] == 6


def _finish(site: Site) -> list[Batch]:
    done = site.run("start_queue", "--number", "all")
    assert done.returncode == 0, done
    return list(Batch.objects.order_by("pk"))
