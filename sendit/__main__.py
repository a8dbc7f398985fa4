"""The entry point of the shell commands: `sendit X`, `python -m sendit X`, `python manage.py X`."""

from __future__ import annotations

import ast
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from sendit import __version__
from sendit.errors import EXIT_CODES, BrokenPromise, SenditError, ServiceDown, place_of
from sendit.ground import core_dumps
from sendit.ground.terminal import printable_lines

if TYPE_CHECKING:
    from django.core.management.base import BaseCommand

NOT_FOR_PERSONS = ("work",)
NOT_OFFERED = dict.fromkeys(
    ("runserver", "testserver"), "Django's server for developers is not offered; `sendit web` serves the pages."
)
"""Commands of Django's that would not work here, with what to say of them."""
WITHOUT_DATABASE = ("deid", "download", "init", "preview", "sort", "verify")
"""Commands that need no database; they start without loading Django's models."""
BEFORE_SETTINGS = ("init",)
"""Commands that may run before there are settings, or make them."""

SETTINGS_OF = {"web": "sendit.web.settings"}
"""Commands that are servers, and serve with settings of their own."""


def main() -> None:
    """Run one command. An error is one line on stderr and an exit code, never a traceback, which may quote a value."""
    core_dumps.forbid()
    if os.environ.get("DJANGO_SETTINGS_MODULE", "").partition(".")[0] in ("", "sendit"):  # one process started another
        os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS_OF.get(" ".join(sys.argv[1:2]), "sendit.settings")
    if isinstance(sys.stdout, TextIOWrapper):  # print even what the locale's encoding lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    if "--traceback" not in sys.argv:
        sys.excepthook = _say_failure
    try:
        try:
            _answer(sys.argv[1:])
        finally:
            sys.stdout.flush()
    except SenditError as error:
        print(f"sendit: {printable_lines(str(error))}", file=sys.stderr)
        sys.exit(EXIT_CODES[error.kind])
    except BrokenPipeError:  # `sendit status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(128 + signal.SIGPIPE)


def _answer(arguments: list[str]) -> None:
    if arguments in (["--version"], ["version"]):  # Django would print its own version
        print(f"sendit {__version__}")
    elif arguments in ([], ["--help"], ["-h"], ["help"]):
        print("\n".join(_commands()))
    else:
        _run(["sendit", *arguments])


def _commands() -> Iterator[str]:
    """Yield the help text: a line for each command, from the first line of its module's docstring."""
    yield "Usage: sendit COMMAND [OPTIONS]; sendit COMMAND --help says more.\n"
    for path in sorted(Path(__file__).parent.glob("*/management/commands/[!_]*.py"), key=lambda path: path.stem):
        line = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
        if path.stem not in NOT_FOR_PERSONS:
            yield f"  {path.stem:16}{line.partition(': ')[2]}"
    yield "\nDjango's own, such as check and migrate, work too."


def _run(arguments: list[str]) -> None:
    if arguments[1:2] and arguments[1] in BEFORE_SETTINGS:
        from django.conf import settings

        settings.configure()
    if arguments[1:2] and arguments[1] in WITHOUT_DATABASE:
        import_module(f"sendit.pipeline.management.commands.{arguments[1]}").Command().run_from_argv(arguments)
        return
    from django.core.management import ManagementUtility, get_commands

    from sendit.ground.commands import ensure_keys

    class Utility(ManagementUtility):
        """Django's utility, with a message of our own for an unknown command."""

        def fetch_command(self, subcommand: str) -> BaseCommand:
            if subcommand not in get_commands() or subcommand in NOT_OFFERED:
                print(f"sendit: {_no_such(subcommand, get_commands())}", file=sys.stderr)
                sys.exit(EXIT_CODES["Misconfigured"])
            if subcommand == "migrate":
                ensure_keys()
            return super().fetch_command(subcommand)

    Utility(arguments).execute()


def _no_such(name: str, known: Iterable[str]) -> str:
    """What is said of a command that is not there."""
    if name in NOT_OFFERED:
        return NOT_OFFERED[name]
    close = get_close_matches(name, set(known) - {*NOT_OFFERED, *NOT_FOR_PERSONS}, n=1)
    meant = f" Did you mean `sendit {close[0]}`?" if close else ""
    return f"there is no such command.{meant} `sendit --help` lists them."


def _say_failure(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print what failed and where, in place of a traceback."""
    said = "interrupted" if kind is KeyboardInterrupt else str(_failure(error))
    print(f"sendit: {printable_lines(said)}", file=sys.stderr)


def _failure(error: BaseException) -> SenditError:
    """Map an unexpected exception: a file that the system refuses is ServiceDown, everything else is a bug."""
    if isinstance(error, OSError) and error.filename is not None:
        return ServiceDown("DiskRefused", subject=_what(error))
    return BrokenPromise("UnexpectedFailure", subject=_what(error))


def _what(error: BaseException) -> str:
    return f"{type(error).__name__} at {place_of(error)}"


if __name__ == "__main__":
    main()
