"""`audit`: lists who saw what identifies, and who did what."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from sendit.audit import export
from sendit.audit.trail import AuditFilter, AuditKey, oldest_first, verify
from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand, WrongUse
from sendit.ground.terminal import counted


class Command(DatabaseCommand):
    """Print the audit trail, or find out whether somebody has changed it."""

    help = (
        "Print the audit trail, the oldest row first, or find out with --verify whether somebody has changed it; exit "
        "code 1 where somebody has."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--verify", action="store_true", help="check every row against the one before")
        parser.add_argument(
            "--head", metavar="NUMBER:DIGEST", help="with --verify: a row that a log or an earlier --verify named"
        )
        parser.add_argument("--format", choices=["json", "xml"], default="json", help="JSON lines, or PS3.15 A.5 XML")
        parser.add_argument("--actor", metavar="NAME", default="", help="only what this person did")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print or verify."""
        if options["verify"]:
            self._verify(_known(options["head"]))
            return
        form = export.as_xml if options["format"] == "xml" else export.as_json
        self.lines(form(row) for row in oldest_first(AuditFilter(actor=options["actor"])))

    def _verify(self, known: tuple[int, str] | None) -> None:
        verdict = verify(AuditKey.of(settings.SITE.secrets_folder, settings.SITE.var), known)
        if not verdict.is_whole:
            self.stdout.write(f"The trail is not as it was written, from row {verdict.first_bad:,} on.")
            sys.exit(NEEDS_A_LOOK)
        self.stdout.write(f"{counted(verdict.rows, 'row')}, all as they were written.")
        self.stdout.write(f"head {verdict.head}:{verdict.digest}")


def _known(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text)
    if not found:
        raise WrongUse("--head takes what --verify prints: NUMBER:DIGEST.")
    return int(found[1]), found[2]
