"""Whether what batches need is there: the database with its keys, and the broker. A word for each, `ok` or a code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import F

from sendit.errors import SenditError, ServiceDown
from sendit.ground import database
from sendit.pipeline.record import key_bindings
from sendit.pipeline.workforce import choice

WELL = "ok"
BUSY_MILLISECONDS = 2000
"""How long the database may be busy before it counts as locked."""


class Refusal(StrEnum):
    """Why the database takes no writing, though it can be read."""

    FULL = "full"
    LOCKED = "locked"
    READ_ONLY = "read-only"
    OTHER = "not written to"


_SQLSTATES = {"53100": Refusal.FULL, "25006": Refusal.READ_ONLY, "55P03": Refusal.LOCKED}
_WORDS = {"full": Refusal.FULL, "locked": Refusal.LOCKED, "readonly": Refusal.READ_ONLY, "I/O": Refusal.FULL}
"""What PostgreSQL's codes and SQLite's messages mean. On a full disk SQLite may say `disk I/O error`."""


def readiness(secrets_folder: Path) -> dict[str, str]:
    """Ask both; a database that is away is let go of, so that the next question gets another connection."""
    return {
        "database": _code_of(lambda: _ensure_current(secrets_folder)),
        "broker": _code_of(choice.messages),
    }


def refusal() -> Refusal | None:
    """Why nothing can be written to the database; None where it can. A row is written as it stands, to find out."""
    first = MigrationRecorder.Migration.objects.order_by("pk").values("pk")[:1]
    try:
        with _impatient():
            MigrationRecorder.Migration.objects.filter(pk__in=[row["pk"] for row in first]).update(name=F("name"))
    except DatabaseError as error:
        database.reconnect()
        code = getattr(error.__cause__, "sqlstate", None)
        by_word = (why for word, why in _WORDS.items() if word in str(error))
        return _SQLSTATES.get(code or "") or next(by_word, Refusal.OTHER)
    return None


@contextmanager
def _impatient() -> Iterator[None]:
    """SQLite waits a while for a lock within this, and not for as long as workers do."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        (usual,) = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual}")


def _code_of(check: Callable[[], object]) -> str:
    try:
        check()
    except SenditError as error:
        return error.code
    except database.AWAY:
        database.reconnect()
        return "DatabaseDown"
    return WELL


def _ensure_current(secrets_folder: Path) -> None:
    if not database.is_current():
        raise ServiceDown("DatabaseOutdated")
    key_bindings.ensure_not_exchanged(secrets_folder)
