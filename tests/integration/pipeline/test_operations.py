"""What a person does to batches is done once, is refused where it may not be, and says in the history who did it."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from sendit.pipeline import operations
from sendit.pipeline.intake.contenders import Contender, admit
from sendit.pipeline.record.history import WATCHER
from sendit.pipeline.record.models import Batch, Event, Image, Outcome
from sendit.pipeline.record.states import RETRYABLE, TABLE, State
from sendit.projects.project import DEFAULT
from tests.support.shell import run
from tests.support.site import Site

USER = "o.kowalska"


def actors(batch: int) -> dict[str, str]:
    return dict(Event.objects.filter(batch=batch).order_by("pk").values_list("name", "actor"))


def stopped(number: int, state: State = State.ERROR, code: str = "NotDicom") -> Batch:
    errors = [{"code": code, "tag": "", "count": 1, "stage": "import"}]
    batch = Batch.objects.create(
        folder_digest=f"f{number}", uid_digest="u", state=state, errors=errors, has_error=True, found=1, errored=1
    )
    Image.objects.create(batch=batch, number=1, outcome=Outcome.ERROR, code=code)
    return batch


def test_whoever_queues_folders_stands_in_the_history(site: Site) -> None:
    site.study(1)
    folders = site.projects.default.project.data_folders
    assert operations.queue_folders(folders, DEFAULT, 0, None, USER).number == 1
    assert operations.queue_folders(folders, DEFAULT, 0, None, USER).number == 0
    assert actors(Batch.objects.get().pk) == {"batch.found": USER, "batch.queued": USER}


def test_what_workers_do_carries_no_actor(site: Site) -> None:
    site.study(1)
    operations.queue_folders(site.projects.default.project.data_folders, DEFAULT, 0, None, USER)
    (batch,) = site.process()
    by_workers = {name: actor for name, actor in actors(batch.pk).items() if actor != USER}
    assert set(by_workers.values()) == {""} and {"batch.claimed", "batch.processed"} <= set(by_workers)


@pytest.mark.parametrize("state", RETRYABLE)
def test_a_retry_clears_what_was_and_says_who_asked(site: Site, state: State) -> None:
    batch = stopped(1, state)
    assert operations.retry(batch.pk, USER) == operations.Retried(batch.pk, state, True)
    batch.refresh_from_db()
    assert (batch.state, batch.errors, batch.has_error, batch.found, batch.errored) == ("QUEUE", [], False, 0, 0)
    assert not Image.objects.exists()
    assert actors(batch.pk) == {"batch.queued": USER, "batch.retried": USER}


@pytest.mark.parametrize(
    "state", [state for state in State if state not in RETRYABLE and not TABLE[state].worked_on_by]
)
def test_a_batch_in_another_state_is_not_retried(site: Site, state: State) -> None:
    batch = stopped(1, state)
    retried = operations.retry(batch.pk, USER)
    assert retried and (retried.is_queued, retried.is_retryable, retried.was) == (False, False, state)
    assert Batch.objects.get().errors and Image.objects.exists() and not Event.objects.exists()


def test_of_no_batch_nothing_is_retried(site: Site) -> None:
    assert operations.retry(17, USER) is None


def test_those_that_wait_for_a_person_are_retried_together_by_code(site: Site) -> None:
    one, other, empty = stopped(1), stopped(2, code="NoSpace"), stopped(3, State.EMPTY)
    assert [retried.batch for retried in operations.retry_stopped("NoSpace", USER)] == [other.pk]
    assert [retried.batch for retried in operations.retry_stopped(None, USER)] == [one.pk]
    assert not actors(empty.pk)


def test_whoever_cleans_up_stands_in_the_history(site: Site) -> None:
    batch = stopped(1)
    (site.settings.outbox_folder / str(batch.pk)).mkdir(parents=True)
    (dry,) = operations.clean_up(site.projects, timedelta(), USER, is_dry_run=True)
    assert dry.item.batch == batch.pk and not dry.doubt and not actors(batch.pk)
    (cleaned,) = operations.clean_up(site.projects, timedelta(), USER)
    assert not cleaned.doubt and actors(batch.pk) == {"batch.outbox_cleaned": USER}


def test_the_watcher_is_an_actor(site: Site) -> None:
    batch = admit(Contender(str(site.study(1)), 0, DEFAULT), WATCHER)
    assert batch and set(actors(batch.pk).values()) == {"watcher"}


def test_commands_act_as_such_and_batch_logs_shows_it(site: Site) -> None:
    batch = stopped(1)
    assert run("retry", str(batch.pk)).code == 0
    assert set(actors(batch.pk).values()) == {"command"}
    assert any(line.endswith("batch.queued actor=command") for line in run("batch_logs", str(batch.pk)).lines)
    (said,) = run("batch_logs", str(batch.pk), "--json").lines
    assert [event["actor"] for event in json.loads(said)["events"]] == ["command", "command"]


def test_the_log_does_not_say_who(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    operations.retry(stopped(1).pk, USER)
    said = capfd.readouterr()
    assert USER not in said.out + said.err


def test_where_no_watcher_runs_none_is_stopped(site: Site) -> None:
    assert operations.stop_watcher(site.var, 1) is None
    assert os.path.isdir(site.var)


@pytest.mark.on_both_databases
def test_events_of_the_last_release_carry_no_actor(site: Site) -> None:
    call_command("migrate", "pipeline", "0005", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO pipeline_event (at, name, fields) VALUES (%s, %s, %s)", [timezone.now(), "batch.found", "{}"]
        )
    call_command("migrate", "pipeline", verbosity=0)
    assert [(event.name, event.actor) for event in Event.objects.all()] == [("batch.found", "")]
