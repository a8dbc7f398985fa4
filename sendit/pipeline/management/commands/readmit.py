"""`readmit`: lets withdrawn studies in again."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand, WrongUse
from sendit.pipeline import operations
from sendit.pipeline.management.naming import named
from sendit.pipeline.operations import COMMAND
from sendit.pipeline.record.states import Job
from sendit.pipeline.workforce.choice import wake


class Command(DatabaseCommand):
    """Readmit withdrawn studies: sendit makes and delivers them again, as their next generation."""

    help = "Readmit withdrawn studies: sendit makes and delivers them again, as their next generation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument("ids", metavar="ID", nargs="+", help="a batch of the study")
        parser.add_argument("--reason", metavar="R", required=True, help="why; it stands in the history")

    def handle(self, *args: Any, ids: list[str], reason: str, **options: Any) -> None:
        """Let them in; exit code 1 when one was left alone."""
        if not reason.strip():
            raise WrongUse("Say why: --reason.")
        left_alone = 0
        for batch in named(ids):
            remade = operations.readmit(batch, reason, COMMAND)
            if remade is None:
                self.stdout.write(f"batch {batch} is not withdrawn: left alone.")
            else:
                self.stdout.write(remade.sentence("queued again"))
            left_alone += remade is None or remade.is_left_alone
        wake(Job.PROCESS)
        if left_alone:
            sys.exit(NEEDS_A_LOOK)
