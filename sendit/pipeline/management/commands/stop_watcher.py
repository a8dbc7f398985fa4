"""`stop_watcher`: stops the watcher in good order."""

from __future__ import annotations

from django.conf import settings

from sendit.ground.daemon import PidFile
from sendit.ground.service import StopCommand
from sendit.pipeline.intake.presence import watcher_pid_file


class Command(StopCommand):
    """Ask the watcher to stop, and wait until its workers have put their batches back."""

    service = "watcher"
    patience_seconds = 45.0  # more than the watcher gives its workers before it kills them
    help = "Ask the watcher to stop, and wait until its workers have put their batches back into the queue."

    def pid_file(self) -> PidFile:
        """Return that of the watcher of this VAR."""
        return watcher_pid_file(settings.SITE.var)
