"""`withdraw`: takes studies back, everywhere, and keeps them out."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings

from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand, WrongUse
from sendit.ground.terminal import counted
from sendit.phi import Phi
from sendit.pipeline import operations
from sendit.pipeline.management.naming import named
from sendit.pipeline.operations import COMMAND, Withdrawal
from sendit.projects.composition import Projects


class Command(DatabaseCommand):
    """Take studies back: archives, rows and reports go from every destination, and the studies stay out."""

    help = "Take studies back: archives, rows and reports go from every destination, and the studies stay out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument(
            "ids", metavar="ID", nargs="*", help="a batch of the study; - reads accession numbers or pseudonyms"
        )
        parser.add_argument("--opt-out", action="store_true", help="all studies of those who opted out")
        parser.add_argument("--dry-run", action="store_true", help="with --opt-out: only name the batches")
        parser.add_argument("--unfinished", action="store_true", help="go on with what earlier calls could not remove")
        parser.add_argument("--reason", metavar="R", required=True, help="why; it stands in the history")

    def handle(self, *args: Any, ids: list[str], opt_out: bool, unfinished: bool, reason: str, **options: Any) -> None:
        """Take them back; exit code 1 when something of them is still there, or a line names no study."""
        if not reason.strip():
            raise WrongUse("Say why: --reason.")
        if not (ids or opt_out or unfinished):
            raise WrongUse("Say which: an ID, -, --opt-out or --unfinished.")
        projects = Projects(settings.SITE)
        if options["dry_run"]:
            self._name(ids, opt_out, unfinished, projects)
            return
        complete = [self._say(each) for each in _each(ids, opt_out, unfinished, reason, projects)]
        if ids == ["-"]:
            complete += self._lines(sys.stdin, reason, projects)
        if not all(complete):
            sys.exit(NEEDS_A_LOOK)

    def _name(self, ids: list[str], opt_out: bool, unfinished: bool, projects: Projects) -> None:
        """Name what was made of those who opted out; exit code 1 if there is anything."""
        if ids or unfinished or not opt_out:
            raise WrongUse("--dry-run goes with --opt-out alone.")
        found = list(operations.opted_out(projects))
        self.lines(f"batch {one.batch} of project {one.project}: {one.state}" for one in found)
        self.stdout.write(f"{counted(len(found), 'batch', 'batches')} of those who opted out.")
        if found:
            sys.exit(NEEDS_A_LOOK)

    def _lines(self, lines: Iterable[str], reason: str, projects: Projects) -> Iterator[bool]:
        """A line is known by its number: what stands in it identifies."""
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            found = operations.withdraw_meant(Phi(line), reason, projects, COMMAND)
            if not found:
                self.stdout.write(f"line {number} names no study that is known.")
            yield bool(found)
            yield from (self._say(withdrawal) for withdrawal in found)

    def _say(self, withdrawal: Withdrawal) -> bool:
        """Say what became of it; whether nothing of the study is left anywhere."""
        first, *rest = withdrawal.sentences()
        self.lines([first, *(f"  {sentence}" for sentence in rest)])
        return withdrawal.is_complete


def _each(ids: list[str], opt_out: bool, unfinished: bool, reason: str, projects: Projects) -> Iterator[Withdrawal]:
    for batch in named(ids) if ids != ["-"] else ():
        yield operations.withdraw(batch, reason, projects, COMMAND)
    if opt_out:
        yield from operations.withdraw_opted_out(reason, projects, COMMAND)
    if unfinished:
        yield from operations.go_on_withdrawing(reason, projects, COMMAND)
