"""`pause`: nothing is delivered until `sendit resume`."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from sendit.audit.acts import Act
from sendit.audit.trail import Actor, AuditKey, note
from sendit.ground.commands import DatabaseCommand
from sendit.pipeline.operations import COMMAND, pause_delivery


class Command(DatabaseCommand):
    """Pause delivery on every host: batches are processed, and rest at DONEPROCESSING."""

    help = "Pause delivery on every host: batches are processed, and rest at DONEPROCESSING."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        note(AuditKey.of(settings.SITE.secrets_folder, settings.SITE.var), Act.PAUSE, Actor(COMMAND))
        is_new = pause_delivery(COMMAND)
        self.stdout.write(
            "Delivery is paused. What has begun is finished." if is_new else "Delivery is paused already."
        )
