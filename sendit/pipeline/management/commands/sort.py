"""`sort`: makes finished study folders of any heap of files."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from sendit.ground import logs
from sendit.ground.commands import NEEDS_A_LOOK, WrongUse
from sendit.ground.commands import Command as ShellCommand
from sendit.ground.terminal import counted, printable, table
from sendit.pipeline.files.sorting import SortedFolder, SortReport, sort
from sendit.pipeline.management.project_option import add_project
from sendit.projects.composition import Projects


class Command(ShellCommand):
    """Make a study folder of each study in a CD, a ZIP or TAR archive, or any folder of files."""

    help = (
        "Make a finished study folder of each study in SRC: a CD with a DICOMDIR, a ZIP or TAR archive, a flat folder "
        "with the files of many patients. SRC stays as it is; files are linked where that is possible, else copied. "
        "The same command again goes on where it was stopped, and adds only what is new. Folders are called by "
        "accession number, or else by Study Instance UID; they are named on a terminal, or with --reveal."
    )
    requires_system_checks = []
    needs_keys = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument("sources", metavar="SRC", nargs="+", help="a file, an archive or a folder")
        parser.add_argument(
            "--into", metavar="DATA", help="where the study folders are made (default: the project's first data folder)"
        )
        add_project(parser, "whose studies they are")
        parser.add_argument("--reveal", action="store_true", help="name the folders, also where no terminal is")

    def handle(
        self, *args: Any, sources: list[str], into: str | None, project: str, reveal: bool, **options: Any
    ) -> None:
        """Sort, and say what went where; exit code 1 when a file that may be an image is in no study folder."""
        logs.silence_libraries()
        named = Projects(settings.SITE).of(project).project
        if not (into or named.data_folders):
            raise WrongUse("The project has no data folder. Name one with --into.")
        data = Path(into) if into else named.data_folders[0].path
        roots = [_root(Path(source), data) for source in sources]
        try:
            report = sort(roots, data, named.identity)
        except TimeoutError:
            raise WrongUse("Another process sorts into that folder. Wait for its end.") from None
        shows = reveal or self.stream.isatty()
        self.lines(_folders(report, shows))
        self.lines(_summary(report, shows))
        if any(root.absolute().parent == data.absolute() and root.is_dir() for root in roots):
            self.stdout.write("SRC is in the data folder itself, where it counts as a study. Move it out.")
        if report.needs_a_look:
            sys.exit(NEEDS_A_LOOK)


def _root(source: Path, data: Path) -> Path:
    """SRC, if it makes sense; a link that is named is meant."""
    if not source.exists():
        raise WrongUse("SRC does not exist.")
    found = Path(os.path.realpath(source))
    if found == Path(os.path.realpath(data)):
        raise WrongUse("SRC is the data folder. Name what is to be sorted in it, such as an archive.")
    return found


def _folders(report: SortReport, shows: bool) -> Iterator[str]:
    rows = [
        (
            printable(folder.name.reveal()) if shows else f"study {number}",
            sum(folder.placed.values()),
            ", ".join(f"{count:,} {how}" for how, count in sorted(folder.placed.items())),
            _fate(folder),
        )
        for number, folder in enumerate(report.folders, 1)
    ]
    if rows:
        yield from table(rows, header=("folder", "files", "how", ""))
        yield ""


def _fate(folder: SortedFolder) -> str:
    if not folder.placed:
        return "nothing new"
    late = "" if folder.is_new else "what came late"
    there = f"{folder.there:,} there before" if folder.there else ""
    return "; ".join(filter(None, (late, there)))


def _summary(report: SortReport, shows: bool) -> Iterator[str]:
    made = sum(bool(folder.placed) for folder in report.folders)
    files = sum(sum(folder.placed.values()) for folder in report.folders)
    yield f"{counted(made, 'study folder')} made, of {counted(files, 'file')}."
    for why, number in sorted(report.left.items()):
        if number:
            yield f"{counted(number, 'file')} left: {why}."
    for why, number in sorted(Counter(each.why for each in report.unusable).items()):
        yield f"{counted(number, 'file')} left, which {why}."
        if shows:
            yield from (f"  {_place(each.key)}" for each in report.unusable if each.why == why)


def _place(key: tuple[str, tuple[int, ...]]) -> str:
    path, members = key
    return printable(path) + "".join(f", member {number}" for number in members)
