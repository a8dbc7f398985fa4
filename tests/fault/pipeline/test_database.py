"""PostgreSQL is killed and started again, or its answer is lost, in the middle of a batch: nothing is lost."""

from __future__ import annotations

import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from pytest import MonkeyPatch

from sendit.pipeline.record import clock
from sendit.pipeline.record.leases import Job
from sendit.pipeline.record.models import Batch, Event
from sendit.pipeline.stages import delivering, processing
from sendit.pipeline.stages.outbox import Outbox
from sendit.pipeline.workforce import runner
from tests.support.aftermath import everything_is_right, leftovers
from tests.support.disks import small_disk
from tests.support.servers import Cluster, Postgres, Standby, wait_until
from tests.support.site import Site, migrate, use_database
from topology.servers import USER

pytestmark = pytest.mark.on_postgres


def away_for(server: Postgres, seconds: float) -> None:
    """Kill it now, and start it again after so long."""
    server.end()
    time.sleep(0.5)  # its backends end a moment later, and may answer until then

    def start_again() -> None:
        time.sleep(seconds)
        server.start()

    threading.Thread(target=start_again).start()


@pytest.mark.parametrize(
    ("owner", "name"), [(processing, "import_study"), (processing, "_write_study_row"), (Outbox, "publish")]
)
def test_a_database_that_dies_in_the_middle_of_processing_costs_no_attempt(
    site: Site, postgres: Postgres, monkeypatch: MonkeyPatch, owner: Any, name: str
) -> None:
    site.study(images=4)
    (pk,) = site.queue()
    step = getattr(owner, name)

    def then_it_dies(*arguments: Any) -> Any:
        result = step(*arguments)
        away_for(postgres, 0.3)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, then_it_dies)
        site.attempt(pk, Job.PROCESS)
    batch = Batch.objects.get()
    assert (batch.state, batch.attempts, batch.waits_for, batch.lease_token) == ("QUEUE", 0, "DatabaseDown", "")
    assert batch.events.latest("pk").fields["reason"] == "DatabaseDown"
    Batch.objects.update(not_before=batch.created_at)
    site.attempt(pk, Job.PROCESS)
    site.attempt(pk, Job.DELIVER)
    everything_is_right(site, images=4)


@pytest.mark.parametrize(
    ("job", "stage", "left"), [(Job.PROCESS, processing, "DONEPROCESSING"), (Job.DELIVER, delivering, "DONE")]
)
def test_an_answer_that_is_lost_after_the_commit_changes_nothing(
    site: Site, monkeypatch: MonkeyPatch, job: Job, stage: Any, left: str
) -> None:
    """Between a commit and its answer no real server can be killed at will."""
    site.study(images=4)
    (pk,) = site.queue() if job is Job.PROCESS else [batch.pk for batch in site.process()]
    finish = stage._finish

    def lose_the_answer(*arguments: Any) -> None:
        finish(*arguments)
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(stage, "_finish", lose_the_answer)
    assert site.attempt(pk, job) is None
    assert (Batch.objects.get().state, Batch.objects.get().attempts) == (left, 0)
    assert Event.objects.filter(name="batch.released").count() == 0


def test_a_database_that_stays_away_longer_than_the_lease_ends_the_attempt(
    site: Site, postgres: Postgres, monkeypatch: MonkeyPatch
) -> None:
    site.set(LEASE_SECONDS=1)
    site.study(images=4)
    (pk,) = site.queue()
    monkeypatch.setitem(runner.RUN, Job.PROCESS, lambda work, ports: (postgres.end(), Batch.objects.count()))
    with pytest.raises(OperationalError):
        site.attempt(pk, Job.PROCESS)
    postgres.start()
    monkeypatch.undo()
    assert Batch.objects.get().state == "PROCESSING"
    wait_until(lambda: not _is_held(pk), 10)  # a backend of the killed server may have renewed the lease once more
    site.attempt(pk, Job.PROCESS)
    assert Batch.objects.get().state == "DONEPROCESSING"
    assert leftovers(site) == [f"outbox/{pk}"]


def _is_held(pk: int) -> bool:
    """Whether the batch's lease may still count for some process."""
    expires_at = Batch.objects.get(pk=pk).lease_expires_at
    assert expires_at is not None
    return expires_at + clock.PRECISION > clock.now()


