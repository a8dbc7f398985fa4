"""`redeliver`: makes studies again, after a recipe or a project changed."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand, WrongUse
from sendit.ground.terminal import counted
from sendit.pipeline import operations
from sendit.pipeline.management.naming import named
from sendit.pipeline.operations import COMMAND
from sendit.pipeline.record.states import Job
from sendit.pipeline.reports.studies import project_of, recipe_changes
from sendit.pipeline.workforce.choice import wake
from sendit.projects.composition import Projects

LINES_SHOWN = 20


class Command(DatabaseCommand):
    """Make studies again, after a recipe or a project changed."""

    help = (
        "Make studies again, after a recipe or a project changed. What was delivered before is removed once the new "
        "version is in place."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument("ids", metavar="ID", nargs="*", help="a batch of the study")
        parser.add_argument("--project", metavar="NAME", help="all studies of the project")
        parser.add_argument("--recipe", metavar="SHA256", help="all studies that were made by the recipe of that hash")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be made again")
        parser.add_argument("--reason", metavar="R", required=True, help="why; it stands in the history")

    def handle(self, *args: Any, ids: list[str], reason: str, dry_run: bool, **options: Any) -> None:
        """Queue them; exit code 1 when one was left alone."""
        project, recipe = options["project"], options["recipe"]
        if not reason.strip():
            raise WrongUse("Say why: --reason.")
        if not (ids or project or recipe):
            raise WrongUse("Say which: an ID, --project or --recipe.")
        studies = operations.studies_of(named(ids), project or "", recipe or "")
        made = left_alone = 0
        made_by: set[tuple[str, str]] = set()
        for remade in operations.redeliver(studies, reason, COMMAND, is_dry_run=dry_run):
            self.stdout.write(remade.sentence("would be made again" if dry_run else "queued again"))
            left_alone += remade.is_left_alone
            made += not remade.is_left_alone
            made_by.update((project_of(remade.batches[0]), sha256) for sha256 in remade.recipes)
        if dry_run:
            self.lines(_changes(sorted(made_by)))
        counts = counted(made, "study", "studies")
        self.stdout.write(f"{counts} {'would be made' if dry_run else 'queued'} again; {left_alone} left alone.")
        if not dry_run:
            wake(Job.PROCESS)
        if left_alone:
            sys.exit(NEEDS_A_LOOK)


def _changes(made_by: list[tuple[str, str]]) -> Iterator[str]:
    """What the recipes of now do otherwise than those by which studies were made, by project."""
    projects = Projects(settings.SITE)
    for project, sha256 in made_by:
        now = projects.of(project).recipe
        changes = list(recipe_changes(sha256, now))
        words = "the same recipe" if sha256 == now.sha256 else f"{counted(len(changes), 'line')} changed"
        yield f"recipe {sha256[:12]} so far, {now.sha256[:12]} now: {words}."
        yield from (f"  {line}" for line in changes[:LINES_SHOWN])
        if len(changes) > LINES_SHOWN:
            yield f"  and {counted(len(changes) - LINES_SHOWN, 'more line')}"
