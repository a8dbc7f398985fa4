"""Several destinations: each delivery has a state of its own, and one that fails holds up itself alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sendit.adapters.folder.settings import StoreFolder
from sendit.adapters.folder.store import FolderStore
from sendit.errors import SenditError, ServiceDown, ServiceRefused
from sendit.pipeline.record.models import Batch, Event
from sendit.projects import composition
from tests.support.growing import BEGINNING, add, in_warehouse, work
from tests.support.shell import run
from tests.support.site import Site

REASON = ("--reason", "a test")


class Harm:
    """Stores that fail as long as an error is named for them."""

    def __init__(self) -> None:
        self.of: dict[str, SenditError] = {}
        self.calls: list[tuple[str, str]] = []

    def store(self, _site: Any, _project: Any, choice: StoreFolder) -> FolderStore:
        harm = self

        class Store(FolderStore):
            def put(self, *arguments: Any) -> Any:
                harm.meet("put", choice.name)
                return super().put(*arguments)

            def remove(self, name: str) -> None:
                harm.meet("remove", choice.name)
                super().remove(name)

        return Store(choice.path)

    def meet(self, deed: str, name: str) -> None:
        self.calls.append((deed, name))
        if error := self.of.get(name):
            raise error


@pytest.fixture
def harm(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harm]:
    harm = Harm()
    monkeypatch.setattr(composition, "object_store", harm.store)
    monkeypatch.setattr(composition, "REST_SECONDS", 0.0)
    site.set(STORE=f"file://{site.var}/one#one file://{site.var}/two#two")
    yield harm


def archives(site: Site) -> dict[str, list[str]]:
    """What each destination has, by its name."""
    return {name: sorted(path.name for path in (site.var / name).rglob("*.tar.gz")) for name in ("one", "two")}


def states(batch: Batch) -> dict[str, tuple[str, int, str]]:
    rows = batch.deliveries.order_by("part", "pk")
    return {row.destination: (row.state, row.attempts, row.code) for row in rows}


def again(site: Site) -> Batch:
    """The next attempt at the one batch, when everything is due."""
    return work(site)[0]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.on_both_databases
def test_an_archive_and_its_report_go_to_each(site: Site, harm: Harm) -> None:
    site.study(1, images=2)
    batch = again(site)
    assert batch.state == "DONE" and states(batch) == {"one": ("DONE", 0, ""), "two": ("DONE", 0, "")}
    of_one, of_two = files(site.var / "one"), files(site.var / "two")
    assert of_one == of_two and len([name for name in of_one if not name.startswith(".")]) == 4
    assert {row.destination: row.uri for row in batch.deliveries.all()} == {
        name: next((site.var / name).rglob("*.tar.gz")).as_uri() for name in ("one", "two")
    }
    assert in_warehouse(site) == [(1, 1, 2)]
    told = [event.fields["destination"] for event in Event.objects.filter(name="batch.delivered_to").order_by("pk")]
    assert told == ["one", "two"] and Event.objects.filter(name="batch.delivered").count() == 1
    assert not site.outbox.joinpath(str(batch.pk)).exists()


@pytest.mark.on_both_databases
@pytest.mark.parametrize("down", ["one", "two"])
def test_one_that_is_down_holds_up_itself_alone(site: Site, harm: Harm, down: str) -> None:
    up = "two" if down == "one" else "one"
    harm.of[down] = ServiceDown("StoreDown")
    site.study(1, images=2)
    batch = again(site)
    assert batch.state == "DONEPROCESSING" and batch.waits_for == "StoreDown"
    assert states(batch) == {up: ("DONE", 0, ""), down: ("WAITING", 1, "StoreDown")}
    assert len(archives(site)[up]) == 1 and archives(site)[down] == []
    assert in_warehouse(site) == ([(1, 1, 2)] if up == "one" else [])
    batch = again(site)
    assert states(batch)[down] == ("WAITING", 2, "StoreDown")
    assert [call for call in harm.calls if call[1] == up] == [("put", up)] * 4, (
        "an archive, its statement and two reports, once"
    )
    harm.of.clear()
    batch = again(site)
    assert batch.state == "DONE" and states(batch) == {up: ("DONE", 0, ""), down: ("DONE", 2, "")}
    assert archives(site)["one"] == archives(site)["two"] and in_warehouse(site) == [(1, 1, 2)]


def test_a_wait_grows_for_the_destination_that_is_down(site: Site, harm: Harm) -> None:
    harm.of["two"] = ServiceDown("StoreDown")
    site.study(1, images=1)
    waits = []
    for _ in range(3):
        again(site)
        waits.append(Event.objects.filter(name="batch.delivery_waits").latest("pk").fields["seconds"])
    assert waits == [5.0, 10.0, 20.0]
    batch = Batch.objects.get()
    assert batch.not_before == batch.deliveries.get(destination="two").not_before


def test_one_that_is_down_is_left_alone_for_a_while(site: Site, harm: Harm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composition, "REST_SECONDS", 600.0)
    harm.of["two"] = ServiceDown("StoreDown")
    for number in range(3):
        site.study(number, images=1)
    site.process()
    projects = site.projects
    monkeypatch.setattr(Site, "projects", projects)
    batches = site.deliver()
    assert [call for call in harm.calls if call[1] == "two"] == [("put", "two")]
    assert [states(batch)["two"] for batch in batches] == [
        ("WAITING", 1, "StoreDown"), ("WAITING", 0, "StoreDown"), ("WAITING", 0, "StoreDown"),
    ]  # fmt: skip
    assert len(archives(site)["one"]) == 3


@pytest.mark.on_both_databases
@pytest.mark.parametrize("refusing", ["one", "two"])
def test_one_that_refuses_is_tried_again_when_a_person_says_so(site: Site, harm: Harm, refusing: str) -> None:
    other = "two" if refusing == "one" else "one"
    harm.of[refusing] = ServiceRefused("AccessDenied", subject="object store")
    site.study(1, images=2)
    batch = again(site)
    assert (batch.state, batch.delivered, batch.errored) == ("ERROR", 2, 0)
    assert states(batch) == {other: ("DONE", 0, ""), refusing: ("ERROR", 1, "AccessDenied")}
    assert [(error["code"], error["stage"]) for error in batch.errors] == [("AccessDenied", "deliver")]
    said = run("batch_logs", "1").out
    assert f"to {refusing}: AccessDenied" in said
    assert run("clean_up", "--older-than", "0", "--yes").code == 0 and site.outbox.joinpath("1").exists()
    harm.of.clear()
    assert run("retry", "1").code == 0
    site.deliver()
    batch = Batch.objects.get()
    assert (batch.state, batch.has_error, batch.errors) == ("DONE", False, [])
    assert states(batch) == {other: ("DONE", 0, ""), refusing: ("DONE", 1, "")}
    assert batch.images.count() == 2 and Event.objects.filter(name="batch.processed").count() == 1
    assert archives(site)["one"] == archives(site)["two"] and in_warehouse(site) == [(1, 1, 2)]


def test_where_all_refuse_the_batch_begins_again(site: Site, harm: Harm) -> None:
    harm.of = {name: ServiceRefused("AccessDenied") for name in ("one", "two")}
    site.study(1, images=2)
    batch = again(site)
    assert (batch.state, batch.delivered, batch.errored) == ("ERROR", 0, 2)
    assert not site.outbox.joinpath("1").exists()
    harm.of.clear()
    assert run("retry", "1").code == 0 and Batch.objects.get().state == "QUEUE"
    batch = again(site)
    assert batch.state == "DONE" and set(states(batch).values()) == {("DONE", 1, "")}


def test_one_that_waits_is_tried_to_its_end_before_the_batch_is_an_error(site: Site, harm: Harm) -> None:
    harm.of = {"one": ServiceRefused("AccessDenied"), "two": ServiceDown("StoreDown")}
    site.study(1, images=1)
    assert again(site).state == "DONEPROCESSING"
    del harm.of["two"]
    batch = again(site)
    assert batch.state == "ERROR" and states(batch)["two"] == ("DONE", 1, "")


def test_what_a_destination_has_is_made_to_the_end_though_the_folder_grows(site: Site, harm: Harm) -> None:
    harm.of["two"] = ServiceDown("StoreDown")
    folder = site.data / "ACC1"
    add(folder, 1, 2)
    again(site)
    add(folder, 3)
    harm.of.clear()
    batch = again(site)
    assert (batch.state, batch.delivered) == ("DONE", 2)
    batch = again(site)
    assert (batch.state, batch.delivered) == ("DONE", 3)
    assert archives(site)["one"] == archives(site)["two"] and len(archives(site)["one"]) == 2
    assert in_warehouse(site) == [(1, 1, 2), (1, 2, 1)]


def test_what_a_destination_has_and_is_lost_here_is_made_again_to_the_same_bytes(site: Site, harm: Harm) -> None:
    harm.of["two"] = ServiceDown("StoreDown")
    site.study(1, images=2)
    again(site)
    for path in site.outbox.joinpath("1").iterdir():
        path.unlink()
    site.outbox.joinpath("1").rmdir()
    harm.of.clear()
    again(site)
    batch = again(site)
    assert (batch.state, batch.delivered) == ("DONE", 2)
    assert files(site.var / "one") == files(site.var / "two") and in_warehouse(site) == [(1, 1, 2)]


# ---------------------------------------------------------------------------------------------- taken back


def test_a_withdrawal_takes_it_from_every_destination_that_answers(site: Site, harm: Harm) -> None:
    site.study(1, images=1)
    again(site)
    harm.of["one"] = ServiceDown("StoreDown")
    ran = run("withdraw", "1", *REASON)
    assert ran.code == 1 and "StoreDown" in ran.out
    assert len(archives(site)["one"]) == 1 and archives(site)["two"] == [] and in_warehouse(site) == []
    harm.of.clear()
    ran = run("withdraw", "--unfinished", *REASON)
    assert (ran.code, archives(site)) == (0, {"one": [], "two": []})
    assert {row.state for row in Batch.objects.get().deliveries.all()} == {"REMOVED"}


def test_a_study_that_is_withdrawn_while_it_waits_is_gone_everywhere(site: Site, harm: Harm) -> None:
    harm.of["two"] = ServiceDown("StoreDown")
    site.study(1, images=1)
    again(site)
    harm.of.clear()
    assert run("withdraw", "1", *REASON).code == 0
    assert archives(site) == {"one": [], "two": []} and again(site).state == "WITHDRAWN"


def test_a_study_is_made_again_for_every_destination(site: Site, harm: Harm) -> None:
    site.study(1, images=1)
    again(site)
    before = archives(site)
    assert run("redeliver", "1", *REASON).code == 0
    batch = again(site)
    assert batch.state == "DONE" and in_warehouse(site) == [(2, 1, 1)]
    assert archives(site)["one"] == archives(site)["two"] != before["one"] and len(archives(site)["two"]) == 1
    assert run("withdraw", "1", *REASON).code == 0 and archives(site) == {"one": [], "two": []}
    assert run("readmit", "1", *REASON).code == 0
    assert again(site).state == "DONE" and len(archives(site)["one"]) == len(archives(site)["two"]) == 1


# ---------------------------------------------------------------------------------------------- named otherwise


def test_a_destination_that_is_added_gets_what_is_made_from_then_on(site: Site, harm: Harm) -> None:
    site.set(STORE=f"file://{site.var}/one#one")
    site.study(1, images=1)
    again(site)
    site.set(STORE=f"file://{site.var}/one#one file://{site.var}/two#two")
    site.study(2, images=1)
    work(site)
    assert [len(found) for found in archives(site).values()] == [2, 1]
    assert run("redeliver", "1", *REASON).code == 0
    work(site)
    assert archives(site)["one"] == archives(site)["two"]


@pytest.mark.parametrize("gone", ["one", "two"])
def test_what_waits_for_a_destination_that_is_taken_away_is_given_up_by_a_person(
    site: Site, harm: Harm, gone: str
) -> None:
    stays = "two" if gone == "one" else "one"
    harm.of[gone] = ServiceDown("StoreDown")
    site.study(1, images=1)
    again(site)
    site.set(STORE=f"file://{site.var}/{stays}#{stays}")
    batch = again(site)
    assert batch.state == "ERROR" and states(batch)[gone] == ("ERROR", 2, "UnknownDestination")
    assert run("retry", "1").code == 0
    batch = again(site)
    assert batch.state == "DONE" and states(batch)[gone][0] == "LEFT" and states(batch)[stays][0] == "DONE"
    assert in_warehouse(site) == [(1, 1, 1)]


def test_a_destination_that_is_named_again_gets_what_waited_for_it(site: Site, harm: Harm) -> None:
    harm.of["two"] = ServiceDown("StoreDown")
    site.study(1, images=1)
    again(site)
    site.set(STORE=f"file://{site.var}/one#one")
    assert again(site).state == "ERROR"
    harm.of.clear()
    site.set(STORE=f"file://{site.var}/one#one file://{site.var}/two#two")
    assert run("retry", "1").code == 0
    assert again(site).state == "DONE" and archives(site)["one"] == archives(site)["two"]


def test_a_destination_may_move_and_keep_its_name(site: Site, harm: Harm) -> None:
    site.study(1, images=1)
    again(site)
    (site.var / "two").rename(site.var / "elsewhere")
    site.set(STORE=f"file://{site.var}/one#one file://{site.var}/elsewhere#two")
    assert run("withdraw", "1", *REASON).code == 0
    assert list((site.var / "elsewhere").rglob("*.tar.gz")) == []


def test_what_cannot_be_removed_from_a_destination_that_is_gone_is_told(site: Site, harm: Harm) -> None:
    site.study(1, images=1)
    again(site)
    site.set(STORE=f"file://{site.var}/one#one")
    ran = run("withdraw", "1", *REASON)
    assert ran.code == 1 and "UnknownDestination" in ran.out and "(two)" in ran.out
    assert archives(site)["one"] == []


def test_a_delivery_of_a_version_that_knew_one_destination_is_of_the_first(site: Site, harm: Harm) -> None:
    site.study(1, images=1)
    again(site)
    batch = Batch.objects.get()
    batch.deliveries.filter(destination="two").delete()
    batch.deliveries.update(destination="store")
    assert run("withdraw", "1", *REASON).code == 0
    assert archives(site)["one"] == []


def test_what_an_earlier_version_had_waiting_is_made_and_delivered_once(site: Site, harm: Harm) -> None:
    folder = site.study(1, images=1)
    site.process()
    batch = Batch.objects.get()
    batch.deliveries.filter(destination="two").delete()
    batch.deliveries.update(destination="store")
    (folder / "notes.txt").write_text("no image")
    site.deliver()
    Batch.objects.update(not_before=BEGINNING)
    batch = again(site)
    assert batch.state == "DONE" and set(states(batch)) == {"one", "two"}


def test_what_was_never_tried_goes_to_the_destinations_that_there_are_now(site: Site, harm: Harm) -> None:
    site.study(1, images=1)
    site.process()
    site.set(STORE=f"file://{site.var}/two#two file://{site.var}/three#three")
    (batch,) = site.deliver()
    assert batch.state == "DONE" and set(states(batch)) == {"two", "three"} and in_warehouse(site) == [(1, 1, 1)]
    assert archives(site)["one"] == [] and len(archives(site)["two"]) == 1
    site.set(STORE=f"file://{site.var}/one#one")
    site.study(2, images=1)
    site.process()
    site.set(STORE="folder")
    (batch,) = site.deliver()
    assert batch.state == "DONE" and set(states(batch)) == {"folder"}
