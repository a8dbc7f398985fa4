"""The same batches on Google Cloud, by settings alone: real clients, and emulators that say what arrived."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections

from sendit.adapters.gcs import store as gcs
from sendit.pipeline import checks
from sendit.pipeline.record.leases import Job
from sendit.pipeline.record.models import Batch, Delivery
from sendit.pipeline.record.states import DeliveryState
from sendit.pipeline.stages.reporting import CONTENT_TYPES
from sendit.ports import StoredObject
from tests.support.aftermath import everything_is_right
from tests.support.google_cloud import FOR_EVER, ONE_WORKER, QUICK, GoogleCloud, sign_in
from tests.support.phantoms import leaks_in
from tests.support.processes import FORK
from tests.support.site import Site, delivery_of
from topology.families import descendants_of, kill

pytestmark = ONE_WORKER

IMAGES = 2


@pytest.fixture
def on_google(site: Site, google_cloud: GoogleCloud) -> Site:
    site.set(
        GOOGLE_CLOUD_STORAGE=google_cloud.bucket,
        GOOGLE_PROJECT_NAME=google_cloud.project,
        GOOGLE_STORAGE_COLLECTION=google_cloud.collection,
        STORAGE_EMULATOR_HOST=google_cloud.storage.url,
        BIGQUERY_EMULATOR_HOST=google_cloud.bigquery.url,
    )
    return site


def test_store_and_warehouse_may_be_google_each_by_itself(site: Site, google_cloud: GoogleCloud) -> None:
    site.set(
        GOOGLE_STORAGE_COLLECTION=google_cloud.collection,
        STORAGE_EMULATOR_HOST=google_cloud.storage.url,
        BIGQUERY_EMULATOR_HOST=google_cloud.bigquery.url,
    )
    for number, (store, warehouse) in enumerate(
        [(f"gs://{google_cloud.bucket}", ""), ("", f"bigquery://{google_cloud.project}")]
    ):
        site.set(STORE=store, WAREHOUSE=warehouse)
        site.study(number, images=1)
        site.process()
        (batch,) = site.deliver()
        assert batch.state == "DONE", batch.errors
        assert delivery_of(batch).uri.startswith("gs://" if store else "file://")
        assert (delivery_of(batch).object_name in google_cloud.objects()) is bool(store)
    assert google_cloud.count("dicom") == 1
    assert len(list(site.settings.warehouse_folder.rglob("*.parquet"))) == 2
    assert len(list(site.settings.store_folder.rglob("*.tar.gz"))) == 1


def studies(site: Site, count: int) -> None:
    for number in range(count):
        site.study(number, images=IMAGES)


def arrived_once(site: Site, cloud: GoogleCloud) -> None:
    """An archive, its reports and its rows for each batch, by the emulators' account; no folders in their place."""
    everything_is_right(site, images=IMAGES)
    archives = list(Delivery.objects.values_list("object_name", flat=True))
    reports = [f"{name.removesuffix('.tar.gz')}.{report}" for name in archives for report in CONTENT_TYPES]
    assert cloud.writes() == dict.fromkeys([*archives, *reports], 1)
    assert (cloud.count("dicom"), cloud.count("instance")) == (len(archives), IMAGES * len(archives))
    assert not (site.var / "store").exists() and not (site.var / "warehouse").exists()


def without_generation(link: str) -> str:
    """A generation is a time, to the microsecond."""
    return re.sub(r"generation=\d+&", "", link)


def said_to_google(cloud: GoogleCloud) -> str:
    """Every URL, header and text that left for Google."""
    return json.dumps([*cloud.storage.requests(), *cloud.bigquery.requests()])


def test_batches_arrive_as_objects_and_rows_with_nothing_identified(on_google: Site, google_cloud: GoogleCloud) -> None:
    studies(on_google, 4)
    on_google.process()
    connections.close_all()
    done = on_google.run("upload_finished", "--workers", "4")
    assert done.returncode == 0, done.stderr
    arrived_once(on_google, google_cloud)
    assert leaks_in(said_to_google(google_cloud)) == []
    batch, *_ = Batch.objects.order_by("pk")
    kept = google_cloud.objects()[delivery_of(batch).object_name]
    assert (kept["size"], kept["crc32c"]) == (str(batch.archive_bytes), delivery_of(batch).crc32c)
    assert (kept["contentType"], kept["metadata"]["images"]) == ("application/gzip", str(IMAGES))
    links = "storage_uri, storage_download, storage_metadataLink"
    asked = f"SELECT {links} FROM dicom WHERE object_name = '{delivery_of(batch).object_name}'"
    [row] = json.loads(on_google.call("query", "--format", "json", asked))
    delivery = delivery_of(batch)
    assert row["storage_uri"] == f"gs://{google_cloud.bucket}/{delivery.object_name}" == delivery.uri
    assert row["storage_download"] == without_generation(kept["mediaLink"]) and row["storage_metadataLink"].endswith(
        kept["selfLink"]
    )


