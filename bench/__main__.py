"""`python -m bench [PART...]`: measure, print, and with all parts write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from bench import batches, files, memory, million, receiving, report, topology
from bench.measure import FULL, QUICK, Section, Size

PARTS: dict[str, Callable[[Path, Size], Section]] = {
    "files": files.run,
    "batches": batches.run,
    "memory": memory.run,
    "million": million.run,
    "topology": topology.run,
    "receiving": receiving.run,
}
ROOM_BYTES = 6 << 30


def main(arguments: Sequence[str] | None = None) -> None:
    """A missed bar is a finding, not a failure: the exit code speaks of crashes only."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="only these parts; all when none is named")
    parser.add_argument("--quick", action="store_true", help="a few images each: says only that the bench works")
    given = parser.parse_args(arguments)
    parts, size = given.parts or list(PARTS), QUICK if given.quick else FULL
    console, started, load = Console(), time.monotonic(), os.getloadavg()[0]
    sections = [_measure(part, size, console) for part in parts]
    bars = [bar for section in sections for bar in section.bars]
    console.print(f"\n[bold]{report.summary(bars)}[/bold] ({time.monotonic() - started:.0f} s)")
    if parts == list(PARTS) and size is FULL:
        report.PAGE.write_text(report.page(sections, time.monotonic() - started, load))


def _measure(part: str, size: Size, console: Console) -> Section:
    scratch = Path(tempfile.mkdtemp(prefix="sendit-bench-", dir=_memory()))
    try:
        section = PARTS[part](scratch, size)
    finally:
        shutil.rmtree(scratch)
    report.show(section, console)
    return section


def _memory() -> str | None:
    """A memory file system with room, so that no disk is measured; else wherever temporary files go."""
    shm = Path("/dev/shm")
    return str(shm) if shm.is_dir() and shutil.disk_usage(shm).free > ROOM_BYTES else None


if __name__ == "__main__":
    main()
