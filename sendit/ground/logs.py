"""The form of log lines, and the one place where other libraries' messages, which quote values, are silenced."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

LOUD_LIBRARIES = (
    "pydicom",
    "duckdb",
    "watchfiles",
    "py.warnings",
    "django",
    "asyncio",
    "httpcore",
    "google",
    "urllib3",
    "celery",
    "kombu",
    "billiard",
    "redis",
    "psycopg",
    "pynetdicom",
)
"""Loggers whose messages may quote a value, a path or a header."""


def text_line(event: str, fields: Mapping[str, object]) -> str:
    """Return a line such as `batch.delivered batch=17 images=212 seconds=1.3`."""
    return " ".join([event, *(f"{name}={_shown(value)}" for name, value in fields.items())])


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    text = str(value)
    return json.dumps(text) if not text or any(char.isspace() or char in '"=' for char in text) else text


class TextFormatter(logging.Formatter):
    """Formats an event as a line of text: time, event, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; of a record that is not our event, only its logger's name is shown."""
        event, fields = _event_of(record)
        return f"{_moment(record)} {text_line(event, fields)}"


class JsonFormatter(logging.Formatter):
    """Formats an event as a line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line as a JSON object."""
        event, fields = _event_of(record)
        return json.dumps({"at": _moment(record), "event": event, **fields})


def _event_of(record: logging.LogRecord) -> tuple[str, Mapping[str, object]]:
    return getattr(record, "event", "log.foreign"), getattr(record, "fields", {"logger": record.name})


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def formatter(form: str) -> logging.Formatter:
    """Return the formatter that the setting LOG_FORMAT names."""
    return JsonFormatter() if form == "json" else TextFormatter()


@contextmanager
def written_to(stream: TextIO, form: str) -> Iterator[None]:
    """Write sendit's own events, and nothing else, to a stream."""
    with written_by(logging.StreamHandler(stream), form):
        yield


@contextmanager
def written_by(handler: logging.Handler, form: str) -> Iterator[None]:
    """Pass sendit's own events, and nothing else, to a handler."""
    _add(handler, form)
    try:
        yield
    finally:
        logging.getLogger("sendit").removeHandler(handler)


def speak(form: str) -> None:
    """Write sendit's own events, and nothing else, to standard error until the process ends."""
    silence_libraries()
    _add(logging.StreamHandler(), form)


def _add(handler: logging.Handler, form: str) -> None:
    handler.setFormatter(formatter(form))
    logger = logging.getLogger("sendit")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def silence_libraries() -> None:
    """Silence libraries whose messages quote values; what matters in them reaches us as exceptions."""
    warnings.simplefilter("ignore")
    for name in LOUD_LIBRARIES:
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False
