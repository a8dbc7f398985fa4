"""`preview`: shows what would become of one file."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from sendit.ground import logs
from sendit.ground.commands import NEEDS_A_LOOK, WrongUse
from sendit.ground.commands import Command as ShellCommand
from sendit.ground.terminal import counted
from sendit.pipeline.files.preview import Change, Preview, preview
from sendit.pipeline.management import preview_layout
from sendit.pipeline.management.commands.deid import add_how, how

WIDE = 240
"""Columns where the output is no terminal."""


class Command(ShellCommand):
    """Show every element of a file before and after, with the rule that decided."""

    help = (
        "Show every element of a file before and after, with the rule that decided. Marks: ~ changed, - removed, + "
        "added; = stands for the same value. Prints identifiers, so only to a terminal."
    )
    requires_system_checks = []
    needs_keys = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument("file", metavar="FILE", help="a DICOM file")
        parser.add_argument(
            "--reveal",
            action="store_true",
            help="print identifiers although the output is a file or a pipe, not a terminal",
        )
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--all", action="store_true", help="show every element (default: where no terminal is)")
        which.add_argument("--changed", action="store_true", help="show what changes only (default: on a terminal)")
        add_how(parser)

    def handle(self, *args: Any, file: str, reveal: bool, **options: Any) -> None:
        """Print the table; exit code 1 when the file would not be delivered."""
        logs.silence_libraries()
        if not (reveal or self.stream.isatty()):
            raise WrongUse(
                "the output is no terminal, and preview prints identifiers; --reveal prints them all the same."
            )
        if not Path(file).is_file():
            raise WrongUse("FILE is no file.")
        seen = preview(Path(file), how(**options))
        console = Console(file=self.stream, highlight=False, width=None if self.stream.isatty() else WIDE)
        only_changed = options["changed"] or (self.stream.isatty() and not options["all"])
        rows = preview_layout.chosen(seen.rows, only_changed=only_changed)
        preview_layout.show(console, rows)
        unchanged = sum(bool(row.tag) and row.mark is Change.SAME for row in seen.rows) if only_changed else 0
        if unchanged:
            self.stdout.write(f"{counted(unchanged, 'element stays', 'elements stay')} unchanged; --all shows them.")
        self.lines(_closing(seen))
        if seen.fault or not seen.verdict.passed:
            sys.exit(NEEDS_A_LOOK)


def _closing(seen: Preview) -> Iterator[str]:
    if not seen.verdict.passed:
        group = f" ({seen.verdict.group})" if seen.verdict.group else ""
        yield f"Withheld by the filter rule “{seen.verdict.rule}”{group}."
    if seen.fault:
        yield f"Not de-identified. {seen.fault}"
    if seen.verdict.passed and not seen.fault:
        yield "It would be delivered."
