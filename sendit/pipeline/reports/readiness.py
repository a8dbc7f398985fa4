"""Whether what batches need is there: the database with its keys, and the broker. A word for each, `ok` or a code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sendit.errors import SenditError, ServiceDown
from sendit.ground import database
from sendit.pipeline.record import key_bindings
from sendit.pipeline.workforce import choice

WELL = "ok"


def readiness(secrets_folder: Path) -> dict[str, str]:
    """Ask both; a database that is away is let go of, so that the next question gets another connection."""
    return {
        "database": _code_of(lambda: _ensure_current(secrets_folder)),
        "broker": _code_of(choice.messages),
    }


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
