"""`clean_up`: what is not needed any more goes."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings

from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand, WrongUse
from sendit.ground.terminal import counted
from sendit.pipeline.cleaning import Kept, Removal
from sendit.pipeline.operations import COMMAND, clean_up
from sendit.projects.composition import Projects


class Command(DatabaseCommand):
    """Remove leftovers of ended attempts; originals and identifiers of delivered batches where settings say so."""

    help = (
        "Remove what is not needed any more: leftovers of ended attempts, and, where the settings ORIGINALS=delete and "
        "IDENTIFIERS=purge say so, the study folders and identifiers of batches that are DONE without an error."
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

    def handle(self, *args: Any, dry_run: bool, older_than: float, **options: Any) -> None:
        """Remove it; exit code 1 when something that might go was kept for a doubt."""
        if not 0 <= older_than < 1e6:
            raise WrongUse("--older-than is a number of days.")
        verb = "would go" if dry_run else "gone"
        gone = kept = 0
        age = timedelta(days=older_than)
        for cleaned in clean_up(Projects(settings.SITE), age, COMMAND, is_dry_run=dry_run):
            kept += bool(cleaned.doubt)
            gone += not cleaned.doubt
            self.stdout.write(f"{_line(cleaned.item)}: {f'kept, {cleaned.doubt}' if cleaned.doubt else verb}.")
        self.lines(_summary(gone, kept, verb))
        if kept:
            sys.exit(NEEDS_A_LOOK)


def _line(item: Removal | Kept) -> str:
    line = f"batch {item.batch}: {item.what}"
    if isinstance(item, Removal) and item.files:
        line += f" ({counted(item.files, 'file')}, {item.bytes_ / 1e6:.1f} MB)"
    return line


def _summary(gone: int, kept: int, verb: str) -> Iterator[str]:
    yield f"{counted(gone, 'thing')} {verb}, {kept:,} kept for a doubt."
    if settings.SITE.originals == "keep":
        yield "Originals stay: SENDIT_ORIGINALS is keep."
    if settings.SITE.identifiers == "keep":
        yield "Identifiers stay: SENDIT_IDENTIFIERS is keep."
