"""`python -m bench [PART...]`: measure, print, and with all parts write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from bench import batches, files, memory, million, report
from bench.measure import Section

PARTS: dict[str, Callable[[Path], Section]] = {
    "files": files.run,
    "batches": batches.run,
    "memory": memory.run,
    "million": million.run,
}
ROOM_BYTES = 6 << 30


def main(arguments: Sequence[str] | None = None) -> None:
    """A missed bar is a finding, not a failure: the exit code speaks of crashes only."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="only these parts; all when none is named")
    parts = parser.parse_args(arguments).parts or list(PARTS)
    console, started = Console(), time.monotonic()
    sections = [_measure(part, console) for part in parts]
    bars = [bar for section in sections for bar in section.bars]
    console.print(f"\n[bold]{report.summary(bars)}[/bold] ({time.monotonic() - started:.0f} s)")
    if parts == list(PARTS):
        report.PAGE.write_text(report.page(sections, time.monotonic() - started))


def _measure(part: str, console: Console) -> Section:
    scratch = Path(tempfile.mkdtemp(prefix="sendit-bench-", dir=_memory()))
    try:
        section = PARTS[part](scratch)
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
