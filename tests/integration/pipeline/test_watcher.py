"""The watcher's loop, with a pool that only counts: what it sees, when, and what it lives through."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import watchfiles
from django.db import OperationalError

from sendit.errors import BrokenPromise, DataFault
from sendit.pipeline import folder_events, watcher, workforce
from sendit.pipeline.models import Batch
from sendit.pipeline.watcher import Watcher
from tests.phantoms import make_study
from tests.site import Site

SECONDS = 20


class Pool:
    """Takes the real one's place."""

    made: list[Pool] = []
    is_busy = False

    def __init__(self, workers: int, jobs: tuple[object, ...]) -> None:
        self.jobs, self.ticks, self.queued = jobs, 0, [0]
        Pool.made.append(self)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def warm_up(self) -> None:
        """Nothing to start."""

    def tick(self, timeout_seconds: float) -> bool:
        """Notes how many batches there are by now."""
        self.ticks += 1
        self.queued.append(Batch.objects.count())
        return False


@pytest.fixture(autouse=True)
def pools(monkeypatch: pytest.MonkeyPatch) -> list[Pool]:
    monkeypatch.setattr(workforce, "Pool", Pool)
    monkeypatch.setattr(Pool, "made", [])
    return Pool.made


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network share whose server tells nothing."""

    def refuse(*folders: str, **options: object) -> None:
        raise OSError(28, "OS file watch limit reached")

    monkeypatch.setattr(watchfiles, "watch", refuse)
    monkeypatch.setattr(folder_events, "PAUSE_SECONDS", 0.2)


def watch_until(fact: Callable[[], bool]) -> None:
    """Run the loop until it is so."""
    ends_at = time.monotonic() + SECONDS
    Watcher(lambda: fact() or time.monotonic() > ends_at).run()
    assert fact()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The watcher's events with their fields, so far."""
    said: list[str] = []
    monkeypatch.setattr(
        watcher.events,
        "log",
        lambda name, batch=None, **fields: said.append(" ".join([name, *map(str, fields.values())])),
    )
    return lambda: said


def test_where_the_system_tells_nothing_folders_are_found_by_looking(
    site: Site, deaf: None, log: Callable[[], list[str]]
) -> None:
    site.set(RESCAN_SECONDS=1)
    started = time.monotonic()

    def dropped_and_found() -> bool:
        if time.monotonic() > started + 1.5 and not (site.data / "a").exists():
            make_study(site.data / "a")
        return Batch.objects.count() == 1 and "watcher.blind NoEvents" in log()

    watch_until(dropped_and_found)


def test_the_workers_get_orders_while_many_folders_are_taken(
    site: Site, pools: list[Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "SLICE_SECONDS", 0.02)
    for number in range(100):
        (site.data / f"{number:04}").mkdir()
    watch_until(lambda: Batch.objects.count() == 100)
    (pool,) = pools
    assert len({count for count in pool.queued if 0 < count < 100}) >= 2


@pytest.mark.parametrize("settle_seconds", [0.0, 0.5])
def test_many_folders_are_taken_without_looking_at_all_of_them_again(
    site: Site, monkeypatch: pytest.MonkeyPatch, deaf: None, settle_seconds: float
) -> None:
    """A look at a hundred thousand takes seconds."""
    site.set(SETTLE_SECONDS=settle_seconds)
    monkeypatch.setattr(watcher, "SLICE_SECONDS", 0.01)
    looks, listed = [], watcher._listed
    monkeypatch.setattr(watcher, "_listed", lambda place: looks.append(place) or listed(place))
    for number in range(300):
        (site.data / f"{number:04}").mkdir()
    watch_until(lambda: Batch.objects.count() == 300)
    assert len(looks) <= 6


def test_the_oldest_folder_comes_first(site: Site) -> None:
    for age, name in enumerate(("c", "a", "b")):
        (site.data / name).mkdir()
        os.utime(site.data / name, (1e9 - age, 1e9 - age))
    watch_until(lambda: Batch.objects.count() == 3)
    assert [Path(batch.folder.reveal()).name for batch in Batch.objects.order_by("pk")] == ["b", "a", "c"]


def test_a_database_that_is_away_for_a_while_costs_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, log: Callable[[], list[str]]
) -> None:
    make_study(site.data / "a")
    real, calls = watcher.admit, []

    def failing(contender: object) -> object:
        calls.append(contender)
        if len(calls) < 3:
            raise OperationalError("database is locked")
        return real(contender)

    monkeypatch.setattr(watcher, "admit", failing)
    watch_until(lambda: Batch.objects.count() == 1 and "watcher.sees DatabaseDown" in log())
    assert log().count("watcher.blind DatabaseDown") == 1


def test_a_broker_that_is_away_is_said_once_and_folders_are_found_all_the_same(
    site: Site, log: Callable[[], list[str]]
) -> None:
    site.set(RUNNER="celery", BROKER="redis://127.0.0.1:1/0")
    site.study(1)
    watch_until(lambda: Batch.objects.count() == 1 and "watcher.blind BrokerDown" in log())
    assert log().count("watcher.blind BrokerDown") == 1
    assert Batch.objects.get().state == "QUEUE"


def test_a_pool_whose_workers_only_die_rests_and_another_tries(
    site: Site, monkeypatch: pytest.MonkeyPatch, pools: list[Pool], log: Callable[[], list[str]]
) -> None:
    def die(self: Pool, timeout_seconds: float) -> bool:
        if len(Pool.made) < 3:
            raise BrokenPromise("WorkersDie", count=9)
        self.ticks += 1
        return False

    monkeypatch.setattr(Pool, "tick", die)
    monkeypatch.setattr(watcher, "PAUSE_SECONDS", 0.0)
    watch_until(lambda: len(pools) == 3 and pools[-1].ticks > 0)
    assert "watcher.blind WorkersDie" in log()


def test_any_other_broken_promise_ends_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Pool, timeout_seconds: float) -> bool:
        raise BrokenPromise("IllegalMove")

    monkeypatch.setattr(Pool, "tick", fail)
    with pytest.raises(BrokenPromise, match="IllegalMove"):
        Watcher(lambda: False).run()


def test_where_delivery_is_off_nothing_is_delivered(site: Site, pools: list[Pool]) -> None:
    for is_on, jobs in ((True, ["DELIVER", "PROCESS"]), (False, ["PROCESS"])):
        site.set(SEND_TO_GOOGLE=is_on)
        watch_until(lambda: bool(pools) and pools[-1].ticks > 0)
        assert [job.name for job in pools[-1].jobs] == jobs
        pools.clear()


def test_a_folder_that_cannot_be_listed_is_taken_for_its_batch_to_say_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: str) -> None:
        raise DataFault("Unreadable")

    monkeypatch.setattr(watcher, "list_folder", refuse)
    site.set(SETTLE_SECONDS=0.2)
    (site.data / "a").mkdir()
    watch_until(lambda: Batch.objects.count() == 1)


def test_it_says_that_it_lives(site: Site) -> None:
    beats: list[float] = []
    ends_at = time.monotonic() + 1
    Watcher(lambda: time.monotonic() > ends_at, lambda: beats.append(time.monotonic())).run()
    assert len(beats) >= 3
