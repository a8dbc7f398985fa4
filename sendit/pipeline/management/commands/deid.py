"""`deid`: de-identifies a file or a folder, without a batch."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings

from sendit.deid.pseudonyms import Pseudonyms
from sendit.ground import logs
from sendit.ground.commands import NEEDS_A_LOOK, WrongUse, ensure_keys
from sendit.ground.commands import Command as ShellCommand
from sendit.ground.terminal import counted
from sendit.pipeline.files.deid_files import Deidentification, FileResult, Target, deidentify_files, inputs_of
from sendit.pipeline.management.project_option import add_project
from sendit.projects.composition import Projects, any_recipe, local_identity_service
from sendit.projects.project import DEFAULT


class Command(ShellCommand):
    """De-identify a file, or a folder with its sub-folders. No batch, no database, no delivery."""

    help = (
        "De-identify a file, or a folder with its sub-folders: no batch, no database, no delivery. Files get the "
        "pseudonyms that a batch would get, and names made of their new UIDs."
    )
    requires_system_checks = []
    needs_keys = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument("source", metavar="IN", help="a file or a folder")
        parser.add_argument("out", metavar="OUT", help="a folder; for one file also a file name")
        parser.add_argument("--force", action="store_true", help="replace files that exist already")
        add_how(parser)

    def handle(self, *args: Any, source: str, out: str, force: bool, **options: Any) -> None:
        """De-identify; exit code 1 when a file could not be."""
        logs.silence_libraries()
        place = _place(Path(source), Path(out))
        target = Target(place, is_folder=Path(source).is_dir() or place.is_dir(), replace=force)
        fates: Counter[FileResult] = Counter()
        size_bytes = 0
        for outcome in deidentify_files(inputs_of(Path(source)), how(**options), target):
            fates[outcome.fate] += 1
            size_bytes += outcome.size_bytes if outcome.fate is FileResult.WRITTEN else 0
            if outcome.reason:
                self.stderr.write(f"file {outcome.number}: {outcome.fate}, {outcome.reason}")
        self.stdout.write(f"{counted(fates.total(), 'file')}: {_summary(fates)}; {size_bytes / 1e6:.1f} MB.")
        if fates[FileResult.ERROR]:
            sys.exit(NEEDS_A_LOOK)


def add_how(parser: ArgumentParser) -> None:
    """The options that say how: shared with `preview`."""
    add_project(parser, "whose recipe and pseudonyms")
    parser.add_argument("--recipe", metavar="R", help="a recipe's name or path (default: the project's)")
    parser.add_argument(
        "--var",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a variable of the recipe, such as jitter=-30, in place of the identity service's answer",
    )
    parser.add_argument(
        "--key-file", metavar="F", help="the secret that all pseudonyms are made with (default: as in a batch)"
    )


def how(
    *, recipe: str | None, var: list[str], key_file: str | None, project: str = DEFAULT, **options: Any
) -> Deidentification:
    """What those options ask for."""
    ports = Projects(settings.SITE).of(project)
    of = ports.project
    chosen = any_recipe(of, recipe or of.recipe)
    if key_file is None:
        ensure_keys(may_begin=True)
        return Deidentification(chosen, ports.pseudonyms, ports.identity_service, of.identity, _variables(var))
    key = _key(Path(key_file))
    local = local_identity_service(key, of.max_date_shift_days)
    return Deidentification(chosen, Pseudonyms(key), local, of.identity, _variables(var))


def _key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise WrongUse("--key-file cannot be read.") from None


def _variables(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    if not all(name and equals for name, equals, _ in pairs):
        raise WrongUse("--var takes NAME=VALUE.")
    return {name: value for name, _, value in pairs}


def _place(source: Path, out: Path) -> Path:
    """OUT, if it makes sense."""
    if not source.exists():
        raise WrongUse("IN does not exist.")
    here, there = Path(os.path.realpath(source)), Path(os.path.realpath(out))
    if there == here or here in there.parents:
        raise WrongUse("OUT is IN, or inside it.")
    if source.is_dir() and out.exists() and not out.is_dir():
        raise WrongUse("OUT is a file, and IN a folder.")
    try:
        _make(out if source.is_dir() else out.parent)
    except OSError:
        raise WrongUse("OUT cannot be made.") from None
    return out


def _make(folder: Path) -> None:
    """Make the folder and those above it, each for owner and group at most."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(mode=0o750, exist_ok=True)


def _summary(fates: Counter[FileResult]) -> str:
    shown = [fate for fate in FileResult if fates[fate] or fate is not FileResult.THERE]
    return ", ".join(
        counted(fates[fate], fate) if fate is FileResult.ERROR else f"{fates[fate]:,} {fate}" for fate in shown
    )
