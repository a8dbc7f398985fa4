"""The watcher's loop, with workers that only count: what it sees, when, and what it lives through."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import watchfiles
from django.conf import settings
from django.db import OperationalError

from sendit.errors import BrokenPromise, DataFault
from sendit.pipeline.intake import folder_events, watcher
from sendit.pipeline.intake.watcher import Watcher
from sendit.pipeline.record.models import Batch
from sendit.pipeline.workforce import choice
from sendit.projects.composition import Projects
from tests.support.phantoms import make_study
from tests.support.site import Site

SECONDS = 20


class Workers:
    """Takes the supervisor's place."""

    made: list[Workers] = []

    def __init__(self, workers: int, jobs: tuple[object, ...], waits: bool) -> None:
        self.jobs, self.rounds, self.queued = jobs, 0, [0]
        Workers.made.append(self)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def is_working(self) -> bool:
        """Counts the rounds."""
        self.rounds += 1
        return True

    def wake(self) -> None:
        """Notes how many batches there are by now."""
        self.queued.append(Batch.objects.count())


@pytest.fixture(autouse=True)
def workforces(monkeypatch: pytest.MonkeyPatch) -> list[Workers]:
    monkeypatch.setattr(choice, "Supervisor", Workers)
    monkeypatch.setattr(Workers, "made", [])
    return Workers.made


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
    Watcher(Projects(settings.SITE), choice.workforce, lambda: fact() or time.monotonic() > ends_at).run()
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


def test_the_workers_are_woken_while_many_folders_are_taken(
    site: Site, workforces: list[Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "SLICE_SECONDS", 0.02)
    for number in range(100):
        (site.data / f"{number:04}").mkdir()
    watch_until(lambda: Batch.objects.count() == 100)
    (workers,) = workforces
    assert len({count for count in workers.queued if 0 < count < 100}) >= 2


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

    def failing(contender: object, *actor: str) -> object:
        calls.append(contender)
        if len(calls) < 3:
            raise OperationalError("database is locked")
        return real(contender, *actor)

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


def test_a_workforce_whose_workers_only_die_rests_and_another_tries(
    site: Site, monkeypatch: pytest.MonkeyPatch, workforces: list[Workers], log: Callable[[], list[str]]
) -> None:
    def die(self: Workers) -> bool:
        if len(Workers.made) < 3:
            raise BrokenPromise("WorkersDie", count=9)
        self.rounds += 1
        return True

    monkeypatch.setattr(Workers, "is_working", die)
    monkeypatch.setattr(watcher, "PAUSE_SECONDS", 0.0)
    watch_until(lambda: len(workforces) == 3 and workforces[-1].rounds > 0)
    assert "watcher.blind WorkersDie" in log()


def test_any_other_broken_promise_ends_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Workers) -> bool:
        raise BrokenPromise("IllegalMove")

    monkeypatch.setattr(Workers, "is_working", fail)
    with pytest.raises(BrokenPromise, match="IllegalMove"):
        Watcher(site.projects, choice.workforce, lambda: False).run()


def test_where_delivery_is_off_nothing_is_delivered(site: Site, workforces: list[Workers]) -> None:
    for is_on, jobs in ((True, ["DELIVER", "PROCESS"]), (False, ["PROCESS"])):
        site.set(SEND_TO_GOOGLE=is_on)
        watch_until(lambda: bool(workforces) and workforces[-1].rounds > 0)
        assert [job.name for job in workforces[-1].jobs] == jobs
        workforces.clear()


def test_the_workers_are_woken_every_second_though_nothing_is_found(site: Site, workforces: list[Workers]) -> None:
    """A batch that waited for a service may be due again."""
    ends_at = time.monotonic() + 2.5
    Watcher(site.projects, choice.workforce, lambda: time.monotonic() > ends_at).run()
    assert len(workforces[0].queued) - 1 in (3, 4)


def test_a_folder_that_cannot_be_listed_is_taken_for_its_batch_to_say_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: str) -> None:
        raise DataFault("Unreadable")

    monkeypatch.setattr(watcher, "list_folder", refuse)
    site.set(SETTLE_SECONDS=0.2)
    (site.data / "a").mkdir()
    watch_until(lambda: Batch.objects.count() == 1)


def test_a_folder_with_a_file_that_is_open_for_writing_waits_until_it_is_closed(site: Site) -> None:
    site.set(SETTLE_SECONDS=0.2)
    path = next(site.study(images=1).iterdir())
    ends_at = time.monotonic() + 1
    with path.open("ab"):
        watch_until(lambda: time.monotonic() > ends_at)
        assert Batch.objects.count() == 0
    watch_until(lambda: Batch.objects.count() == 1)


def test_it_says_that_it_lives(site: Site) -> None:
    beats: list[float] = []
    ends_at = time.monotonic() + 1
    Watcher(
        site.projects, choice.workforce, lambda: time.monotonic() > ends_at, lambda: beats.append(time.monotonic())
    ).run()
    assert len(beats) >= 3
