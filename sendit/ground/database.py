"""Creates and upgrades the database when a process starts, so that nobody has to run `migrate`, and says which errors
mean that it is away.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
from sendit.durable import locked, private
from sendit.errors import EXIT_CODES, Misconfigured, SenditError
from sendit.ground import events
from sendit.keys import KeyFile

AWAY = (OperationalError, InterfaceError, InternalError)
"""The database is stopped, restarting, unreachable or full, or has become a read-only standby after a failover."""

DAMAGED = DatabaseError
"""SQLite reports a damaged file by this class itself; its subclasses mean other things."""

PAUSE_SECONDS = 2.0
"""The pause between attempts to reach a database that is away when a process starts."""

UPGRADE = 7_302_581
"""The number of our advisory lock on PostgreSQL, chosen at random."""


class KeyBindings(Protocol):
    """The database's record of the keys that its rows were written with."""

    def is_settled(self, folder: Path, var: Path, files: frozenset[KeyFile], /) -> bool:
        """Return whether the keys are there and bound."""

    def settle(self, folder: Path, var: Path, files: frozenset[KeyFile], /) -> None:
        """Make missing keys where that is safe, and bind keys that are not bound yet."""

    def forget_place(self, var: Path, /) -> None:
        """Forget the database at this place, because a new one is about to be created there."""


def _key_bindings() -> KeyBindings:
    """Find the key bindings through Django's apps: the app that has their table is above this room."""
    return next(cast(KeyBindings, app.key_bindings) for app in apps.get_app_configs() if hasattr(app, "key_bindings"))


# Django's settings name the database, so the folder of an SQLite file comes from them, too.


def make_ready(files: frozenset[KeyFile] = keys.ALL) -> None:
    """Apply missing migrations and bind the keys; if several processes start, one does it and the others wait.

    Raises
    ------
    Misconfigured
        `NotInitialised`: nobody has made keys for this VAR. `BadKey`: a key of `files`, which are those that the
        process needs, is not the bound one.
    """
    keys.ensure_made(settings.SITE.secrets_folder, settings.SITE.var, settings.SETTINGS_FILE)
    settings.SITE.var.mkdir(mode=0o750, parents=True, exist_ok=True)
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
    """Call `make_ready` until the database answers; log the events `blind` and `sees` around a wait."""
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
    """Call `wait_until_ready`, and end the process with one line on any error, in place of the server's traceback."""
    try:
        wait_until_ready(blind, sees, files)
    except SenditError as error:
        print(f"sendit: {error}", file=sys.stderr)
        sys.exit(EXIT_CODES[error.kind])


def _expect_new_file() -> None:
    """Note that the SQLite file is new: the first connection creates it, and it then looks like an emptied one."""
    if connection.vendor != "sqlite":
        return
    path = Path(connection.settings_dict["NAME"])
    if not path.exists():
        with _alone():
            if not path.exists():
                _key_bindings().forget_place(settings.SITE.var)
                with suppress(OSError):  # SQLite will say so, too; what it adds beside the file has the file's mode
                    os.close(private(str(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC))


def is_current() -> bool:
    """Return whether every migration is applied.

    Raises Misconfigured("DatabaseNewer") where a newer sendit has applied one that is not known here: its rows may mean
    something else.
    """
    executor = MigrationExecutor(connection)
    loader = executor.loader
    unknown = [key for key in loader.applied_migrations or {} if key not in loader.disk_migrations]
    if any(app in loader.migrated_apps for app, _ in unknown):
        raise Misconfigured("DatabaseNewer", count=len(unknown))
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def reconnect() -> None:
    """Close this thread's connection, which may be broken; the next statement opens another."""
    close_old_connections()


def forget() -> None:
    """Close this thread's connection and forget it, in a thread that seldom needs one."""
    connection.close()
    del connections["default"]


def disconnect() -> None:
    """Close all connections and pools, as a fork requires."""
    connections.close_all()
    for one in connections.all(initialized_only=True):
        if one.vendor == "postgresql":
            one.close_pool()  # type: ignore[attr-defined]


@contextmanager
def _alone() -> Iterator[None]:
    """Exclude all other processes, also those on other hosts if the database is PostgreSQL."""
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
