"""`retry`: puts batches that stopped back into the queue."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from sendit.errors import CODES
from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand, WrongUse
from sendit.ground.terminal import counted
from sendit.pipeline import operations
from sendit.pipeline.management.naming import named
from sendit.pipeline.operations import COMMAND, Retried
from sendit.pipeline.record.states import RETRYABLE, Job
from sendit.pipeline.workforce.choice import wake


class Command(DatabaseCommand):
    """Queue batches again that are in ERROR, or in EMPTY when named; what the last attempt left is cleared."""

    help = "Queue batches again that are in ERROR, or in EMPTY when named; what the last attempt left is cleared."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument(
            "ids", metavar="ID", nargs="*", help="a batch: its primary key, its folder's name, or its study's pseudonym"
        )
        parser.add_argument("--all-errors", action="store_true", help="every batch in ERROR")
        parser.add_argument("--all-empty", action="store_true", help="every batch in EMPTY")
        parser.add_argument("--withheld", action="store_true", help="screen withheld files of delivered batches again")
        parser.add_argument("--rule", metavar="NAME", help="the same, but only the files that this rule withholds")
        parser.add_argument("--reason", metavar="R", default="", help="why withheld files are screened again")
        parser.add_argument("--code", metavar="CODE", help="every batch in ERROR that has this code, such as NoSpace")

    def handle(self, *args: Any, ids: list[str], all_errors: bool, code: str | None, **options: Any) -> None:
        """Queue them; exit code 1 when one that was named could not be."""
        if options["withheld"] or options["rule"]:
            self._screen_again(ids, options["rule"] or "", options["reason"])
            return
        if not (ids or all_errors or code or options["all_empty"]):
            raise WrongUse("Say which: an ID, --all-errors, --all-empty, --withheld, --rule NAME or --code CODE.")
        if code and code not in CODES:
            raise WrongUse("--code is not an error code; docs/errors.md lists them.")
        named_ones = [self._say(operations.retry(batch, COMMAND)) for batch in named(ids)]
        if all_errors or code:
            queued = sum(self._say(retried) for retried in operations.retry_stopped(code, COMMAND))
            self.stdout.write(f"{counted(queued, 'batch', 'batches')} queued again.")
        if options["all_empty"]:
            queued = sum(self._say(retried) for retried in operations.retry_empty(COMMAND))
            self.stdout.write(f"{counted(queued, 'batch', 'batches')} queued again.")
        wake(Job.PROCESS)
        if not all(named_ones):
            sys.exit(NEEDS_A_LOOK)

    def _screen_again(self, ids: list[str], rule: str, reason: str) -> None:
        if not (ids or rule):
            raise WrongUse("Say which: --withheld takes an ID; --rule NAME takes none, or an ID.")
        batches = named(ids) if ids else operations.withheld_by(rule)
        screened = [operations.screen_again(batch, reason, COMMAND, rule) for batch in batches]
        for each in screened:
            said = f"{counted(each.files, 'file')} screened again." if each.files else "nothing to screen: left alone."
            self.stdout.write(f"batch {each.batch}: {said}")
        wake(Job.PROCESS)
        if not all(each.files for each in screened):
            sys.exit(NEEDS_A_LOOK)

    def _say(self, retried: Retried | None) -> bool:
        """Say what became of it; whether it is queued."""
        if retried is None:  # a batch is never deleted
            return False
        if retried.is_queued:
            said = f"was {retried.was}: queued again."
        elif retried.is_retryable:
            said = f"was {retried.was} and is on the move: left alone."
        else:
            said = f"is {retried.was}: left alone, only {' and '.join(RETRYABLE)} can be retried."
        self.stdout.write(f"batch {retried.batch} {said}")
        return retried.is_queued
