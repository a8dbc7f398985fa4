"""`find`: finds the batches of a study by anything that you know of it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from sendit.audit.acts import Act
from sendit.audit.trail import Actor, AuditKey, note
from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand, WrongUse
from sendit.ground.terminal import printable
from sendit.phi import Phi
from sendit.pipeline.management.naming import numbers_of
from sendit.pipeline.management.project_option import add_project
from sendit.pipeline.operations import COMMAND
from sendit.pipeline.reports import batches
from sendit.pipeline.reports.finding import Match, find
from sendit.projects.composition import Projects


class Command(DatabaseCommand):
    """Find batches by pseudonym, accession number, Patient ID, UID, folder or primary key; say what became of them."""

    help = (
        "Find batches by a pseudonym, an accession number, a Patient ID, a UID (original or new), a folder or a "
        "primary key, one per line, on standard input or in a file, because every user of this machine could read an "
        "argument. The output refers to a line by its number; --reveal names the folders, asks for your reason, and is "
        "kept in the audit trail."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument(
            "source", metavar="FILE", help="a file with one identifier per line; - reads standard input"
        )
        parser.add_argument("--reveal", action="store_true", help="name the folders, which may identify a patient")
        parser.add_argument("--reason", metavar="R", default="", help="with --reveal: why, for the audit trail")
        add_project(parser, "whose studies they are")

    def handle(self, *args: Any, project: str, source: str, reveal: bool, reason: str, **options: Any) -> None:
        """Find them; exit code 1 when nothing matches one of the lines."""
        wanted = [Phi(line.strip()) for line in _lines(source) if line.strip()]
        reason = _reason(reason, source) if reveal else ""
        ports = Projects(settings.SITE).of(project)
        found = [(number, find(one, ports)) for number, one in enumerate(wanted, 1)]
        if reveal:
            seen = sorted({match.batch for _, matches in found for match in matches})
            audit_key = AuditKey.of(settings.SITE.secrets_folder, settings.SITE.var)
            note(audit_key, Act.SEARCH, Actor(COMMAND), [("batch", key) for key in seen], reason=reason)
        for number, matches in found:
            self.lines(_found(number, matches, reveal))
        if not all(matches for _, matches in found):
            sys.exit(NEEDS_A_LOOK)


def _lines(source: str) -> list[str]:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise WrongUse("FILE cannot be read. Give - and write what you look for on standard input.") from None
    return text.splitlines()


def _reason(given: str, source: str) -> str:
    """Why the operator asks for what identifies."""
    if not given.strip() and source != "-" and sys.stdin.isatty():
        given = input("Your reason, for the audit trail: ")
    if not given.strip():
        raise WrongUse("--reveal needs a reason: add --reason.")
    return given.strip()


def _found(number: int, matches: list[Match], reveal: bool) -> Iterator[str]:
    """`1  batch 17  DONE  found 5  delivered 5  filtered 0  errored 0`."""
    if not matches:
        yield f"{number}  No batch matches."
    for match in matches:
        counts = "  ".join(numbers_of(match))
        yield f"{number}  batch {match.batch}  {match.state}  {counts}{_folder(match.batch) if reveal else ''}"


def _folder(batch: int) -> str:
    shown = batches.identified(batch)
    return f"  {printable(shown.folder.reveal()) if shown and shown.folder else '(purged)'}"
