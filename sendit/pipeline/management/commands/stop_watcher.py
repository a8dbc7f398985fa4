"""`stop_watcher`: stops the watcher in good order."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from sendit.ground.commands import NEEDS_A_LOOK
from sendit.ground.commands import Command as ShellCommand
from sendit.pipeline.operations import stop_watcher

PATIENCE_SECONDS = 45.0
"""More than the watcher gives its workers before it kills them."""


class Command(ShellCommand):
    """Ask the watcher to stop, and wait until its workers have put their batches back."""

    help = "Ask the watcher to stop, and wait until its workers have put their batches back into the queue."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument(
            "--timeout",
            metavar="SECONDS",
            type=float,
            default=PATIENCE_SECONDS,
            help="how long to wait (default: %(default)s)",
        )

    def handle(self, *args: Any, timeout: float, **options: Any) -> None:
        """Stop it; exit code 1 when there was none."""
        pid = stop_watcher(settings.SITE.var, timeout)
        if pid is None:
            self.stdout.write("No watcher runs.")
            sys.exit(NEEDS_A_LOOK)
        self.stdout.write(f"The watcher (pid {pid}) has stopped.")
