"""Events that a person should hear of, and how Sentry hears of them.

What is sent is made here, from the event's name and its allow-listed fields (`events.EVENTS`): an identifier cannot
be in it, because nothing else is. Sentry's library is the carrier only: its integrations, breadcrumbs, local variables,
source lines and stack traces are off, and what it adds by itself is dropped at its last door.
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
    "batch.folder_changed_after_delivery": "Somebody wrote to a folder that was delivered. Deliver the files anew.",
    "worker.died": "A worker process ended by itself. Its batch is taken over; look at memory if the signal is 9.",
    "worker.failed": "A worker met an error of ours. Report it with the place named.",
    "worker.blind": "A worker does not reach the database or the broker. It waits; `worker.sees` says when it is over.",
    "watcher.died": "The watcher before this one was killed. It was started anew; nothing is lost.",
    "watcher.failed": "The watcher ended with an error. Start it again; report it if the place is named.",
    "watcher.blind": "The watcher does not see a data folder, the database or the broker. It goes on by itself.",
    "web.failed": "A request to the web failed. Report it with the place named.",
    "identity.blind": "The identity service was started without its database. It waits, and answers nobody meanwhile.",
    "identity.failed": "A request to the identity service failed. Report it with the place named.",
}
"""Event, and what it means and asks for; docs/operations.md has the same rows."""

OURS = ("worker.failed", "web.failed", "identity.failed")
"""Alarms that are errors of ours whatever their code."""

SENT = ("batch", "state", "code", "subject", "failure", "place", "signal", "attempt")
"""Fields that an alarm carries."""

KEPT = ("event_id", "timestamp", "level", "logger", "platform", "release", "message", "tags", "fingerprint", "sdk")
"""What may leave of what Sentry's library is about to send."""


def send_to(dsn: str) -> None:
    """From now on, in this process and those it forks."""
    if find_spec("sentry_sdk") is None:
        raise Misconfigured("MissingPackage", subject="SENDIT_SENTRY_DSN: sendit[sentry]")
    logger = logging.getLogger("sendit")
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, SentryHandler) for handler in logger.handlers):
        logger.addHandler(SentryHandler(dsn))


class SentryHandler(logging.Handler):
    """Sends alarms. The library hands them to a thread of its own: a Sentry that is away stops no batch."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self._dsn = dsn
        self._client: Client | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Send it, if it is one; the library and its thread are started by the first."""
        name = getattr(record, "event", "")
        if name in ALARMS:
            if self._client is None:
                self._client = open_client(self._dsn)
            self._client.capture_event(alarm(name, record.fields))  # type: ignore[attr-defined]

    def flush(self) -> None:
        """Before the process ends."""
        if self._client is not None:
            self._client.flush()


def open_client(dsn: str) -> Client:
    """Sentry's client with everything off that collects."""
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
    """The event as Sentry shows it: alike ones together by name, code and place."""
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
    """The library's last door: nothing passes that is not one of our alarms, and of that nothing that was added."""
    if event.get("logger") != "sendit":
        return None
    return {key: value for key, value in event.items() if key in KEPT}  # type: ignore[return-value]
