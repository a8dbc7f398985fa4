"""`resume`: delivery, or the work for a project, goes on after `sendit pause`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from sendit.audit.acts import Act
from sendit.audit.trail import Actor, AuditKey, note
from sendit.ground.commands import DatabaseCommand
from sendit.pipeline.operations import COMMAND, resume_delivery, resume_project
from sendit.pipeline.record.states import Job
from sendit.pipeline.workforce.choice import wake


class Command(DatabaseCommand):
    """Resume delivery, or the work for a project, after a pause."""

    help = "Resume delivery, or with --project the work for that project, after a pause."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare it."""
        parser.add_argument("--project", metavar="NAME", help="resume the work for this project instead")

    def handle(self, *args: Any, project: str | None, **options: Any) -> None:
        """Do it."""
        key = AuditKey.of(settings.SITE.secrets_folder, settings.SITE.var)
        note(key, Act.RESUME, Actor(COMMAND), reason=project or "")
        if project:
            is_new, what = resume_project(project, COMMAND), f"Project {project}"
        else:
            is_new, what = resume_delivery(COMMAND), "Delivery"
        for job in Job if project else (Job.DELIVER,):
            wake(job)
        self.stdout.write(f"{what} goes on." if is_new else f"{what} was not paused.")
