"""No process that holds identifiers leaves a core dump, whatever limit its shell gave it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.site import Site

LOOK = """
import ctypes, os, resource
def look():
    return f"{resource.getrlimit(resource.RLIMIT_CORE)} {ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)}"
"""

ENTRIES = {
    "a command": "import sys; sys.argv = ['sendit', 'version']; from sendit.__main__ import main; main()",
    "a Celery worker": "import sendit.celery",
    "the identity service": "import sendit.identity_service.wsgi",
    "the web": "import sendit.web.wsgi",
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_no_core_dumps(site: Site, entry: str) -> None:
    hard = "resource.getrlimit(resource.RLIMIT_CORE)[1]"  # which no process may raise in a container
    before = f"resource.setrlimit(resource.RLIMIT_CORE, ({hard}, {hard}))"
    fork = "pid = os.fork()\nif not pid: print(look(), flush=True); os._exit(0)\nos.waitpid(pid, 0)\nprint(look())"
    ran = subprocess.run(
        [sys.executable, "-c", f"{LOOK}\n{before}\n{entry}\n{fork}"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-2:] == ["(0, 0) 0", "(0, 0) 0"]
