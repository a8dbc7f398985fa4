"""`export_metrics`: writes the table of processing times that programs of the field read."""

from __future__ import annotations

import csv
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from sendit.durable import draft_of, place, private
from sendit.ground.commands import DatabaseCommand, WrongUse
from sendit.ground.terminal import counted
from sendit.pipeline.reports.process_times import COLUMNS, process_times


class Command(DatabaseCommand):
    """Write sendit-process-time-YYYY-MM-DD.tsv: one row for each batch, without identifiers."""

    help = "Write sendit-process-time-YYYY-MM-DD.tsv: one row for each batch, without identifiers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument("--out", metavar="DIR", default=".", help="where to write it (default: here)")

    def handle(self, *args: Any, out: str, **options: Any) -> None:
        """Write the file; it replaces an earlier one of the same day."""
        folder = Path(out)
        if not folder.is_dir():
            raise WrongUse("--out is not a folder.")
        path = folder / f"sendit-process-time-{timezone.now():%Y-%m-%d}.tsv"
        number = write(path)
        self.stdout.write(f"{path}: {counted(number, 'batch', 'batches')}")


def write(path: Path) -> int:
    """Write the table under a temporary name, then under its own; returns the number of rows."""
    draft, number = draft_of(path), 0
    try:
        with open(draft, "x", newline="", encoding="utf-8", opener=private) as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(COLUMNS)
            for row in process_times():
                writer.writerow(row)
                number += 1
        os.chmod(draft, 0o644)
        place(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return number
