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
    barred = [studies.ct(scratch / "CT1", size.ct_images), studies.mr(scratch / "MR1", size.mr_images)]
    others = [studies.cr(scratch / "CR1", size.cr_images), *studies.given()] if size.others else []
    with one_core():
        found = {
            study.name: rates(contenders.FILE_TO_FILE, study, scratch, size.rounds) for study in (*barred, *others)
        }
    return Section(
        "De-identify, file to file",
        bars=[bar for study in barred for bar in _bars(study, found[study.name])],
        header=("MB/s of input", *found),
        rows=[(one.name, *(str(by_name[one.name]) for by_name in found.values())) for one in contenders.FILE_TO_FILE],
        notes=["One core each. The default recipe with its residual scan; the other tools with their own defaults."],
    )


def _bars(study: Study, found: dict[str, Rate]) -> Iterable[Bar]:
    ours = found["sendit"]
    for name, bound in BOUNDS.items():
        theirs = found[name]
        failure = ours.failure or theirs.failure
        ratio = 0.0 if failure else ours.mb_per_second / theirs.mb_per_second
        yield Bar(f"{study.name}: sendit ÷ {name}", ratio, bound, failure=failure)
