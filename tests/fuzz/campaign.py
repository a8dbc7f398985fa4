"""Mutants examined by number, in processes with bounded memory; what became of them, and how fast."""

from __future__ import annotations

import multiprocessing
import resource
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz import illegal
from tests.fuzz.mutations import mutated, mutated_text
from tests.fuzz.outcomes import Examiner, TooSlow, corpus, recipe
from tests.fuzz.recipes import texts

ADDRESS_SPACE_BYTES = 1 << 30
PEAK_MEGABYTES = 300
SHARE = 500
"""Mutants that one process takes at a time."""


@dataclass
class Report:
    """What became of some mutants."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0
    peak_megabytes: int = 0

    def add(self, other: Report) -> None:
        self.outcomes += other.outcomes
        self.failures += other.failures
        self.slowest_seconds = max(self.slowest_seconds, other.slowest_seconds)
        self.peak_megabytes = max(self.peak_megabytes, other.peak_megabytes)

    def note(self, target: str, number: int, examine: Callable[[], str]) -> None:
        """One mutant's outcome."""
        began = time.process_time()
        try:
            outcome = examine()
        except (Exception, TooSlow) as error:  # noqa: BLE001 - whatever it is, it may not be
            place = traceback.extract_tb(error.__traceback__)[-1]
            outcome = type(error).__name__
            self.failures.append(f"{target} {number}: {error!r} at {place.filename.rsplit('/', 1)[-1]}:{place.lineno}")
        self.outcomes[target, outcome] += 1
        self.slowest_seconds = max(self.slowest_seconds, time.process_time() - began)

    def lines(self, seconds: float) -> list[str]:
        """What a person reads."""
        total = sum(self.outcomes.values())
        counts = [f"  {target:7} {outcome:22} {count:8}" for (target, outcome), count in sorted(self.outcomes.items())]
        return [
            *counts,
            f"{total} mutants examined in {seconds:.0f} s, {total / seconds:.0f} a second; the slowest took "
            f"{self.slowest_seconds:.2f} s of a processor; peak memory of a process {self.peak_megabytes} MB",
            *(f"WRONG  {failure}" for failure in self.failures[:50]),
            f"{len(self.failures)} outcomes that may not be",
        ]


def fuzz_files(numbers: range) -> Report:
    """Examine the mutated files of these numbers."""
    report, files, examiner = Report(), corpus(), Examiner()
    for number in numbers:
        data = mutated(number, files)
        report.note("header", number, lambda data=data: examiner.header(data))
        report.note("image", number, lambda data=data, number=number: examiner.image(number, data))
    report.peak_megabytes = peak_megabytes()
    return report


def fuzz_values(numbers: range) -> Report:
    """Examine the files of these numbers whose values are not what their attributes hold."""
    report = Report()
    for number in numbers:
        report.note("value", number, lambda number=number: illegal.examine(number))
    report.peak_megabytes = peak_megabytes()
    return report


def fuzz_recipes(numbers: range) -> Report:
    """Examine the mutated recipes of these numbers."""
    report = Report()
    for number in numbers:
        text = mutated_text(number, texts())
        report.note("recipe", number, lambda text=text: recipe(text))
    report.peak_megabytes = peak_megabytes()
    return report


def peak_megabytes() -> int:
    """This process's own peak; `ru_maxrss` would count what its parent held when it started this one."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def bound_memory() -> None:
    """More than this is MemoryError, and so a failure."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))


def run(files: int, recipes: int, first: int = 0, processes: int = 2, values: int = 0) -> Report:
    """Examine so many mutants of each kind."""
    report = Report()
    shares = [range(start, min(start + SHARE, first + files)) for start in range(first, first + files, SHARE)]
    more = [range(start, min(start + SHARE, first + recipes)) for start in range(first, first + recipes, SHARE)]
    illegal_ones = [range(start, min(start + SHARE, first + values)) for start in range(first, first + values, SHARE)]
    with multiprocessing.get_context("spawn").Pool(processes, initializer=bound_memory) as pool:
        for part in pool.imap_unordered(fuzz_files, shares):
            report.add(part)
        for part in pool.imap_unordered(fuzz_recipes, more):
            report.add(part)
        for part in pool.imap_unordered(fuzz_values, illegal_ones):
            report.add(part)
    if report.peak_megabytes > PEAK_MEGABYTES:
        report.failures.append(f"peak memory {report.peak_megabytes} MB")
    return report
