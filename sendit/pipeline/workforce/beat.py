"""Beat rings the doorbells every second: for what nobody rang for, and for the batches of workers that died."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from celery.beat import PersistentScheduler, ScheduleEntry

from sendit.errors import ServiceDown
from sendit.pipeline.workforce.doorbell import is_rung


class Scheduler(PersistentScheduler):  # type: ignore[misc]
    """Celery's, but a doorbell that nobody has heard yet is not rung again: nobody might for a whole weekend."""

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Ring, unless a ring waits."""
        with suppress(ServiceDown):  # it is due again in a second
            if not is_rung(entry.options["queue"]):
                super().apply_entry(entry, producer)