def test_a_service_account_is_all_that_a_site_needs(
    on_google: Site, google_cloud: GoogleCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its project too; and its first token ends on the way."""
    google_cloud.project = "of-the-account"
    account = sign_in(f"{google_cloud.storage.url}/token", tmp_path, monkeypatch)
    on_google.set(GOOGLE_APPLICATION_CREDENTIALS=account, GOOGLE_PROJECT_NAME="")
    google_cloud.storage.demand("token-1")
    google_cloud.bigquery.demand("token-1")
    studies(on_google, 2)
    first, second = on_google.process()
    on_google.attempt(first.pk, Job.DELIVER)
    google_cloud.storage.demand("token-2")
    google_cloud.bigquery.demand("token-2")
    on_google.attempt(second.pk, Job.DELIVER)
    arrived_once(on_google, google_cloud)


def test_a_second_delivery_adds_nothing(on_google: Site, google_cloud: GoogleCloud) -> None:
    """As after a crash between the last row and DONE."""
    studies(on_google, 1)
    on_google.process()
    (waiting,) = Batch.objects.all()
    archive = next((on_google.var / "outbox" / str(waiting.pk)).iterdir()).parent
    kept = {path.name: path.read_bytes() for path in archive.iterdir()}
    on_google.deliver()
    archive.mkdir()
    for name, content in kept.items():
        (archive / name).write_bytes(content)
    Batch.objects.update(state="DONEPROCESSING")
    Delivery.objects.update(state=DeliveryState.WAITING)
    on_google.deliver()
    arrived_once(on_google, google_cloud)


@pytest.mark.parametrize(
    ("service", "match", "status", "code"),
    [
        ("storage", "POST /upload", 404, "NoSuchBucket"),
        ("storage", "PUT /upload", 401, "CredentialsRefused"),
        ("bigquery", "PUT /upload", 403, "AccessDenied"),
    ],
)
def test_a_no_stops_the_one_batch_and_says_why(
    on_google: Site, google_cloud: GoogleCloud, service: str, match: str, status: int, code: str
) -> None:
    studies(on_google, 2)
    on_google.process()
    getattr(google_cloud, service).fail(match, status=status)
    on_google.deliver()
    stopped = Batch.objects.get(state="ERROR")
    assert [(error["code"], error["stage"]) for error in stopped.errors] == [(code, "deliver")]
    assert Batch.objects.counts()["DONE"] == 1
    on_google.call("retry", str(stopped.pk))
    on_google.process()
    on_google.deliver()
    arrived_once(on_google, google_cloud)


def test_a_service_that_is_away_lets_batches_wait(
    on_google: Site, google_cloud: GoogleCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    studies(on_google, 2)
    on_google.process()
    on_google.replace(warehouse=google_cloud.warehouse(patience=replace(QUICK, retry_seconds=0.2)))
    google_cloud.bigquery.fail("", status=503, times=FOR_EVER)
    on_google.deliver()
    assert set(Batch.objects.values_list("state", "waits_for")) == {("DONEPROCESSING", "WarehouseDown")}
    google_cloud.bigquery.reset()
    for batch in Batch.objects.all():
        Batch.objects.filter(pk=batch.pk).update(not_before=batch.created_at)
    on_google.deliver()
    arrived_once(on_google, google_cloud)


def test_a_run_that_is_killed_in_bad_weather_is_finished_by_the_next(
    on_google: Site, google_cloud: GoogleCloud
) -> None:
    studies(on_google, 6)
    on_google.process()
    connections.close_all()
    for fault in ("lose", "cut"):
        google_cloud.storage.fail("POST /upload", fault)
        google_cloud.storage.fail("PUT /upload", fault)
        google_cloud.bigquery.fail("PUT /upload", fault)
        google_cloud.bigquery.fail(f"POST /bigquery/v2/projects/{google_cloud.project}/jobs?", fault)
    google_cloud.storage.fail("/upload", status=429, skip=4)
    google_cloud.bigquery.fail("/jobs", status=500, skip=5)
    killed = FORK.Process(target=on_google.call, args=("upload_finished", "--workers", "3"))
    killed.start()
    ends_at = time.monotonic() + 60
    while len(google_cloud.writes()) < 9 and time.monotonic() < ends_at:
        time.sleep(0.02)
    assert killed.pid is not None
    for pid in (killed.pid, *descendants_of(killed.pid)):  # its workers too, which would end what they have in hand
        kill(pid)
    killed.join()
    on_google.call("upload_finished", "--workers", "3")
    arrived_once(on_google, google_cloud)
    assert leaks_in(said_to_google(google_cloud)) == []


class Meddling:
    """A store during whose second chunk another worker takes the batch over."""

    def __init__(self, store: gcs.GcsStore) -> None:
        self._store, self.checks = store, 0

    def put(self, name: str, path: Path, metadata: dict[str, str], check: Callable[[], None]) -> StoredObject:
        def meddle() -> None:
            self.checks += 1
            if self.checks == 2:
                Batch.objects.update(lease_token="another's")
                time.sleep(1)
            check()

        return self._store.put(name, path, metadata, meddle)


def test_an_upload_does_not_outlive_its_lease(
    on_google: Site, google_cloud: GoogleCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_google.study(1, images=8, pixels=(1, 256, 256))
    (batch,) = on_google.process()
    store = Meddling(google_cloud.store())
    monkeypatch.setattr(gcs, "CHUNK_BYTES", 256 << 10)
    on_google.replace(object_store=store)
    on_google.set(LEASE_SECONDS=1)
    assert on_google.attempt(batch.pk, Job.DELIVER) is None
    assert store.checks == 2
    assert google_cloud.objects() == {} and google_cloud.bigquery.requests() == []


def test_without_googles_libraries_no_command_begins(on_google: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.google_cloud() == []
    monkeypatch.setitem(sys.modules, "google.cloud.bigquery", None)
    with pytest.raises(SystemCheckError, match=r"sendit\.E003(?s:.*)sendit\[google\]"):
        call_command("check")


def test_credentials_that_are_not_there_stop_a_command_and_no_batch(on_google: Site, tmp_path: Path) -> None:
    on_google.set(GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "gone.json"))
    with pytest.raises(SystemCheckError, match=r"sendit\.E005") as raised:
        call_command("check")
    assert "gone.json" not in str(raised.value)
