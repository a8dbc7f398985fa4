"""How much memory a worker takes at its peak, whatever the size of a study or of a file."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench import commands, studies
from bench.measure import Bar, Section, Size

LIMIT_MB = 200


def run(scratch: Path, size: Size) -> Section:
    """Each study through the job by itself; the fattest process of the whole tree is what counts."""
    section = Section("Peak memory of a worker", header=("study", "MB", "process MB", "deliver MB"))
    makers = {
        "CT1": lambda folder: studies.ct(folder, size.ct_images),
        "MR1": lambda folder: studies.mr(folder, size.mr_images),
        "CR1": lambda folder: studies.cr(folder, size.cr_images),
        "MF1": lambda folder: studies.multiframe(folder, size.frames),
    }
    for name, make in makers.items():
        study = make(scratch / "data" / name)
        peaks = [
            commands.sendit(*arguments, var=scratch / "var", data=scratch / "data").peak_mb
            for arguments in (("start_queue", "--number", "all"), ("upload_finished",))
        ]
        section.rows.append((study.name, f"{study.size_bytes / 1e6:,.0f}", *(f"{peak:.0f}" for peak in peaks)))
        section.bars.append(Bar(f"{study.name}: peak resident memory", max(peaks), LIMIT_MB, "MB", at_most=True))
        shutil.rmtree(scratch / "data")
        shutil.rmtree(scratch / "var")
    return section
