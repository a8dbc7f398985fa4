"""The embedded database makes and upgrades itself: a newcomer runs no `migrate`."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def make_ready() -> None:
    """Apply what migrations are missing; of several processes one does it, the others wait."""
    settings.VAR.mkdir(parents=True, exist_ok=True)
    if _is_current():
        return
    with _alone():
        if not _is_current():
            call_command("migrate", verbosity=0, interactive=False)


def _is_current() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


@contextmanager
def _alone() -> Iterator[None]:
    with (settings.VAR / ".migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
