"""`crosswalk`: asks which pseudonyms belong to which identifiers; another person confirms it."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings

from sendit.durable import disk, draft_of, private, sync
from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand, WrongUse
from sendit.phi import Phi
from sendit.pipeline.management.accounts import account
from sendit.pipeline.operations import Asked, NamedBy, file_crosswalk, sealed_crosswalk
from sendit.projects.composition import Projects

MOST_LINES = 100_000


class Command(DatabaseCommand):
    """File a request for a crosswalk, or fetch one that was confirmed. Nothing of it is ever printed."""

    help = (
        "Ask which identifier belongs to each of the pseudonyms in a file, or the reverse. The command only files a "
        "request: another person, of role broker or privacy, confirms it on the page Requests. What comes of it is "
        "encrypted to the recipient's public key; --fetch writes that into a file."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument("--project", metavar="P", help="the project of which the pseudonyms are")
        named = parser.add_mutually_exclusive_group()
        named.add_argument(
            "--pseudonyms", metavar="FILE", help="pseudonyms of patients and studies, one on each line; - is stdin"
        )
        named.add_argument(
            "--accessions", metavar="FILE", help="the reverse: accession numbers, one on each line; - is stdin"
        )
        named.add_argument("--all", action="store_true", help="all pseudonyms, where CROSSWALK_ALL allows it")
        parser.add_argument("--to", metavar="KEY", help="the recipient's public key: age1…, or a PEM file")
        parser.add_argument("--reason", metavar="R", help="why; kept encrypted, and shown to whoever confirms")
        parser.add_argument("--fetch", metavar="N", type=int, help="write what request N has brought into OUT")
        parser.add_argument("--out", metavar="OUT", type=Path, help="a file that does not exist yet")

    def handle(self, *args: Any, fetch: int | None, **options: Any) -> None:
        """File the request, or fetch its result; exit code 1 where it is not confirmed."""
        if fetch is not None:
            self._fetch(fetch, options["out"])
        else:
            self._file(**options)

    def _file(self, *, project: str | None, to: str | None, reason: str | None, **options: Any) -> None:
        if not (project and to and reason and reason.strip()):
            raise WrongUse("Give --project, --to and --reason.")
        asked = Asked(*_named(options["pseudonyms"], options["accessions"], options["all"]), _key(to))
        request = file_crosswalk(Projects(settings.SITE), project, asked, account(), reason.strip())
        self.stdout.write(
            f"Request {request.pk} waits for another person, of role broker or privacy, on the page Requests. "
            f"Then: sendit crosswalk --fetch {request.pk} --out FILE"
        )

    def _fetch(self, request: int, out: Path | None) -> None:
        if out is None:
            raise WrongUse("Give --out.")
        content = sealed_crosswalk(request)
        if content is None:
            self.stdout.write(f"Request {request} is no crosswalk that was confirmed.")
            sys.exit(NEEDS_A_LOOK)
        _write(out, content)
        self.stdout.write(f"Wrote {len(content):,} bytes, which only the recipient's private key opens.")


def _named(pseudonyms: str | None, accessions: str | None, all: bool) -> tuple[NamedBy, Phi[tuple[str, ...]]]:
    if all:
        return NamedBy.PSEUDONYMS, Phi(())
    file = pseudonyms or accessions
    if file is None:
        raise WrongUse("Give --pseudonyms or --accessions.")
    lines = _lines(file)
    if not lines:
        raise WrongUse("The file names nothing.")
    if len(lines) > MOST_LINES:
        raise WrongUse(f"The file has more than {MOST_LINES:,} lines.")
    return (NamedBy.PSEUDONYMS if pseudonyms else NamedBy.ACCESSIONS), Phi(lines)


def _lines(file: str) -> tuple[str, ...]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise WrongUse("The file cannot be read as text.") from None
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _key(to: str) -> str:
    """A key of age as it is given, or what is in a PEM file."""
    if to.startswith("age1"):
        return to
    try:
        return Path(to).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise WrongUse("--to is neither an age1… key nor a PEM file.") from None


def _write(out: Path, content: bytes) -> None:
    """Write a file that is its owner's, and was not there before."""
    draft = draft_of(out)
    try:
        with disk("crosswalk"), open(draft, "xb", opener=private) as stream:
            stream.write(content)
        sync(draft)
        os.link(draft, out)
    except FileExistsError:
        raise WrongUse("OUT exists already.") from None
    finally:
        draft.unlink(missing_ok=True)
