"""`make fuzz`: 100,000 mutated files, 20,000 files of illegal values and 20,000 mutated recipes, seeded.

    python -m tests.fuzz [--files 100000] [--values 20000] [--recipes 20000] [--first 0] [--processes 2]

A failure is named by its number: `python -m tests.fuzz --files 1 --values 0 --recipes 0 --first NUMBER` repeats it.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz.campaign import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--values", type=int, default=20_000)
    parser.add_argument("--recipes", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    began = time.perf_counter()
    report = run(options.files, options.recipes, options.first, options.processes, options.values)
    print("\n".join(report.lines(time.perf_counter() - began)))
    return bool(report.failures)


if __name__ == "__main__":
    sys.exit(main())
