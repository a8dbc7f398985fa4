"""The shell's way in: `sendit X`, `python -m sendit X`, `python manage.py X`."""

from __future__ import annotations

import os
import sys

from sendit import __version__
from sendit.errors import SenditError


def main() -> None:
    """Run one command; an error of ours is one line on stderr and an exit code, never a traceback."""
    if sys.argv[1:] in (["--version"], ["version"]):  # Django would say its own
        print(f"sendit {__version__}")
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sendit.settings")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except SenditError as error:
        print(f"sendit: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
