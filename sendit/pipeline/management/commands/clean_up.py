"""`clean_up`: removes what nobody needs any longer."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand, WrongUse
from sendit.ground.terminal import counted
from sendit.pipeline.cleaning import Kept, Removal, WithheldOriginals
from sendit.pipeline.operations import COMMAND, Cleaned, clean_up, withheld_originals
from sendit.projects.composition import Projects
from sendit.projects.project import DEFAULT
from sendit.projects.site import variable


@dataclass(slots=True)
class _Count:
    """What a run has done so far."""

    removed: int = 0
    doubts: int = 0
    with_withheld: int = 0


class Command(DatabaseCommand):
    """Remove leftovers of ended attempts; originals and identifiers of delivered batches where settings say so."""

    help = (
        "Remove leftovers of ended attempts, and, where the settings ORIGINALS=delete and IDENTIFIERS=purge say so, "
        "the study folders and identifiers of batches that are DONE without an error. A folder stays if a rule "
        "withheld one of its files, because that file was never delivered."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument("--dry-run", action="store_true", help="only report what would be removed")
        parser.add_argument(
            "--older-than",
            metavar="DAYS",
            type=float,
            default=0.0,
            help="originals and identifiers only of batches delivered longer ago (default: 0)",
        )
        parser.add_argument(
            "--include-withheld",
            action="store_true",
            help="also remove folders with files that were withheld and never delivered, after a question",
        )
        parser.add_argument("--yes", action="store_true", help="answer the question with yes, for timers")

    def handle(self, *args: Any, dry_run: bool, older_than: float, **options: Any) -> None:
        """Remove it; exit code 1 when something that might go was kept for a doubt."""
        if not 0 <= older_than < 1e6:
            raise WrongUse("--older-than is a number of days.")
        age, projects, now = timedelta(days=older_than), Projects(settings.SITE), timezone.now()
        include_withheld: bool = options["include_withheld"]
        if include_withheld and not (dry_run or options["yes"] or self._agrees(projects, age, now)):
            self.stdout.write("Nothing was removed.")
            return
        verb, count = "would be removed" if dry_run else "removed", _Count()
        for cleaned in clean_up(projects, age, COMMAND, include_withheld=include_withheld, is_dry_run=dry_run, now=now):
            self.stdout.write(_line(cleaned, verb, count))
        self.lines(_summary(count, verb))
        if count.doubts:
            sys.exit(NEEDS_A_LOOK)

    def _agrees(self, projects: Projects, age: timedelta, now: datetime) -> bool:
        """Whether the operator agrees to lose the withheld files; without any there is no question.

        A batch that is delivered after `now`, while the operator thinks, is not removed: nobody agreed to it.
        """
        folders, files = withheld_originals(projects, age, now=now)
        if not folders:
            return True
        self.stdout.write(
            f"{counted(folders, 'folder has', 'folders have')} {counted(files, 'file')} that a rule withheld. "
            "sendit never delivered them, and has no copy."
        )
        if not sys.stdin.isatty():
            raise WrongUse("--include-withheld asks a question, and nobody can answer here. Add --yes to agree.")
        return input("Delete these folders with the others? [y/N] ").strip().lower() in ("y", "yes")


def _line(cleaned: Cleaned, verb: str, count: _Count) -> str:
    """What became of one thing, counted."""
    item = cleaned.item
    if isinstance(item, WithheldOriginals):
        count.with_withheld += 1
        withheld = counted(item.files, "file was withheld and never", "files were withheld and never")
        return f"batch {item.batch}: originals: kept, {withheld} delivered."
    count.doubts += bool(cleaned.doubt)
    count.removed += not cleaned.doubt
    return f"{_named(item)}: {f'kept, {cleaned.doubt}' if cleaned.doubt else verb}."


def _named(item: Removal | Kept) -> str:
    line = f"batch {item.batch}: {item.what}"
    if isinstance(item, Removal) and item.files:
        line += f" ({counted(item.files, 'file')}, {item.bytes_ / 1e6:.1f} MB)"
    return line


def _summary(count: _Count, verb: str) -> Iterator[str]:
    yield f"{counted(count.removed, 'thing')} {verb}, {count.doubts:,} kept for a doubt."
    if count.with_withheld:
        stay = counted(count.with_withheld, "folder stays", "folders stay")
        yield f"{stay} because of withheld files; add --include-withheld to remove such folders too."
    for project, what in _kept(Projects(settings.SITE)):
        of = "" if project == DEFAULT else f" of {project}"
        said = variable(what.upper()) if project == DEFAULT else what
        yield f"{what.capitalize()}{of} stay: {said} is keep."


def _kept(projects: Projects) -> Iterator[tuple[str, str]]:
    for name in projects.names:
        policy = projects.of(name).site
        yield from ((name, what) for what in ("originals", "identifiers") if getattr(policy, what) == "keep")
