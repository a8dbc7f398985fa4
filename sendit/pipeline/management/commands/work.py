"""`work`: one worker process; started by a pool, not by a person."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from sendit.pipeline import worker


class Command(BaseCommand):
    """One worker of a pool."""

    help = "One worker process of a pool. Started by start_queue and start_watcher, not by a person."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Follow the pool's orders."""
        worker.work()
