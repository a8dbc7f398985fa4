"""What the commands share: exit codes, the state of the database before the first question, how batches are named.

Exit codes: 0 fine; 1 something needs a look; 2 wrong use, or a deployment that is wrong.
"""

from __future__ import annotations

import math
import sys
from argparse import SUPPRESS
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper, SystemCheckError

from sendit import keys
from sendit.errors import Misconfigured, ServiceDown
from sendit.ground.daemon import PidFile
from sendit.pipeline.checks import BEFORE_EVERY_COMMAND
from sendit.printable import printable, printable_lines

if TYPE_CHECKING:
    from sendit.pipeline.record.models import Batch

NEEDS_A_LOOK, WRONG = 1, 2

DJANGOS_OPTIONS = (
    "--version", "--verbosity", "--settings", "--pythonpath", "--traceback", "--no-color", "--force-color"
)  # fmt: skip
"""They work, and are left out of the help."""


class WrongUse(CommandError):
    """The command line asks for what makes no sense; exit code 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, returncode=WRONG)


class PrintableOutput(OutputWrapper):
    """Where all that a command says goes through: nothing in it can command the terminal."""

    def write(self, msg: str = "", style_func: Callable[[str], str] | None = None, ending: str | None = None) -> None:  # type: ignore[override]
        """Write it, in a style if it has one."""
        super().write(printable_lines(msg), style_func, ending)


class Command(BaseCommand):
    """One of sendit's commands, without Django's own options in its help."""

    suppressed_base_arguments = set(DJANGOS_OPTIONS)
    requires_system_checks = [BEFORE_EVERY_COMMAND]

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Django's, under our name."""
        parser = super().create_parser("sendit", subcommand, **kwargs)
        for action in parser._actions:
            if action.dest == "skip_checks":
                action.help = SUPPRESS
        return parser

    def check(self, *args: Any, **options: Any) -> None:
        """The system checks; a deployment that is wrong is exit code 2."""
        try:
            super().check(*args, **options)
        except SystemCheckError as error:
            error.returncode = WRONG
            raise

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run it; wrong use is one line on the shell, under our name."""
        style = self.stderr.style_func
        self.stdout = PrintableOutput(options.pop("stdout", None) or self.stream)
        self.stderr = PrintableOutput(options.pop("stderr", None) or cast(TextIO, self.stderr._out))
        self.stderr.style_func = style
        try:
            return super().execute(*args, **options)
        except WrongUse as error:
            if not getattr(self, "_called_from_command_line", False):
                raise
            self.stderr.write(f"sendit: {error}")
            sys.exit(WRONG)

    @property
    def stream(self) -> TextIO:
        """Standard output itself: for what `printable` has seen already, or a program reads."""
        return cast(TextIO, self.stdout._out)

    def lines(self, lines: Iterable[str]) -> None:
        """Write them."""
        for line in lines:
            self.stdout.write(line)


class DatabaseCommand(Command):
    """A command that asks the database, which makes and upgrades itself first."""

    key_files = keys.ALL
    """The keys without which it does not start."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Silence whatever quotes values; bring the database up to date; then the command."""
        from sendit.ground import logs
        from sendit.pipeline.record import database

        logs.silence_libraries()
        try:
            database.make_ready(self.key_files)
            return super().execute(*args, **options)
        except database.AWAY:
            raise ServiceDown("DatabaseDown") from None
        except database.DAMAGED as error:
            if type(error) is not database.DAMAGED:  # a bug of ours is one of its kinds
                raise
            raise Misconfigured("DatabaseDamaged") from None


def watcher_pid_file() -> PidFile:
    """Where the watcher says which process it is."""
    return PidFile(settings.SITE.var / "watcher.pid")


def table(rows: Sequence[Sequence[object]], header: Sequence[str] = (), indent: str = "") -> list[str]:
    """Rows in columns two spaces apart: numbers to the right, words to the left."""
    cells = [[_cell(value) for value in row] for row in rows]
    texts = [list(header), *cells] if header else cells
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))] if texts else []
    right = [all(isinstance(row[column], int | float | None) for row in rows) for column in range(len(widths))]
    return [indent + _aligned(row, widths, right) for row in texts]


def _aligned(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    places = zip(row, widths, right, strict=True)
    return "  ".join(text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in places).rstrip()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}"
        case _:
            return printable(str(value))


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min`, `5 h`, `9 days`."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    for unit, length, limit in (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48)):
        if seconds < length * limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{math.floor(seconds / 86400):,} days"


def counted(number: int, singular: str, plural: str = "") -> str:
    """`1 batch`, `2 batches`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def named(identities: Sequence[str]) -> list[Batch]:
    """The batches that an operator names, by primary key, by the folder's name, or by the study's pseudonym, which is
    what a row of the warehouse has; each once, in the order given.

    An accession number may look like a primary key: where both fit different batches, `pk:` or `uid:` says which.
    """
    found: dict[int, Batch] = {}
    for place, identity in enumerate(identities, 1):
        batches = {batch.pk: batch for batch in _meant_by(identity)}
        if not batches:
            raise WrongUse(f"No batch has the ID given as number {place}.")
        if len(batches) > 1:
            keys = ", ".join(f"pk:{key}" for key in sorted(batches))
            raise WrongUse(f"The ID given as number {place} fits several batches; say one of {keys}.")
        found.update(batches)
    return list(found.values())


def _meant_by(identity: str) -> list[Batch]:
    from sendit.pipeline.record.models import Batch

    kind, colon, rest = identity.partition(":")
    if not colon or kind not in ("pk", "uid"):
        kind, rest = "", identity
    is_key = kind != "uid" and rest.isascii() and rest.isdigit() and len(rest) < 19
    by_key = Batch.objects.filter(pk=int(rest)) if is_key else Batch.objects.none()
    by_uid = Batch.objects.for_uid(rest) if kind != "pk" else Batch.objects.none()
    return [*by_key, *by_uid] or list(Batch.objects.filter(item_suid=identity).exclude(item_suid=""))