def test_a_database_that_is_back_is_seen_before_long_however_long_it_was_away(site: Site, postgres: Postgres) -> None:
    """psycopg's pool tries after 1, 3, 7, 15, 31 ... seconds: it was away for 8, and is not to be seen after 15."""
    connection.ensure_connection()
    connection.close()
    began_at, is_seen = time.monotonic(), False
    away_for(postgres, 8.5)
    while not is_seen:
        with suppress(OperationalError):
            is_seen = not Batch.objects.exists()
    assert 8 < time.monotonic() - began_at < 13


def test_a_watcher_that_is_started_before_the_database_waits_for_it(
    site: Site, postgres: Postgres, cluster: Cluster
) -> None:
    postgres.end()
    watcher = cluster.run("-m", "sendit", "start_watcher", "--foreground")
    wait_until(lambda: "watcher.blind" in cluster.said() or watcher.poll() is not None, 20)
    postgres.start()
    wait_until(lambda: "watcher.started" in cluster.said() or watcher.poll() is not None, 20)
    said = [line.split()[1:3] for line in cluster.said().splitlines()]
    assert said[:2] == [["watcher.blind", "code=DatabaseDown"], ["watcher.sees", "code=DatabaseDown"]]
    watcher.terminate()
    assert watcher.wait(20) == 0


def test_local_workers_wait_for_a_database_that_is_away(site: Site, postgres: Postgres) -> None:
    site.set(WORKERS=2)
    log = site.var / "log"
    with log.open("w") as stderr:
        watcher = site.start("start_watcher", "--foreground", stderr=stderr)
    wait_until(lambda: log.read_text().count("worker.started") == 2, 60)
    postgres.end()
    site.study(1, images=1)
    wait_until(lambda: "worker.blind code=DatabaseDown" in log.read_text(), 60)
    postgres.start()
    wait_until(lambda: "worker.sees code=DatabaseDown" in log.read_text(), 60)
    wait_until(lambda: Batch.objects.filter(state="DONE").exists(), 60)
    watcher.terminate()
    assert watcher.wait(30) == 0
    assert "worker.died" not in log.read_text() and "Traceback" not in log.read_text()


def test_after_a_failover_the_work_goes_on_with_the_standby(
    site: Site, postgres: Postgres, monkeypatch: MonkeyPatch
) -> None:
    name = connection.settings_dict["NAME"]
    standby = Standby(postgres)
    step = processing.import_study

    def then_it_fails_over(*arguments: Any) -> Any:
        result = step(*arguments)
        claims = "SELECT count(*) FROM pipeline_event WHERE name = 'batch.claimed'"
        wait_until(lambda: standby.ask(name, claims) == [(1,)])
        postgres.end()
        standby.promote()
        return result

    try:
        standby.start()
        site.study(images=4)
        with use_database(f"postgresql://{USER}@127.0.0.1:{postgres.port},127.0.0.1:{standby.port}/{name}"):
            (pk,) = site.queue()
            with monkeypatch.context() as patch:
                patch.setattr(processing, "import_study", then_it_fails_over)
                site.attempt(pk, Job.PROCESS)
            batch = Batch.objects.get()
            assert (batch.state, batch.waits_for, batch.attempts) == ("QUEUE", "DatabaseDown", 0)
            Batch.objects.update(not_before=batch.created_at)
            site.attempt(pk, Job.PROCESS)
            site.attempt(pk, Job.DELIVER)
            everything_is_right(site, images=4)
    finally:
        standby.remove()
        if not postgres.is_running:
            postgres.start()


def test_a_database_whose_disk_is_full_costs_no_attempt(site: Site) -> None:
    folder = Path(tempfile.mkdtemp(prefix="sendit-small-disk-"))
    site.study(images=4)
    with small_disk(folder, "150m"):
        server = Postgres(folder)
        server.start()
        try:
            url = server.url(server.create("template1"))
            migrate(url)
            with use_database(url):
                (pk,) = site.queue()
                fill(folder / "filler")
                site.attempt(pk, Job.PROCESS)
                batch = Batch.objects.get()
                assert (batch.state, batch.waits_for, batch.attempts) == ("QUEUE", "DatabaseDown", 0)
                (folder / "filler").unlink()
                Batch.objects.update(not_before=batch.created_at)
                site.attempt(pk, Job.PROCESS)
                site.attempt(pk, Job.DELIVER)
                everything_is_right(site, images=4)
        finally:
            server.end()
    folder.rmdir()


def fill(path: Path) -> None:
    """Until there is no space left."""
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(8192))
