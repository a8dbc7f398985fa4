"""What the bench prints, and what it keeps in docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.measure import Bar, Section

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BARS = ("bar", "bound", "measured", "")
PACKAGES = ("sendit", "pydicom", "isal", "duckdb", "deid", "dcmanon", "dicognito", "dicom-anonymizer")


INTRODUCTION = """\
Written by `make bench`. Ratios within one run are what counts: contenders take turns on the same files in the same
minutes, several rounds, and each one's best round is taken. `bench/studies.py` makes the studies: real headers from
pydicom's wheel under pixels of clinical size, on a memory file system.
"""


def show(section: Section, console: Console) -> None:
    """One part's rates and bars, on the terminal."""
    console.print(f"\n[bold]{section.title}[/bold]")
    if section.rows:
        console.print(_rich(section.header, section.rows))
    if section.bars:
        console.print(_rich(BARS, [bar.cells() for bar in section.bars]))
    for note in section.notes:
        console.print(f"[dim]{note}[/dim]")


def page(sections: Sequence[Section], seconds: float, load: float) -> str:
    """docs/benchmarks.md."""
    bars = [bar for section in sections for bar in section.bars]
    parts = [
        "# Benchmarks\n",
        INTRODUCTION,
        f"{sum(bar.met for bar in bars)} of {len(bars)} bars met; {seconds:.0f} s; {_machine()}. {_load(load)}\n",
        f"{', '.join(f'{name} {version(name)}' for name in PACKAGES)}.\n",
    ]
    for section in sections:
        parts.append(f"## {section.title}\n")
        if section.bars:
            parts.append(_markdown(BARS, [bar.cells() for bar in section.bars]))
        if section.rows:
            parts.append(_markdown(section.header, section.rows))
        parts.extend(f"{note}\n" for note in section.notes)
    return "\n".join(parts)


def _load(load: float) -> str:
    """A bench on a machine that does other things says so."""
    busy = "its figures are lower than they would be alone, above all those of whole batches and two workers"
    return f"Load before the start: {load:.1f}" + (f"; {busy}." if load > 0.5 else ".")


def _machine() -> str:
    model = next(
        (line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine()
    )
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{date.today()}, {os.cpu_count()} cores of {model}, {platform.system()}, Python {python}"


def _cpuinfo() -> Iterable[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else ()


def _rich(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(*header)
    for row in rows:
        colour = "red" if row[-1] == "MISSED" else None
        table.add_row(*row, style=colour)
    return table


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def summary(bars: Sequence[Bar]) -> str:
    """The last line."""
    missed = [bar for bar in bars if not bar.met]
    return f"{len(bars) - len(missed)} of {len(bars)} bars met" + "".join(f"\n  MISSED {bar.what}" for bar in missed)
