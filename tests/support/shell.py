"""Running a command in this process as the shell would: its exit code and what it says."""

from __future__ import annotations

import io
from dataclasses import dataclass

from django.core.management import call_command
from django.core.management.base import CommandError

from sendit.errors import EXIT_CODES, SenditError
from tests.support.phantoms import leaks_in


@dataclass(frozen=True, slots=True)
class Ran:
    """What the shell sees."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Standard output by lines."""
        return self.out.splitlines()


def run(*arguments: str, reveals: bool = False) -> Ran:
    """Run it; what it says may hold a planted identifier only where it `reveals`, on standard output."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except SystemExit as ended:
        code = int(ended.code or 0)
    except CommandError as error:
        code = error.returncode
        err.write(str(error))
    except SenditError as error:
        code = EXIT_CODES[error.kind]
        err.write(str(error))
    said = err.getvalue() if reveals else out.getvalue() + err.getvalue()
    assert leaks_in(said) == []
    return Ran(code, out.getvalue(), err.getvalue())
