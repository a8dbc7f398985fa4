"""kill -9 of workers, the watcher, the broker, the database and all of them at random moments of a run.

`pytest tests/fault/topology --batches 200` is the long run; the seed of a run that failed is in its message.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from sendit.ground import database
from sendit.pipeline.record.models import Batch, Event
from sendit.pipeline.stages.outbox import Outbox
from tests.support.aftermath import everything_is_right
from tests.support.servers import Cluster, Postgres, Valkey
from tests.support.site import Site
from topology.families import descendants_of, kill

pytestmark = [pytest.mark.on_postgres, pytest.mark.timeout(1800)]

PATIENCE_SECONDS = 240
"""And as many seconds again for each fifty batches of a long run: every restart takes some."""


class Topology:
    """A worker, the watcher and the two servers, kept alive as a process manager would."""

    def __init__(self, site: Site, cluster: Cluster, valkey: Valkey, postgres: Postgres) -> None:
        self._site, self._cluster, self._servers = site, cluster, (valkey, postgres)
        self._start: dict[str, Callable[[], subprocess.Popen[bytes]]] = {
            "worker": cluster.worker,
            "watcher": lambda: cluster.run("-m", "sendit", "start_watcher", "--foreground"),
        }
        self._running = {name: start() for name, start in self._start.items()}

    def keep_alive(self) -> None:
        """Start again what has ended."""
        for server in self._servers:
            if not server.is_running:
                server.start()
        for name, process in self._running.items():
            if process.poll() is not None:
                self._running[name] = self._start[name]()

    def kill(self, what: str, chance: random.Random) -> None:
        """With SIGKILL."""
        worker, watcher = self._running["worker"], self._running["watcher"]
        valkey, postgres = self._servers
        match what:
            case "a worker's process":
                kill(chance.choice(descendants_of(worker.pid) or [worker.pid]))
            case "worker":
                kill(worker.pid)
            case "watcher":
                kill(watcher.pid)
            case "broker":
                valkey.end()
            case "database":
                postgres.end()
            case "everything":
                for pid in (worker.pid, *descendants_of(worker.pid), watcher.pid):
                    kill(pid)
                valkey.end()
                postgres.end()


KINDS = ("a worker's process", "broker", "watcher", "database", "everything")
LONG = (*KINDS, "worker") * 3


def done() -> int:
    with suppress(*database.AWAY):
        database.reconnect()
        return Batch.objects.filter(state="DONE").count()
    return 0


def test_whatever_is_killed_and_whenever_nothing_is_lost_or_done_twice(
    site: Site, cluster: Cluster, valkey: Valkey, postgres: Postgres, request: pytest.FixtureRequest
) -> None:
    batches: int = request.config.getoption("--batches")
    seed = int.from_bytes(os.urandom(4), "big")
    chance = random.Random(seed)
    site.set(LEASE_SECONDS=3, MAX_ATTEMPTS=50)
    for number in range(batches):
        site.study(number, images=1)
    topology = Topology(site, cluster, valkey, postgres)
    ends_at = time.monotonic() + PATIENCE_SECONDS * max(1, batches // 50)
    kinds = KINDS if batches < 100 else LONG
    for round_, kind in enumerate(kinds, 1):
        while done() < batches * round_ // (len(kinds) + 2) and time.monotonic() < ends_at:
            time.sleep(0.1)
            topology.keep_alive()
        time.sleep(chance.uniform(0, 0.3))
        topology.kill(kind, chance)
        time.sleep(chance.uniform(0, 0.5))
        topology.keep_alive()
    while done() < batches and time.monotonic() < ends_at:
        time.sleep(0.2)
        topology.keep_alive()
    assert done() == Batch.objects.count() == batches, (seed, Batch.objects.counts(), cluster.said()[-3000:])
    for pk in Batch.objects.values_list("pk", flat=True):
        Outbox(site.outbox).remove(pk)  # as clean_up does
    everything_is_right(site, images=1)
    assert len(list(site.settings.store_folder.rglob("*.tar.gz"))) == batches
    assert Event.objects.filter(name="batch.delivered").count() == batches
