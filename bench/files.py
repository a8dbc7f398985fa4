"""De-identify file to file: sendit's core beside the copy and beside other tools, each on one core, on tmpfs."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from unittest.mock import patch

from bench import contenders, studies
from bench.measure import Bar, Rate, Section, Size, one_core, rates
from bench.studies import Study
from sendit.deid.verify import Verifier

BOUNDS = {"copy (shutil.copyfile)": 0.65, "dcmanon": 3.5, "pydicom read+write": 8.0, "deid get+replace": 90.0}
"""What sendit's rate is divided by, and the bound on the quotient."""
PROOF_SHARE = 15
"""Per cent of the time to de-identify that its proof, the residual scan, may take."""


def run(scratch: Path, size: Size) -> Section:
    """The design's two studies carry the bars; the others are shown beside them."""
    contenders.quiet()
    barred = [studies.ct(scratch / "CT1", size.ct_images), studies.mr(scratch / "MR1", size.mr_images)]
    given = list(studies.given()) if size.others else []
    others = [studies.cr(scratch / "CR1", size.cr_images), *given] if size.others else []
    with one_core():
        found = {
            study.name: rates(contenders.FILE_TO_FILE, study, scratch, size.rounds) for study in (*barred, *others)
        }
        proofs = {study.name: _proof_share(study, size.rounds, scratch / "out.dcm") for study in barred}
        unwritten = [f"{study.name} {_proof_share(study, size.rounds):.0f} %" for study in barred]
    return Section(
        "De-identify, file to file",
        bars=[*(bar for study in barred for bar in _bars(study, found[study.name])), *map(_proof, proofs.items())],
        header=("MB/s of input", *found),
        rows=[(one.name, *(str(by_name[one.name]) for by_name in found.values())) for one in contenders.FILE_TO_FILE],
        notes=[
            "One core each. The default recipe with its residual scan; the other tools with their own defaults.",
            f"The residual scan's share where nothing is written: {', '.join(unwritten)}.",
            *([] if given or not size.others else [f"No real files were measured: {studies.GIVEN} holds none."]),
        ],
    )


def _bars(study: Study, found: dict[str, Rate]) -> Iterable[Bar]:
    ours = found["sendit"]
    for name, bound in BOUNDS.items():
        theirs = found[name]
        failure = ours.failure or theirs.failure
        ratio = 0.0 if failure else ours.mb_per_second / theirs.mb_per_second
        yield Bar(f"{study.name}: sendit ÷ {name}", ratio, bound, failure=failure)


def _proof(share: tuple[str, float]) -> Bar:
    return Bar(f"{share[0]}: residual scan, of sendit's time", share[1], PROOF_SHARE, "%", at_most=True)


def _proof_share(study: Study, rounds: int, out: Path | None = None) -> float:
    """Per cent of the time to de-identify a study, and to write it `out`, that the residual scan takes."""
    check, best = Verifier.check, (float("inf"), 0.0)
    spent = 0.0

    def timed(*arguments: object) -> object:
        nonlocal spent
        started = perf_counter()
        try:
            return check(*arguments)  # type: ignore[arg-type]
        finally:
            spent += perf_counter() - started

    for _ in range(rounds):
        one, spent = contenders.deidentifier(study.files), 0.0
        gc.collect()
        with patch.object(Verifier, "check", timed):
            started = perf_counter()
            for path in study.files:
                image = one.deidentify(path, contenders.PASSED)
                image.write(out) if out else image.close()
            best = min(best, (perf_counter() - started, spent))
    return 100 * best[1] / best[0]
