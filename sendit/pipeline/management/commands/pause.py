"""`pause`: nothing is delivered, or nothing is done for a project, until `sendit resume`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from sendit.audit.acts import Act
from sendit.audit.trail import Actor, AuditKey, note
from sendit.ground.commands import DatabaseCommand
from sendit.pipeline.operations import COMMAND, pause_delivery, pause_project
from sendit.projects.composition import Projects


class Command(DatabaseCommand):
    """Pause delivery, or all work for a project, on every host."""

    help = (
        "Pause delivery on every host: batches are processed, and rest at DONEPROCESSING. With --project, pause all "
        "work for that project: its batches wait where they are."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare it."""
        parser.add_argument("--project", metavar="NAME", help="pause all work for this project instead")

    def handle(self, *args: Any, project: str | None, **options: Any) -> None:
        """Do it."""
        key = AuditKey.of(settings.SITE.secrets_folder, settings.SITE.var)
        note(key, Act.PAUSE, Actor(COMMAND), reason=project or "")
        if project:
            Projects(settings.SITE).of(project)  # raises where there is none of that name
            is_new, what = pause_project(project, COMMAND), f"Project {project}"
        else:
            is_new, what = pause_delivery(COMMAND), "Delivery"
        self.stdout.write(f"{what} is paused. What has begun is finished." if is_new else f"{what} is paused already.")
