"""When beat asks: a dispatch is sent only to a queue in which nothing waits to be read.

Where something waits, nobody has asked for more: workers that are all busy, or all dead, would else find a message for
every second of it, and a broker would in the end be full of our own. Whoever reads what waits leaves the queue empty.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from celery.beat import PersistentScheduler, ScheduleEntry

from sendit.errors import ServiceDown
from sendit.pipeline import dispatch


class Scheduler(PersistentScheduler):  # type: ignore[misc]
    """Celery's, with this one thought before each message."""

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send it, unless it would wait behind another."""
        with suppress(ServiceDown):  # it is due again in a second
            if not dispatch.depths()[entry.options["queue"]]:
                super().apply_entry(entry, producer)
