"""`GET /metrics` for Prometheus. All values come from the database, so every process returns the same.

Labels are sendit's own words: states, stages, codes, names of rules. There is no identifier, path or batch in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

import sendit
from sendit.ground import database
from sendit.pipeline.reports import overview as reports
from sendit.pipeline.reports import surroundings
from sendit.pipeline.reports.overview import Overview
from sendit.pipeline.reports.totals import BUCKETS, Counts, totals

STAGES = ("import", "identify", "deidentify", "deliver")


def metrics(request: HttpRequest) -> HttpResponse:
    """Return all metrics as text, or 503 while the database is away, so that Prometheus shows `up 0`."""
    registry = CollectorRegistry(auto_describe=False)
    try:
        families = list(_families())
    except database.AWAY:
        database.reconnect()
        return HttpResponse("DatabaseDown\n", status=503, content_type="text/plain")
    registry.register(_MadeFamilies(families))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _MadeFamilies:
    """A Prometheus collector of metric families that exist already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        """Return the families."""
        return self._families


def _families() -> Iterator[Metric]:
    overview = reports.overview()
    yield _gauge("info", "The version that answers.", "version", {sendit.__version__: 1})
    yield from _now(overview)
    yield from _of_newest_files(overview)
    yield from _servers()
    yield from _since_the_beginning(totals())


# ------------------------------------------------------------------------------------------ as it stands


def _now(overview: Overview) -> Iterator[Metric]:
    states = {str(state): count for state, count in overview.states.items()}
    yield _gauge("batches", "Batches by state; those in QUEUE and DONEPROCESSING wait.", "state", states)
    oldest = {str(one.state): one.seconds for one in overview.oldest}
    yield _gauge("oldest_seconds", "How long the oldest batch has stood in a state.", "state", oldest)
    waiting = overview.in_review
    yield _gauge("images_in_review", "Images that wait for a person.", "", {"": waiting.images})
    yield _gauge("oldest_in_review_seconds", "How long the oldest image has waited.", "", {"": waiting.seconds})
    yield _gauge("postponed_batches", "Batches that wait for a service or for space.", "code", overview.postponed)
    yield _gauge("lapsed_leases", "Batches of dead workers that nobody has taken over yet.", "", {"": overview.lapsed})
    yield _gauge("batches_with_errors", "Batches with has_error.", "", {"": overview.with_errors})


def _of_newest_files(overview: Overview) -> Iterator[Metric]:
    """Yield gauges of the newest files only, so their values may go down."""
    yield _gauge(
        "files_filtered",
        "Files by the rule that filtered them, of the newest 200,000.",
        "rule",
        dict(overview.withheld),
    )
    errors = overview.files_errored
    yield _gauge("files_errored", "Files by the code of their error, of the newest 200,000.", "code", errors)


def _servers() -> Iterator[Metric]:
    watcher, broker = surroundings.watcher(settings.SITE.var), surroundings.broker()
    silent = {"": watcher.silent_seconds} if watcher.runs else {}
    yield _gauge("watcher_up", "Whether the watcher runs that shares this VAR.", "", {"": int(watcher.runs)})
    yield _gauge("watcher_silent_seconds", "Since the watcher last said that it lives.", "", silent)
    listener = surroundings.listener(settings.SITE.var)
    if listener:
        yield _gauge("listener_up", "Whether the listener runs that shares this VAR.", "", {"": int(listener.runs)})
        silent = {"": listener.silent_seconds} if listener.runs else {}
        yield _gauge("listener_silent_seconds", "Since the listener last said that it lives.", "", silent)
    if broker:
        yield _gauge("broker_up", "Whether the broker answers.", "", {"": int(broker.answers)})
        yield _gauge("broker_messages", "Messages that wait in the broker.", "queue", broker.messages)


def _gauge(name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
    """Return a gauge with one label, or without labels."""
    family = GaugeMetricFamily(f"sendit_{name}", about, labels=[label] if label else [])
    for word, value in values.items():
        family.add_metric([word] if label else [], value)
    return family


# ------------------------------------------------------------------------------------------ counters

COUNTERS: tuple[tuple[str, str, str, str | None], ...] = (
    ("batches_found", "Folders that became batches.", "batch.found", None),
    ("batches_processed", "Archives made.", "batch.processed", None),
    ("batches_grown", "Batches queued again, for their folders had grown.", "batch.folder_grew", None),
    ("batches_withdrawn", "Batches of studies that were withdrawn.", "batch.withdrawn", None),
    ("batches_made_again", "Batches of studies that were made again.", "batch.made_again", None),
    ("batches_empty", "Batches of which every file was filtered.", "batch.empty", None),
    ("batches_delivered", "Archives stored, with their rows.", "batch.delivered", None),
    ("batches_failed", "Batches that became an ERROR.", "failed", "code"),
    ("batches_released", "Batches put back into their queue.", "released", "reason"),
    ("lease_expiries", "Batches taken over from a dead worker.", "lease_expiries", "state"),
    ("images", "Files of processed batches.", "images", "outcome"),
    ("input_bytes", "Bytes of processed study folders.", "input_bytes", None),
    ("delivered_images", "Images in delivered archives.", "delivered_images", None),
    ("delivered_bytes", "Bytes of delivered archives.", "delivered_bytes", None),
)
"""For each counter its name, its meaning, its word in `totals`, and the label for the second word there, if any."""


def _since_the_beginning(counted: Counts) -> Iterator[Metric]:
    for name, about, what, label in COUNTERS:
        family = CounterMetricFamily(f"sendit_{name}", about, labels=[label] if label else [])
        for words in sorted(words for words in counted if words[0] == what):
            family.add_metric(list(words[1:]), counted[words])
        if not label and not counted[(what,)]:
            family.add_metric([], 0)
        yield family
    yield _durations(counted)


def _durations(counted: Counts) -> Metric:
    family = HistogramMetricFamily("sendit_stage_seconds", "How long a stage of a batch took.", labels=["stage"])
    for stage in STAGES:
        so_far, buckets = 0.0, []
        for bound in (*map(str, BUCKETS), "+Inf"):
            so_far += counted[("bucket", stage, bound)]
            buckets.append((bound, so_far))
        family.add_metric([stage], buckets, counted[("seconds", stage)])
    return family
