"""How much memory a worker takes at its peak, whatever the size of a study or of a file."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import commands, studies
from bench.measure import QUICK, Bar, Section, Size
from bench.studies import Study

LIMIT_MB = 200
MANY = 20_000
"""Images of a study as large as they come: perfusion, spectroscopy, functional series in single slices."""


def run(scratch: Path, size: Size) -> Section:
    """Each study through the job by itself; the fattest process of the whole tree is what counts."""
    section = Section("Peak memory of a worker", header=("study", "MB", "process MB", "deliver MB"))
    for make in _makers(size):
        study = make(scratch / "data")
        peaks = [
            commands.sendit(*arguments, var=scratch / "var", data=scratch / "data").peak_mb
            for arguments in (("start_queue", "--number", "all"), ("upload_finished",))
        ]
        section.rows.append((study.name, f"{study.size_bytes / 1e6:,.0f}", *(f"{peak:.0f}" for peak in peaks)))
        section.bars.append(Bar(f"{study.name}: peak resident memory", max(peaks), LIMIT_MB, "MB", at_most=True))
        shutil.rmtree(scratch / "data")
        shutil.rmtree(scratch / "var")
    return section


def _makers(size: Size) -> Iterator[Callable[[Path], Study]]:
    yield lambda data: studies.multiframe(data / "MF1", size.frames)
    if size is not QUICK:
        yield lambda data: studies.ct(data / "CT1", size.ct_images)
        yield lambda data: studies.mr(data / "MR1", size.mr_images)
        yield lambda data: studies.cr(data / "CR1", size.cr_images)
        yield lambda data: studies.many(data / "MR2", MANY)
