"""`remove_times`: removes true times from rows that sendit 0.1.0 delivered."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from sendit.ground.commands import Command as ShellCommand
from sendit.ground.commands import ensure_keys
from sendit.ground.terminal import counted
from sendit.pipeline.management.project_option import add_project
from sendit.projects.composition import Projects
from sendit.projects.project import is_missing


class Command(ShellCommand):
    """Remove from the warehouse what tells true times; `sendit check` says whether it is needed."""

    help = (
        "Remove the true times that sendit 0.1.0 wrote into the warehouse's rows: processed_at, the batch's number, "
        "and the generation in links. Beside shifted dates they tell the date shift. Needed once after an upgrade; may "
        "be stopped and repeated at any time."
    )

    needs_keys = False  # where the warehouse is elsewhere

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare it."""
        add_project(parser, "whose rows")

    def handle(self, *args: Any, project: str, **options: Any) -> None:
        """Remove them, and say how many rows had any."""
        ports = Projects(settings.SITE).of(project)
        if is_missing(ports.project.warehouse):
            ensure_keys()
        removed = ports.warehouse.remove_times()
        self.stdout.write(f"{counted(removed, 'row')} held a true time; none does now.")
