"""`project`: the projects of this site: a new one's file, what there is, and what is wrong."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from sendit.durable import make_folder
from sendit.errors import Misconfigured
from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand, WrongUse
from sendit.ground.terminal import table
from sendit.pipeline.reports import projects as reports
from sendit.projects import project_template
from sendit.projects.catalogue import file_of
from sendit.projects.composition import Projects
from sendit.projects.project_file import NAMES


class Command(DatabaseCommand):
    """Write the file of a new project, list and show the projects, and say what is wrong with them."""

    help = (
        "Write the file of a new project, list and show the projects, and check their files. Each project is a TOML "
        "file in SENDIT_PROJECTS; docs/projects.md says what it holds."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One action."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        new = actions.add_parser("new", help="write the commented file of a new project")
        show = actions.add_parser("show", help="what a project does, with its fingerprint and its batches")
        listed = actions.add_parser("list", help="all projects with their batches")
        actions.add_parser("check", help="read every project's file, and say what is wrong")
        for one in (new, show):
            one.add_argument("name", metavar="NAME", help="the project's name")
        for one in (show, listed):
            one.add_argument("--json", action="store_true", help="one JSON object, or one a line")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Do it; exit code 1 where `list` or `check` found something wrong."""
        match action:
            case "new":
                self._new(options["name"])
            case "show":
                self._show(Projects(settings.SITE), options["name"], options["json"])
            case "list":
                self._list(Projects(settings.SITE), options["json"])
            case "check":
                self._check(Projects(settings.SITE))

    def _new(self, name: str) -> None:
        if not NAMES.fullmatch(name):
            raise WrongUse("NAME has up to 63 small letters, digits, - and _")
        file = file_of(settings.SITE, name)
        make_folder(file.parent)
        try:
            with open(file, "x", encoding="utf-8", opener=_for_group) as new:
                new.write(project_template.text(name, settings.SITE))
        except FileExistsError:
            raise WrongUse("There is such a project. Its file stays as it is.") from None
        self.stdout.write(f"Wrote {file}. Name its data folders there, then run `sendit check`.")

    def _show(self, projects: Projects, name: str, as_json: bool) -> None:
        shown = reports.described(projects.of(name))
        if as_json:
            self.stdout.write(json.dumps(shown, default=str, ensure_ascii=False))
        else:
            self.lines(table([(key, _words(value)) for key, value in shown.items()]))

    def _list(self, projects: Projects, as_json: bool) -> None:
        found = list(reports.listed(projects))
        if as_json:
            self.lines(json.dumps(dataclasses.asdict(one), ensure_ascii=False) for one in found)
        else:
            self.lines(_rows(found))
        if any(one.refused for one in found):
            sys.exit(NEEDS_A_LOOK)

    def _check(self, projects: Projects) -> None:
        wrong: list[Misconfigured] = reports.wrong(projects)
        for error in wrong:
            self.stdout.write(str(error))
        self.stdout.write(f"{len(projects.names)} of {len(projects.names) + len(projects.refused)} projects can work.")
        if wrong:
            sys.exit(NEEDS_A_LOOK)


def _for_group(path: str, flags: int) -> int:
    """A file that others can neither read nor write: who can write to it decides where studies go."""
    return os.open(path, flags, 0o640)


def _rows(found: list[reports.Listed]) -> Iterator[str]:
    header = ("project", "key", "batches", "recipe", "title")
    yield from table([(one.name, one.key, one.batches, one.recipe, one.title) for one in found], header=header)
    yield from (f"{one.name}: {one.refused}" for one in found if one.refused)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)
