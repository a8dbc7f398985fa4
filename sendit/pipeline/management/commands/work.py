"""`work`: where local workers come from; started by their supervisor, not by a person."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from sendit.pipeline.record.states import Job
from sendit.pipeline.workforce import nursery
from sendit.pipeline.workforce.bell import Bell
from sendit.pipeline.workforce.call import Call
from sendit.pipeline.workforce.lifeline import Lifeline
from sendit.projects.composition import Projects


class Command(BaseCommand):
    """The nursery of a supervisor."""

    help = "Run local workers. Started by start_queue, upload_finished and start_watcher, not by a person."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """What the supervisor says."""
        parser.add_argument("--workers", type=int, required=True, metavar="N", help="processes")
        parser.add_argument("--jobs", nargs="+", required=True, choices=[job.name for job in Job], help="what they do")
        parser.add_argument(
            "--files",
            nargs="+",
            type=int,
            required=True,
            metavar="FD",
            help="the supervisor's: lifeline, pipe for events, shared file; and both ends of the bell, if workers wait",
        )

    def handle(self, *args: Any, workers: int, jobs: list[str], files: list[int], **options: Any) -> None:
        """Keep workers alive until they have nothing left to do, or the supervisor is gone."""
        lifeline, events, shared, *bell = files
        call = Call(open(shared, "r+b", buffering=0))  # noqa: SIM115 - as long as the process lives
        ends = Bell(bell) if bell else None
        orders = nursery.Orders(Projects(settings.SITE), workers, tuple(Job[name] for name in jobs), call, ends)
        nursery.speak_into(events)
        nursery.settle()
        sys.exit(nursery.Nursery(orders, Lifeline(lifeline)).run())
