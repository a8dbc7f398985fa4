"""Events that need a person's attention, and how they are sent to Sentry.

An alarm is made of an event's name and its allow-listed fields (`events.EVENTS`) and of nothing else, so it cannot hold
an identifier. Sentry's library only transports it: its integrations, breadcrumbs, local variables, source lines and
stack traces are off, and `strip` drops what it adds by itself.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import sendit
from sendit.errors import CODES, Misconfigured

if TYPE_CHECKING:
    from sentry_sdk import Client
    from sentry_sdk.types import Event, Hint

ALARMS: dict[str, str] = {
    "batch.failed": "A batch is in ERROR. Its code says whose move is next; `sendit batch_logs`, then `sendit retry`.",
    "worker.died": "A worker process died. Another takes its batch over; check the memory if the signal is 9.",
    "worker.failed": "A worker ran into a bug of sendit. Report it with the place named.",
    "worker.blind": "A worker cannot reach the database or the broker. It waits; `worker.sees` says when it can.",
    "watcher.died": "The previous watcher was killed. A new one has started; nothing is lost.",
    "watcher.failed": "The watcher ended with an error. Start it again; report it if the place is named.",
    "watcher.blind": "The watcher cannot reach a data folder, the database or the broker. It continues by itself.",
    "listener.died": "The previous listener was killed. A new one has started and takes up what had landed.",
    "listener.failed": "The listener, or one association, ended with an error. Report it if the place is named.",
    "listener.blind": "The listener cannot reach a data folder or the database. It refuses images until it can.",
    "web.failed": "A request to the web failed. Report it with the place named.",
    "identity.blind": "The identity service started while its database was away. It answers nothing until it is back.",
    "identity.failed": "A request to the identity service failed. Report it with the place named.",
}
"""For each event, what it means and what to do; docs/operations.md has the same rows."""

OURS = ("worker.failed", "web.failed", "identity.failed")
"""Alarms that are bugs of sendit, whatever their code."""

SENT = ("batch", "state", "code", "subject", "failure", "place", "signal", "attempt")
"""The fields that an alarm carries."""

KEPT = ("event_id", "timestamp", "level", "logger", "platform", "release", "message", "tags", "fingerprint", "sdk")
"""The keys of an event of Sentry's library that may be sent."""


def send_to(dsn: str) -> None:
    """Send alarms to Sentry from now on, in this process and its forks."""
    if find_spec("sentry_sdk") is None:
        raise Misconfigured("MissingPackage", subject="SENDIT_SENTRY_DSN: sendit[sentry]")
    logger = logging.getLogger("sendit")
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, SentryHandler) for handler in logger.handlers):
        logger.addHandler(SentryHandler(dsn))


class SentryHandler(logging.Handler):
    """Sends alarms. The library sends them from a thread of its own, so no batch waits for Sentry."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self._dsn = dsn
        self._client: Client | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Send the record if it is an alarm. The first alarm starts the library and its thread."""
        name = getattr(record, "event", "")
        if name in ALARMS:
            if self._client is None:
                self._client = open_client(self._dsn)
            self._client.capture_event(alarm(name, record.fields))  # type: ignore[attr-defined]

    def flush(self) -> None:
        """Send what is still queued; called before the process ends."""
        if self._client is not None:
            self._client.flush()


def open_client(dsn: str) -> Client:
    """Open Sentry's client with everything off that collects data."""
    from sentry_sdk import Client

    return Client(
        dsn,
        release=f"sendit@{sendit.__version__}",
        server_name="",
        default_integrations=False,
        auto_enabling_integrations=False,
        auto_session_tracking=False,
        attach_stacktrace=False,
        include_local_variables=False,
        include_source_context=False,
        send_client_reports=False,
        enable_backpressure_handling=False,
        max_breadcrumbs=0,
        shutdown_timeout=2,
        before_send=strip,
    )


def alarm(name: str, fields: dict[str, Any]) -> Event:
    """Return the alarm as a Sentry event; Sentry groups those with the same name, code and place."""
    tags = {field: str(fields[field]) for field in SENT if field in fields}
    code = tags.get("code", "")
    is_ours = (code in CODES and CODES[code].kind == "BrokenPromise") or name in OURS
    return {
        "level": "error" if is_ours else "warning",
        "logger": "sendit",
        "message": " ".join(filter(None, (name, code, tags.get("place")))),
        "tags": tags,
        "fingerprint": [name, code, tags.get("place", "")],
    }


def strip(event: Event, hint: Hint) -> Event | None:
    """Drop what is not one of our alarms, and what the library added to it; called before an event is sent."""
    if event.get("logger") != "sendit":
        return None
    return {key: value for key, value in event.items() if key in KEPT}  # type: ignore[return-value]
