"""How a rate is measured on a noisy machine: contenders take turns, several rounds, and each one's best counts."""

from __future__ import annotations

import gc
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.contenders import Contender
from bench.studies import Study


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: images in a study, frames in the big file, study folders of a kind, rounds, rows; and
    whether JPEG files and the real ones beside the repository are shown too.
    """

    ct_images: int
    mr_images: int
    cr_images: int
    frames: int
    copies: int
    rounds: int
    rows: int
    others: bool


FULL = Size(ct_images=200, mr_images=384, cr_images=40, frames=2048, copies=6, rounds=5, rows=1_000_000, others=True)
QUICK = Size(ct_images=2, mr_images=2, cr_images=2, frames=4, copies=1, rounds=1, rows=1_000, others=False)
"""Says only that the bench works; its figures say nothing."""


@dataclass(slots=True)
class Rate:
    """The best throughput of a contender, in MB of input a second; or what it raised."""

    mb_per_second: float = 0.0
    failure: str = ""

    def keep(self, mb_per_second: float) -> None:
        """Another round; the best one counts."""
        self.mb_per_second = max(self.mb_per_second, mb_per_second)

    def __str__(self) -> str:
        return f"failed: {self.failure}" if self.failure else f"{self.mb_per_second:,.1f}"


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of the design's table: a measured number, and the bound it has to keep."""

    what: str
    measured: float
    bound: float
    unit: str = "×"
    at_most: bool = False
    failure: str = ""

    @property
    def met(self) -> bool:
        if self.failure:
            return False
        return self.measured <= self.bound if self.at_most else self.measured >= self.bound

    def cells(self) -> tuple[str, str, str, str]:
        sign = "≤" if self.at_most else "≥"
        measured = self.failure or f"{self.measured:,.2f} {self.unit}"
        return (self.what, f"{sign} {self.bound:g} {self.unit}", measured, "met" if self.met else "MISSED")


@dataclass(slots=True)
class Section:
    """What one part of the bench found: its bars, and the table of rates behind them."""

    title: str
    bars: list[Bar] = field(default_factory=list)
    header: tuple[str, ...] = ()
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def rates(contenders: Sequence[Contender], study: Study, scratch: Path, rounds: int) -> dict[str, Rate]:
    """Every contender's best rate over the rounds; in each round all of them take one turn."""
    found = {contender.name: Rate() for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            rate = found[contender.name]
            if not rate.failure:
                _turn(contender, study, scratch / "out", rate)
    return found


def _turn(contender: Contender, study: Study, out: Path, rate: Rate) -> None:
    files = study.files[: contender.sample]
    size = sum(path.stat().st_size for path in files)
    out.mkdir()
    gc.collect()
    try:
        started = time.perf_counter()
        contender.run(files, out)
        rate.keep(size / (time.perf_counter() - started) / 1e6)
    except Exception as error:
        if not contender.is_foreign:
            raise
        rate.failure = type(error).__name__
    finally:
        shutil.rmtree(out)


@contextmanager
def one_core() -> Iterator[None]:
    """Everybody on the same single core, also those with threads of their own."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
