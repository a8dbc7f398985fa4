"""What all commands share: exit codes, wrong use, checks, and that nothing that they print commands the terminal.

Exit codes: 0 fine; 1 something needs a look; 2 wrong use, or a deployment that is wrong.
"""

from __future__ import annotations

import sys
from argparse import SUPPRESS
from collections.abc import Callable, Iterable
from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper, SystemCheckError

from sendit import keys
from sendit.errors import Misconfigured, ServiceDown
from sendit.ground.terminal import printable_lines

NEEDS_A_LOOK, WRONG = 1, 2

BEFORE_EVERY_COMMAND = "sendit"
"""The tag of the system checks that cost little; `sendit check` runs all."""

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
        from sendit.ground import database, logs

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
