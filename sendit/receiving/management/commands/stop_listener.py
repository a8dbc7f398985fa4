"""`stop_listener`: stops the listener in good order."""

from __future__ import annotations

from django.conf import settings

from sendit.ground.daemon import PidFile
from sendit.ground.service import StopCommand
from sendit.receiving.presence import listener_pid_file


class Command(StopCommand):
    """Ask the listener to stop, and wait until it has."""

    service = "listener"
    patience_seconds = 30.0  # more than the listener gives its associations
    help = "Ask the listener to stop, and wait until its associations have ended. What has landed is kept."

    def pid_file(self) -> PidFile:
        """Return that of the listener of this VAR."""
        return listener_pid_file(settings.SITE.var)
