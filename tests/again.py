"""`python -m tests.again`: run the failures of the last run once more, alone, where only real servers failed.

Tests under `tests/fault`, `fuzz`, `integration` and `e2e` wait for servers, processes and leases. On a machine
that is busy with all the others such a wait can be too short. A few may fail there and pass alone; each is named.
A test that needs no server has no such excuse, and neither has one that fails twice.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

WITH_SERVERS = ("tests/fault/", "tests/fuzz/", "tests/integration/", "tests/e2e/")
AT_MOST = 10


def main() -> int:
    failed = failures(Path(".pytest_cache/v/cache/lastfailed"))
    if not failed or len(failed) > AT_MOST or not all(test.startswith(WITH_SERVERS) for test in failed):
        return 1
    print(
        f"\n{len(failed)} of the tests with servers failed among the others and run once more, alone:",
        *failed,
        sep="\n  ",
    )
    return subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *failed]).returncode


def failures(cache: Path) -> list[str]:
    """Their ids, without the group that pytest-xdist adds."""
    return sorted(test.rpartition("@")[0] or test for test in json.loads(cache.read_text())) if cache.exists() else []


if __name__ == "__main__":
    sys.exit(main())
