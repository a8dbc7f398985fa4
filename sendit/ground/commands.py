"""What all commands share: exit codes, wrong use, system checks, and output that cannot control the terminal.

Exit codes: 0 fine; 1 something needs a look; 2 wrong use or a wrong deployment.
"""

from __future__ import annotations

import sys
from argparse import SUPPRESS
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper, SystemCheckError

from sendit import keys
from sendit.errors import Misconfigured, ServiceDown
from sendit.ground.terminal import printable_lines

NEEDS_A_LOOK, WRONG = 1, 2

BEFORE_EVERY_COMMAND = "sendit"
"""The tag of the fast system checks, which run before every command; `sendit check` runs all."""

DJANGOS_OPTIONS = (
    "--version", "--verbosity", "--settings", "--pythonpath", "--traceback", "--no-color", "--force-color"
)  # fmt: skip
"""Django's own options; they work, but the help leaves them out."""


class WrongUse(CommandError):
    """The command line makes no sense; exit code 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, returncode=WRONG)


class PrintableOutput(OutputWrapper):
    """An output stream that escapes whatever could control the terminal."""

    def write(self, msg: str = "", style_func: Callable[[str], str] | None = None, ending: str | None = None) -> None:  # type: ignore[override]
        super().write(printable_lines(msg), style_func, ending)


def begin_a_site() -> None:
    """Make the keys of a VAR that SENDIT_VAR names and that holds nothing yet; its database is a file."""
    site = settings.SITE
    is_alone = not site.database.startswith("postgres")
    if settings.VAR_IS_NAMED and is_alone and not (site.var.is_dir() and any(site.var.iterdir())):
        keys.make_for_new_site(site.secrets_folder, site.var)


def ensure_keys(*, may_begin: bool = False) -> None:
    """Refuse a VAR that has no keys, in place of making another one by accident."""
    if may_begin:
        begin_a_site()
    keys.ensure_made(settings.SITE.secrets_folder, settings.SITE.var, settings.SETTINGS_FILE)


class Command(BaseCommand):
    """The base of sendit's commands; their help leaves out Django's own options."""

    suppressed_base_arguments = set(DJANGOS_OPTIONS)
    requires_system_checks = [BEFORE_EVERY_COMMAND]
    needs_keys = True
    begins_a_site = False
    """Whether the command may be the first one of a new VAR that is named."""
    """Whether the command needs a VAR, which is one that has keys."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return Django's parser with `sendit` as the program's name."""
        parser = super().create_parser("sendit", subcommand, **kwargs)
        for action in parser._actions:
            if action.dest == "skip_checks":
                action.help = SUPPRESS
        return parser

    def check(self, *args: Any, **options: Any) -> None:
        """Run the system checks; a wrong deployment gives exit code 2."""
        try:
            super().check(*args, **options)
        except SystemCheckError as error:
            error.returncode = WRONG
            raise

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command; wrong use is reported in one line."""
        style = self.stderr.style_func
        self.stdout = PrintableOutput(options.pop("stdout", None) or self.stream)
        self.stderr = PrintableOutput(options.pop("stderr", None) or cast(TextIO, self.stderr._out))
        self.stderr.style_func = style
        if self.needs_keys:
            ensure_keys(may_begin=self.begins_a_site)
        try:
            return super().execute(*args, **options)
        except WrongUse as error:
            if not getattr(self, "_called_from_command_line", False):
                raise
            self.stderr.write(f"sendit: {error}")
            sys.exit(WRONG)

    @property
    def stream(self) -> TextIO:
        """Standard output without escaping: for text that is escaped already, or that a program reads."""
        return cast(TextIO, self.stdout._out)

    def lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stdout.write(line)


@contextmanager
def answering(key_files: frozenset[keys.KeyFile] = keys.ALL) -> Iterator[None]:
    """Bring the database up to date; while it is asked, what it refuses is an error of ours."""
    from sendit.ground import database

    try:
        database.make_ready(key_files)
        yield
    except database.AWAY:
        raise ServiceDown("DatabaseDown") from None
    except database.DAMAGED as error:
        if type(error) is not database.DAMAGED:  # a subclass is a bug of ours
            raise
        raise Misconfigured("DatabaseDamaged") from None


class DatabaseCommand(Command):
    """A command that uses the database, which is created or upgraded first if needed."""

    key_files = keys.ALL
    """The keys that the command needs to start."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Silence libraries that quote values, bring the database up to date, and run the command."""
        from sendit.ground import logs

        logs.silence_libraries()
        if self.begins_a_site:
            begin_a_site()
        with answering(self.key_files):
            return super().execute(*args, **options)
