"""`retry`: batches that stopped go back into the queue."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from sendit.errors import CODES
from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand, WrongUse
from sendit.ground.terminal import counted
from sendit.pipeline.intake.contenders import retry
from sendit.pipeline.management.naming import named
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import RETRYABLE, WAITING_FOR_PERSON, Job
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
        parser.add_argument("--code", metavar="CODE", help="every batch in ERROR that has this code, such as NoSpace")

    def handle(self, *args: Any, ids: list[str], all_errors: bool, code: str | None, **options: Any) -> None:
        """Queue them; exit code 1 when one that was named could not be."""
        if not (ids or all_errors or code):
            raise WrongUse("Say which: an ID, --all-errors or --code CODE.")
        if code and code not in CODES:
            raise WrongUse("--code is not an error code; docs/errors.md lists them.")
        refused = 0
        for batch in Batch.objects.filter(pk__in=named(ids)):
            refused += not self._retry(batch)
        queued = sum(self._retry(batch) for batch in _stopped(code) if all_errors or code)
        wake(Job.PROCESS)
        if all_errors or code:
            self.stdout.write(f"{counted(queued, 'batch', 'batches')} queued again.")
        if refused:
            sys.exit(NEEDS_A_LOOK)

    def _retry(self, batch: Batch) -> bool:
        state = batch.state
        if state not in RETRYABLE:
            self.stdout.write(
                f"batch {batch.pk} is {state}: left alone, only {' and '.join(RETRYABLE)} can be retried."
            )
            return False
        if not retry(batch):
            self.stdout.write(f"batch {batch.pk} was {state} and is on the move: left alone.")
            return False
        self.stdout.write(f"batch {batch.pk} was {state}: queued again.")
        return True


def _stopped(code: str | None) -> Iterable[Batch]:
    """The batches in ERROR, of one code or of any; their keys at once, for they leave while they are gone through."""
    for key in list(Batch.objects.filter(state__in=WAITING_FOR_PERSON).order_by("pk").values_list("pk", flat=True)):
        batch = Batch.objects.filter(pk=key, state__in=WAITING_FOR_PERSON).first()
        if batch and (code is None or any(error["code"] == code for error in batch.errors)):
            yield batch
