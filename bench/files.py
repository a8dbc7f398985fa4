"""De-identify file to file: sendit's core beside the copy and beside other tools, each on one core, on tmpfs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench import contenders, studies
from bench.measure import Bar, Rate, Section, Size, one_core, rates
from bench.studies import Study

BOUNDS = {"copy (shutil.copyfile)": 0.5, "dcmanon": 4.0, "pydicom read+write": 10.0, "deid get+replace": 80.0}
"""What sendit's rate is divided by, and the bound on the quotient."""


def run(scratch: Path, size: Size) -> Section:
    """The design's two studies carry the bars; the others are shown beside them."""
    contenders.quiet()
    section = Section("De-identify, file to file", header=("MB/s of input", *(c.name for c in contenders.FILE_TO_FILE)))
    barred = [studies.ct(scratch / "CT1", size.ct_images), studies.mr(scratch / "MR1", size.mr_images)]
    shown = [*barred, studies.cr(scratch / "CR1", size.cr_images), *studies.given()]
    for study, found in _measured(shown, scratch, size.rounds):
        section.rows.append((study.name, *(str(rate) for rate in found.values())))
        if study in barred:
            section.bars.extend(_bars(study, found))
    return section


def _measured(all_studies: Iterable[Study], scratch: Path, rounds: int) -> Iterable[tuple[Study, dict[str, Rate]]]:
    with one_core():
        for study in all_studies:
            yield study, rates(contenders.FILE_TO_FILE, study, scratch, rounds)


def _bars(study: Study, found: dict[str, Rate]) -> Iterable[Bar]:
    ours = found["sendit"]
    for name, bound in BOUNDS.items():
        theirs = found[name]
        failure = ours.failure or theirs.failure
        ratio = 0.0 if failure else ours.mb_per_second / theirs.mb_per_second
        yield Bar(f"{study.name}: sendit ÷ {name}", ratio, bound, failure=failure)
