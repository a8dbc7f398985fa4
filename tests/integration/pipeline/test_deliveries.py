"""What a batch has made, and for which destination: one row for each, with a state and attempts of its own."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from sendit.errors import ServiceDown, ServiceRefused
from sendit.pipeline.record.models import Batch, Delivery
from tests.support.site import Site, delivery_of

LAST_RELEASE = "0007"


def failing(error: Exception) -> Any:
    class Store:
        def put(self, *_: Any) -> None:
            raise error

    return Store()


def test_a_batch_that_is_processed_has_a_delivery_that_waits(site: Site) -> None:
    site.study(1, images=2)
    (batch,) = site.process()
    delivery = delivery_of(batch)
    assert (delivery.part, delivery.destination, delivery.state, delivery.attempts) == (1, "folder", "WAITING", 0)
    archive = site.outbox / str(batch.pk) / delivery.object_name.rpartition("/")[2]
    assert (delivery.size_bytes, delivery.uri, delivery.delivered_at) == (archive.stat().st_size, "", None)


def test_a_batch_is_done_when_its_delivery_is(site: Site) -> None:
    site.study(1, images=2)
    site.process()
    (batch,) = site.deliver()
    delivery = delivery_of(batch)
    assert (batch.state, delivery.state, delivery.attempts) == ("DONE", "DONE", 0)
    assert delivery.uri.endswith(delivery.object_name) and delivery.delivered_at


@pytest.mark.on_both_databases
@pytest.mark.parametrize(
    ("error", "states"),
    [
        (ServiceDown("StoreDown"), ("DONEPROCESSING", "WAITING")),
        (ServiceRefused("AccessDenied"), ("ERROR", "ERROR")),
    ],
    ids=["down", "refused"],
)
def test_an_attempt_without_a_delivery_is_counted(site: Site, error: Exception, states: tuple[str, str]) -> None:
    site.study(1, images=2)
    site.process()
    with pytest.MonkeyPatch.context() as patch:
        site_store = site.ports.object_store
        site.replace(object_store=failing(error))
        (batch,) = site.deliver()
        site.replace(object_store=site_store)
        assert ((batch.state, delivery_of(batch).state), delivery_of(batch).attempts) == (states, 1)
        patch.undo()
    if batch.state == "ERROR":
        site.call("retry", str(batch.pk))
        site.process()
    Batch.objects.update(not_before=batch.created_at)
    (batch,) = site.deliver()
    assert ((batch.state, delivery_of(batch).state), delivery_of(batch).attempts) == (("DONE", "DONE"), 1)


def test_what_was_made_again_to_the_same_bytes_keeps_its_time(site: Site) -> None:
    folder = site.study(1, images=2)
    (batch,) = site.process()
    first = delivery_of(batch)
    (folder / "notes.txt").write_text("a file that is no image")
    site.deliver()
    Batch.objects.update(not_before=batch.created_at)
    (batch,) = site.process()
    again = delivery_of(batch)
    assert (batch.folder_changes, batch.errored) == (1, 1)
    assert (again.pk, again.made_at, again.crc32c) == (first.pk, first.made_at, first.crc32c)
    assert again.attempts == 1


def test_a_batch_that_is_empty_the_second_time_has_no_delivery(site: Site) -> None:
    folder = site.study(1, images=1)
    (batch,) = site.process()
    for path in folder.iterdir():
        path.unlink()
    site.study(1, images=1, BurnedInAnnotation="YES")
    site.deliver()
    Delivery.objects.update(attempts=0)
    Batch.objects.update(not_before=batch.created_at)
    (batch,) = site.process()
    assert batch.state == "EMPTY" and not Delivery.objects.exists()


def test_a_part_goes_to_a_destination_once(site: Site) -> None:
    site.study(1, images=1)
    (batch,) = site.process()
    terms = {"batch": batch, "object_name": "o", "size_bytes": 1, "crc32c": "c"}
    Delivery.objects.create(destination="archive", **terms)
    Delivery.objects.create(destination="folder", part=2, **terms)
    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.create(destination="folder", **terms)


@pytest.mark.on_both_databases
def test_a_database_of_the_last_release_keeps_its_deliveries(site: Site) -> None:
    for number in range(3):
        site.study(number, images=1)
    site.process()
    site.attempt(Batch.objects.order_by("pk")[0].pk, _deliver())
    failed = Batch.objects.order_by("pk")[1]
    Batch.objects.filter(pk=failed.pk).update(state="ERROR")
    before = list(
        Delivery.objects.order_by("batch").values("batch", "object_name", "images", "size_bytes", "crc32c", "made_at")
    )
    done = Delivery.objects.get(state="DONE")
    call_command("migrate", "pipeline", LAST_RELEASE, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT object_name, storage_uri FROM pipeline_batch ORDER BY id")
        kept = cursor.fetchall()
    assert kept[0] == (done.object_name, done.uri) and all(name for name, _ in kept)
    call_command("migrate", "pipeline", verbosity=0)
    after = Delivery.objects.order_by("batch")
    assert list(after.values("batch", "object_name", "images", "size_bytes", "crc32c", "made_at")) == before
    assert [row.state for row in after] == ["DONE", "ERROR", "WAITING"]
    assert (after[0].uri, after[0].delivered_at) == (done.uri, done.delivered_at)
    site.deliver()
    assert Batch.objects.counts()["DONE"] == 2


def _deliver() -> Any:
    from sendit.pipeline.record.states import Job

    return Job.DELIVER
