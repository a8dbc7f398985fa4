"""Opens what `make demo` made in the pages: `make demo-web`."""

from __future__ import annotations

import os
import subprocess
import sys

from demo.__main__ import ROOT, VAR, environment


def main() -> None:
    """Make the data where there are none, and serve the pages until Ctrl-C."""
    if not (VAR / "sendit.sqlite3").exists():
        subprocess.run([sys.executable, "-m", "demo"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    os.chdir(ROOT)
    os.execve(sys.executable, [sys.executable, "-m", "sendit", "web"], environment())


if __name__ == "__main__":
    main()
