"""`upload_finished`: delivers what rests at DONEPROCESSING."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand, WrongUse
from sendit.ground.terminal import counted
from sendit.pipeline.management.closing import work_and_sum_up
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import Job
from sendit.pipeline.reports import surroundings
from sendit.pipeline.workforce.choice import is_embedded, wake
from sendit.pipeline.workforce.supervisor import Supervisor


class Command(DatabaseCommand):
    """Store archives and load rows."""

    help = (
        "Deliver the batches in DONEPROCESSING: store the archive, load its rows into the warehouse, and set DONE. "
        "May be repeated at any time: nothing is stored or loaded twice. Exit codes: the same as start_queue's."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """How many at a time."""
        parser.add_argument("--workers", type=int, metavar="N", help="deliveries at a time; default UPLOAD_WORKERS")

    def handle(self, *args: Any, **options: Any) -> None:
        """Deliver, sum up."""
        workers = settings.SITE.upload_workers if options["workers"] is None else options["workers"]
        if workers < 1:
            raise WrongUse("--workers takes a number from 1.")
        to_do = Batch.objects.filter(state=Job.DELIVER.waiting).count()
        if not settings.SITE.send_to_google:
            self.stdout.write(
                f"SENDIT_SEND_TO_GOOGLE is off: {counted(to_do, 'batch', 'batches')} rest at DONEPROCESSING."
            )
        elif surroundings.delivery_is_paused():
            self.stdout.write(
                f"Delivery is paused: {counted(to_do, 'batch', 'batches')} rest at DONEPROCESSING. `sendit resume`"
            )
            sys.exit(NEEDS_A_LOOK)
        elif is_embedded():
            self._deliver(to_do, workers)
        else:
            wake(Job.DELIVER)
            self.stdout.write(f"{counted(to_do, 'batch', 'batches')} in DONEPROCESSING; Celery's workers deliver them.")

    def _deliver(self, to_do: int, workers: int) -> None:
        supervisor = Supervisor(min(workers, max(to_do, 1)), (Job.DELIVER,))
        if code := work_and_sum_up(supervisor, to_do, self.stream, self.lines, is_upload=True):
            raise SystemExit(code)
