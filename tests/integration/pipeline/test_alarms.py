"""Alarms through Sentry's real library to a sink that takes what Sentry would get: nothing in it identifies."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sendit.errors import Misconfigured
from sendit.ground import alarms, events
from sendit.pipeline.stages import processing
from sendit.projects.site import Site as Settings
from tests.support.phantoms import WORD, leaks_in
from tests.support.site import Site


class Sink(ThreadingHTTPServer):
    """Keeps the body of every request, unpacked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taker)
        self.bodies: list[str] = []
        self.dsn = f"http://key@127.0.0.1:{self.server_port}/1"

    def alarms(self) -> list[dict[str, Any]]:
        """The events, without the envelopes around them."""
        lines = [line for body in self.bodies for line in body.splitlines()]
        return [event for event in map(json.loads, lines) if "message" in event]


class Taker(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.bodies.append(body.decode())  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def sentry(sink: Sink) -> Iterator[alarms.SentryHandler]:
    """The handler, as a process with SENTRY_DSN has it."""
    alarms.send_to(sink.dsn)
    alarms.send_to(sink.dsn)
    logger = logging.getLogger("sendit")
    (handler,) = [one for one in logger.handlers if isinstance(one, alarms.SentryHandler)]
    yield handler
    logger.removeHandler(handler)


def test_a_batch_that_fails_on_an_error_full_of_identifiers_raises_an_alarm_without_any(
    site: Site, sink: Sink, sentry: alarms.SentryHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(work: Any, *_: Any) -> None:
        patient = f"{WORD}^Quillon in {work.folder}"
        raise ValueError(f"cannot digest {patient}")

    monkeypatch.setattr(processing, "import_study", fail)
    site.study(1)
    (batch,) = site.process()
    sentry.flush()
    (seen,) = sink.alarms()
    assert seen["message"].startswith("batch.failed UnexpectedFailure ")
    assert (seen["level"], seen["tags"]["batch"], seen["tags"]["failure"]) == ("error", str(batch.pk), "ValueError")
    assert seen["fingerprint"][:2] == ["batch.failed", "UnexpectedFailure"]
    assert set(seen) <= {*alarms.KEPT, "breadcrumbs"}
    assert leaks_in("\n".join(sink.bodies)) == []


def test_only_alarms_are_sent_and_alike_ones_belong_together(
    site: Site, sink: Sink, sentry: alarms.SentryHandler
) -> None:
    site.study(1)
    site.study(2, patients=2, images=2)
    site.study(3, patients=2, images=2)
    site.process()
    sentry.flush()
    seen = sink.alarms()
    assert [one["level"] for one in seen] == ["warning", "warning"]
    assert {tuple(one["fingerprint"]) for one in seen} == {("batch.failed", "MixedPatients", "")}


def test_what_is_no_alarm_of_ours_does_not_pass_the_librarys_last_door(sink: Sink) -> None:
    client = alarms.open_client(sink.dsn)
    client.capture_event({"message": f"{WORD}", "logger": "django"})
    client.capture_event({"message": "m", "logger": "sendit", "user": {"id": WORD}, "extra": {"name": WORD}})
    client.flush()
    (seen,) = sink.alarms()
    assert seen["message"] == "m"
    assert leaks_in("\n".join(sink.bodies)) == []


def test_a_sentry_that_is_away_stops_nothing(site: Site) -> None:
    logger = logging.getLogger("sendit")
    alarms.send_to("http://key@127.0.0.1:1/1")
    try:
        site.study(1, patients=2, images=2)
        (batch,) = site.process()
    finally:
        logger.handlers = [one for one in logger.handlers if not isinstance(one, alarms.SentryHandler)]
    assert batch.state == "ERROR"


def test_every_alarm_is_an_event_and_carries_fields_that_events_have() -> None:
    assert set(alarms.ALARMS) <= set(events.EVENTS)
    fields = {field for name in alarms.ALARMS for field in (*events.EVENTS[name], "batch", "attempt")}
    assert set(alarms.SENT) <= fields


@pytest.mark.parametrize("dsn", ["sentry.example", "https://sentry.example/1", "https://key@sentry.example/"])
def test_a_dsn_that_is_none_is_said_at_once(dsn: str) -> None:
    with pytest.raises(Misconfigured, match=r"BadSetting.*SENDIT_SENTRY_DSN"):
        Settings.from_environment({"SENDIT_SENTRY_DSN": dsn})
