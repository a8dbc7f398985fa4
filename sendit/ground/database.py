"""The database makes and upgrades itself: a newcomer runs no `migrate`. And which errors say that it is away."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, cast

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import (
    DatabaseError,
    InterfaceError,
    InternalError,
    OperationalError,
    close_old_connections,
    connection,
    connections,
)
from django.db.migrations.executor import MigrationExecutor

from sendit import keys
from sendit.durable import locked
from sendit.errors import EXIT_CODES, SenditError
from sendit.ground import events
from sendit.keys import KeyFile

AWAY = (OperationalError, InterfaceError, InternalError)
"""Stopped, restarted, cut off, full, or, after a failover, not the one that writes any more."""

DAMAGED = DatabaseError
"""Itself, none of its kinds: what SQLite says of a file whose pages make no sense."""

PAUSE_SECONDS = 2.0
"""How often a database that is away when a process starts is asked whether it is back."""

UPGRADE = 7_302_581
"""The number of our advisory lock on PostgreSQL; any would do."""


class KeyBindings(Protocol):
    """What the database knows of the keys that its rows were written with."""

    def is_settled(self, folder: Path, var: Path, files: frozenset[KeyFile], /) -> bool:
        """Whether the keys are bound as they are."""

    def settle(self, folder: Path, var: Path, files: frozenset[KeyFile], /) -> None:
        """Make the keys that may be made, and bind those that are not bound yet."""

    def forget_place(self, var: Path, /) -> None:
        """A new database is about to be made."""


def _key_bindings() -> KeyBindings:
    """They are kept by the app that has their table, which this room does not import."""
    return next(cast(KeyBindings, app.key_bindings) for app in apps.get_app_configs() if hasattr(app, "key_bindings"))


# The database is Django's by its settings, so where the folder is in which it may be comes from there, too.


def make_ready(files: frozenset[KeyFile] = keys.ALL) -> None:
    """Apply what migrations are missing, and bind the keys; of several processes one does it, the others wait.

    Raises Misconfigured("BadKey") where a key of `files`, those that the process needs, is not the one that was bound.
    """
    settings.SITE.var.mkdir(parents=True, exist_ok=True)
    _expect_new_file()
    if not is_current():
        with _alone():
            if not is_current():
                call_command("migrate", verbosity=0, interactive=False)
    where = settings.SITE.secrets_folder, settings.SITE.var, files
    if not _key_bindings().is_settled(*where):
        with _alone():
            _key_bindings().settle(*where)


def wait_until_ready(blind: str, sees: str, files: frozenset[KeyFile] = keys.ALL) -> None:
    """As `make_ready`, for what runs for months and may be started while the database is away; two events say so."""
    is_blind = False
    while True:
        try:
            make_ready(files)
            break
        except AWAY:
            if not is_blind:
                events.log(blind, code="DatabaseDown")
            is_blind = True
            reconnect()
            time.sleep(PAUSE_SECONDS)
    if is_blind:
        events.log(sees, code="DatabaseDown")


def ready_or_exit(blind: str, sees: str, files: frozenset[KeyFile] = keys.ALL) -> None:
    """As `wait_until_ready`, in a server that would print a traceback, or go on, where an error says to stop."""
    try:
        wait_until_ready(blind, sees, files)
    except SenditError as error:
        print(f"sendit: {error}", file=sys.stderr)
        sys.exit(EXIT_CODES[error.kind])


def _expect_new_file() -> None:
    """SQLite makes its file with the first connection; from then on nobody could tell it from one that was emptied."""
    if connection.vendor != "sqlite":
        return
    path = Path(connection.settings_dict["NAME"])
    if not path.exists():
        with _alone():
            if not path.exists():
                _key_bindings().forget_place(settings.SITE.var)


def is_current() -> bool:
    """Whether every migration is applied."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def reconnect() -> None:
    """Let go of this thread's connection, which may be broken; the next statement gets another."""
    close_old_connections()


def forget() -> None:
    """Close this thread's connection and keep nothing of it, for a thread that seldom has a question."""
    connection.close()
    del connections["default"]


def disconnect() -> None:
    """Leave no connection and no pool, as before a fork."""
    connections.close_all()
    for one in connections.all(initialized_only=True):
        if one.vendor == "postgresql":
            one.close_pool()  # type: ignore[attr-defined]


@contextmanager
def _alone() -> Iterator[None]:
    """Of all processes on all hosts, where the database is one that hosts share."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [UPGRADE])
            try:
                yield
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [UPGRADE])
        return
    with locked(settings.SITE.var / ".migrate.lock"):
        yield
