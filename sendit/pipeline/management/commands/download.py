"""`download`: fetches images out of archives, chosen in SQL or by a manifest."""

from __future__ import annotations

import csv
import sys
from argparse import ArgumentParser
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.conf import settings
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from sendit.errors import SenditError
from sendit.ground import logs
from sendit.ground.commands import NEEDS_A_LOOK, WrongUse, ensure_keys
from sendit.ground.commands import Command as ShellCommand
from sendit.ground.terminal import counted
from sendit.pipeline.files.download import Wanted, chosen_by, download, named_by
from sendit.pipeline.management.project_option import add_project
from sendit.ports import Warehouse
from sendit.projects.composition import Projects
from sendit.projects.project import is_missing


class Command(ShellCommand):
    """Fetch the images that a SELECT or a manifest names, each by a ranged read out of its archive."""

    help = (
        "Fetch images or series out of the archives into OUT/patient/study/series/. A SELECT chooses them: it returns "
        "a column SOPInstanceUID, SeriesInstanceUID, StudyInstanceUID, CodedAccessionNumberID or CodedPatientID. Each "
        "file is checked by its SHA-256. If the download is stopped, the same command goes on where it was."
    )
    requires_system_checks = []
    needs_keys = False  # where the warehouse is elsewhere

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument(
            "sql",
            metavar="SQL",
            nargs="?",
            help="such as \"SELECT SeriesInstanceUID FROM series WHERE Modality = 'CT'\"; - reads it from stdin",
        )
        parser.add_argument("out", metavar="OUT", help="a folder; it is created if there is none")
        parser.add_argument("--manifest", metavar="CSV", help="a CSV with one of those columns, in place of SQL")
        add_project(parser, "whose warehouse and archives")

    def handle(self, *args: Any, project: str, sql: str | None, out: str, manifest: str | None, **options: Any) -> None:
        """Fetch them, and say how many there are; exit code 1 if one could not be fetched."""
        logs.silence_libraries()
        if (sql is None) == (manifest is None):
            raise WrongUse("Give either SQL or --manifest.")
        ports = Projects(settings.SITE).of(project)
        if is_missing(ports.project.warehouse):
            ensure_keys()
        wanted = _wanted(ports.warehouse, sql, manifest)
        done: Counter[str] = Counter()
        with ExitStack() as stack:
            progress = stack.enter_context(_progress(self.stream))
            task = progress.add_task("", total=sum(image.size_bytes for image in wanted))
            for fetched in download(ports.object_store, wanted, Path(out)):
                done[_word(fetched.is_new, fetched.error)] += 1
                progress.advance(task, fetched.wanted.size_bytes)
                if fetched.error is not None:
                    self.stderr.write(f"{fetched.wanted.path}: {fetched.error}")
        size = sum(image.size_bytes for image in wanted) / 1e6
        told = ", ".join(f"{number:,} {word}" for word, number in sorted(done.items())) or "nothing matches"
        self.stdout.write(f"{counted(len(wanted), 'image')}, {size:,.1f} MB: {told}.")
        if done["failed"]:
            sys.exit(NEEDS_A_LOOK)


def _wanted(warehouse: Warehouse, sql: str | None, manifest: str | None) -> list[Wanted]:
    if sql is not None:
        return chosen_by(warehouse, sys.stdin.read() if sql == "-" else sql)
    try:
        with open(manifest or "", newline="", encoding="utf-8-sig") as stream:
            return named_by(warehouse, list(csv.DictReader(stream)))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise WrongUse("The manifest cannot be read as CSV.") from None


def _progress(stream: Any) -> Progress:
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(file=stream), transient=True, disable=not stream.isatty())


def _word(is_new: bool, error: SenditError | None) -> str:
    return "failed" if error is not None else "new" if is_new else "there already"
