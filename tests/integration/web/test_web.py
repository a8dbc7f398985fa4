"""Health and metrics: right whichever process is asked, in Prometheus' own format, without an identifier."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client, override_settings
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from sendit import keys
from sendit.pipeline.record import history
from sendit.pipeline.record.leases import Job
from sendit.pipeline.record.models import Batch, Event
from sendit.pipeline.record.site_models import Totals
from sendit.pipeline.reports import overview as reports
from sendit.pipeline.reports import totals
from sendit.web import metrics
from tests.support.phantoms import leaks_in
from tests.support.servers import Valkey
from tests.support.site import Site


@pytest.fixture(autouse=True)
def web() -> Iterator[None]:
    with override_settings(ROOT_URLCONF="sendit.web.urls", MIDDLEWARE=[]):
        yield


def get(address: str) -> Any:
    return Client(raise_request_exception=False).get(address)


def scraped() -> dict[tuple[str, ...], float]:
    """Every sample, by its name and the values of its labels, as Prometheus reads it."""
    text = get("/metrics").content.decode()
    assert leaks_in(text) == []
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        (sample.name.removeprefix("sendit_"), *(value for _, value in sorted(sample.labels.items()))): sample.value
        for sample in samples
    }


def later(site: Site, minutes: int = 5) -> None:
    """As if so much time had passed since the totals were noted."""
    Totals.objects.update(noted_at=timezone.now() - timedelta(minutes=minutes))


@pytest.mark.on_both_databases
def test_metrics_tell_of_batches_images_durations_and_reasons(site: Site) -> None:
    site.study(1, images=3)
    broken = site.study(2, images=2)
    (broken / "note.txt").write_text("not an image")
    site.study(3, images=2, patients=2)
    site.study(4, images=1, ImageType=["DERIVED", "SECONDARY"], BurnedInAnnotation="YES")
    site.process()
    site.deliver()
    site.study(5)
    site.queue()
    seen = scraped()
    wanted = {
        ("batches", "DONE"): 2, ("batches", "ERROR"): 1, ("batches", "EMPTY"): 1, ("batches", "QUEUE"): 1,
        ("batches_found_total",): 5, ("batches_processed_total",): 2, ("batches_empty_total",): 1,
        ("batches_delivered_total",): 2, ("batches_failed_total", "MixedPatients"): 1,
        ("images_total", "delivered"): 5, ("images_total", "error"): 1, ("images_total", "filtered"): 1,
        ("delivered_images_total",): 5, ("batches_with_errors",): 2, ("lapsed_leases",): 0,
        ("files_errored", "NotDicom"): 1, ("files_errored", "MixedPatients"): 2, ("watcher_up",): 0,
    }  # fmt: skip
    assert {name: seen[name] for name in wanted} == wanted
    assert [name[0] for name in seen if name[0] == "files_filtered"] == ["files_filtered"]
    assert seen["oldest_seconds", "QUEUE"] >= 0
    done = Batch.objects.filter(state="DONE")
    assert seen["input_bytes_total",] == sum(batch.input_bytes for batch in done)
    assert seen["delivered_bytes_total",] == sum(batch.archive_bytes for batch in done)
    for stage in metrics.STAGES:
        assert seen["stage_seconds_count", stage] == seen["stage_seconds_bucket", "+Inf", stage] == 2
    assert seen["stage_seconds_sum", "import"] > 0


def test_a_site_without_a_batch_has_metrics_too(site: Site) -> None:
    seen = scraped()
    assert (seen["batches", "DONE"], seen["batches_found_total",], seen["stage_seconds_count", "deliver"]) == (0, 0, 0)


def test_leases_of_dead_workers_and_what_waits_for_a_service_are_counted(site: Site) -> None:
    batch = Batch.objects.create(folder_digest="1", uid_digest="u", state="QUEUE")
    site.claim(batch.pk, Job.PROCESS)
    Batch.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert scraped()["lapsed_leases",] == 1
    lease = site.claim(batch.pk, Job.PROCESS)
    assert lease
    lease.postpone("NoSpace")
    history.record("batch.released", batch.pk, state="PROCESSING", reason="NoSpace", seconds=5)
    seen = scraped()
    assert (seen["lease_expiries_total", "PROCESSING"], seen["lapsed_leases",]) == (1, 0)
    assert (seen["postponed_batches", "NoSpace"], seen["batches_released_total", "NoSpace"]) == (1, 1)


# ------------------------------------------------------------------------------------------ counters that only grow


def test_counters_are_the_same_from_every_process_and_outlive_a_retry(site: Site) -> None:
    site.study(1, images=2, patients=2)
    site.process()
    assert scraped()["batches_failed_total", "MixedPatients"] == 1
    site.call("retry", "--all-errors")
    assert scraped()["batches_failed_total", "MixedPatients"] == 1
    site.process()
    assert scraped()["batches_failed_total", "MixedPatients"] == 2


def test_what_was_counted_long_ago_is_not_read_again(site: Site) -> None:
    for number in range(3):
        site.study(number, images=1)
    site.process()
    first = totals.totals()
    for _ in range(2):
        later(site)
        totals.totals()
    row = Totals.objects.get()
    assert row.through == Event.objects.latest("pk").pk and row.counts
    read = counted_events()
    assert (totals.totals(), read) == (first, 0)
    site.deliver()
    assert totals.totals()["batch.delivered",] == 3


def counted_events() -> int:
    return Event.objects.filter(pk__gt=Totals.objects.get().through, name__in=totals.COUNTED).count()


def test_an_event_that_becomes_visible_late_is_counted(site: Site) -> None:
    batch = Batch.objects.create(folder_digest="1", uid_digest="u", state="QUEUE")
    Event.objects.bulk_create([Event(pk=7, batch=batch, name="batch.found")])
    assert totals.totals()["batch.found",] == 1
    Event.objects.bulk_create([Event(pk=5, batch=batch, name="batch.found")])  # its transaction was the longer one
    assert totals.totals()["batch.found",] == 2
    for _ in range(2):
        later(site)
        assert totals.totals()["batch.found",] == 2
    assert Totals.objects.get().through == 7


def test_of_two_that_move_the_totals_on_at_once_one_wins(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Batch.objects.create(folder_digest="1", uid_digest="u", state="QUEUE")
    Event.objects.create(batch=batch, name="batch.found", fields={})
    totals.totals()
    later(site)
    stale = Totals.objects.get()
    totals.totals()
    moved = Totals.objects.get()
    monkeypatch.setattr(totals, "_row", lambda: stale)
    assert totals.totals()["batch.found",] == 1
    assert (Totals.objects.get().through, Totals.objects.get().noted) == (moved.through, moved.noted)


# ------------------------------------------------------------------------------------------ health


def test_a_well_deployment_is_alive_and_ready(site: Site) -> None:
    assert (get("/healthz").status_code, get("/healthz").json()) == (200, {"status": "ok"})
    assert (get("/readyz").status_code, get("/readyz").json()) == (200, {"database": "ok", "broker": "ok"})


@pytest.mark.on_postgres
def test_a_broker_that_is_away_is_said_by_readiness_and_metrics(site: Site, valkey: Valkey) -> None:
    assert (scraped()["broker_up",], scraped()["broker_messages", "process"]) == (1, 0)
    site.set(BROKER="redis://127.0.0.1:1/0")
    answer = get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"database": "ok", "broker": "BrokerDown"})
    assert scraped()["broker_up",] == 0
    assert get("/healthz").status_code == 200


def test_a_database_that_is_away_is_said_and_does_not_end_the_process(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("connection refused: host secret.example")

    monkeypatch.setattr(reports, "overview", away)
    monkeypatch.setattr("sendit.pipeline.reports.readiness.database.is_current", away)
    assert get("/healthz").status_code == 200
    assert (get("/readyz").status_code, get("/readyz").json()["database"]) == (503, "DatabaseDown")
    assert (get("/metrics").status_code, get("/metrics").content) == (503, b"DatabaseDown\n")
    monkeypatch.setattr("sendit.pipeline.reports.readiness.database.is_current", lambda: False)
    assert get("/readyz").json()["database"] == "DatabaseOutdated"


def test_what_is_not_there_or_fails_quotes_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("Jane Doe")

    assert (get("/Jane-Doe").status_code, get("/Jane-Doe").json()) == (404, {"error": "NoSuchAddress"})
    monkeypatch.setattr(reports, "overview", fail)
    caplog.set_level("INFO", "sendit")
    answer = get("/metrics")
    assert (answer.status_code, answer.json()) == (500, {"error": "UnexpectedFailure"})
    (record,) = [record for record in caplog.records if record.message == "web.failed"]
    assert record.fields["failure"] == "ZeroDivisionError"  # type: ignore[attr-defined]


@pytest.mark.parametrize("module", ["sendit.web.wsgi", "sendit.identity_service.wsgi"])
def test_a_server_says_its_events(tmp_path: Path, module: str) -> None:
    event = "events.log('web.failed', failure='KeyError', place='a:1')"
    program = f"import {module}; from sendit.ground import events; {event}"
    keys.make(tmp_path / "secrets")
    environment = {**os.environ, "SENDIT_VAR": str(tmp_path), "SENDIT_LOG_FORMAT": "json"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    assert json.loads(line) | {"at": ""} == {"at": "", "event": "web.failed", "failure": "KeyError", "place": "a:1"}
