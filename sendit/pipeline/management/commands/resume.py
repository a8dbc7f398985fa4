"""`resume`: delivery goes on after `sendit pause`."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from sendit.audit.acts import Act
from sendit.audit.trail import Actor, AuditKey, note
from sendit.ground.commands import DatabaseCommand
from sendit.pipeline.operations import COMMAND, resume_delivery
from sendit.pipeline.record.states import Job
from sendit.pipeline.workforce.choice import wake


class Command(DatabaseCommand):
    """Resume delivery after a pause."""

    help = "Resume delivery after a pause."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        note(AuditKey.of(settings.SITE.secrets_folder, settings.SITE.var), Act.RESUME, Actor(COMMAND))
        is_new = resume_delivery(COMMAND)
        wake(Job.DELIVER)
        self.stdout.write("Delivery goes on." if is_new else "Delivery was not paused.")
