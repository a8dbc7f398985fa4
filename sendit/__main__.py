"""The shell's way in: `sendit X`, `python -m sendit X`, `python manage.py X`."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import TracebackType

from sendit import __version__
from sendit.errors import EXIT_CODES, BrokenPromise, SenditError, place_of

WITHOUT_DATABASE = ("deid", "preview")
"""Commands that need no database: they start without what Django would load for it."""


def main() -> None:
    """Run one command; an error is one line on stderr and an exit code, never a traceback, which may quote a value."""
    if sys.argv[1:] in (["--version"], ["version"]):  # Django would say its own
        print(f"sendit {__version__}")
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sendit.settings")
    if "--traceback" not in sys.argv:
        sys.excepthook = _say_failure
    try:
        _run(["sendit", *sys.argv[1:]])
    except SenditError as error:
        print(f"sendit: {error}", file=sys.stderr)
        sys.exit(EXIT_CODES[error.kind])
    except BrokenPipeError:  # `sendit status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + 13)


def _run(arguments: list[str]) -> None:
    if arguments[1:2] and arguments[1] in WITHOUT_DATABASE:
        import_module(f"sendit.pipeline.management.commands.{arguments[1]}").Command().run_from_argv(arguments)
        return
    from django.core.management import execute_from_command_line

    execute_from_command_line(arguments)


def _say_failure(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """In place of a traceback: what failed, and where."""
    said = "interrupted" if kind is KeyboardInterrupt else f"{BrokenPromise('UnexpectedFailure', subject=_what(error))}"
    print(f"sendit: {said}", file=sys.stderr)


def _what(error: BaseException) -> str:
    return f"{type(error).__name__} at {place_of(error)}"


if __name__ == "__main__":
    main()
