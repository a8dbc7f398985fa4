"""`stop_listener`: stops the listener in good order."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from sendit.ground import daemon
from sendit.ground.commands import NEEDS_A_LOOK
from sendit.ground.commands import Command as ShellCommand
from sendit.receiving.presence import listener_pid_file

PATIENCE_SECONDS = 30.0
"""More than the listener gives its associations."""


class Command(ShellCommand):
    """Ask the listener to stop, and wait until it has."""

    help = "Ask the listener to stop, and wait until its associations have ended. What has landed is kept."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the option."""
        parser.add_argument(
            "--timeout",
            metavar="SECONDS",
            type=float,
            default=PATIENCE_SECONDS,
            help="how long to wait (default: %(default)s)",
        )

    def handle(self, *args: Any, timeout: float, **options: Any) -> None:
        """Stop the listener; exit code 1 if none runs."""
        pid = daemon.stop(listener_pid_file(settings.SITE.var), timeout)
        if pid is None:
            self.stdout.write("No listener runs.")
            sys.exit(NEEDS_A_LOOK)
        self.stdout.write(f"The listener (pid {pid}) has stopped.")
