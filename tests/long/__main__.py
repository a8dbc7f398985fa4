"""What takes too long for CI: `make scale`, `make soak`, `make faults`. Each says what it measured, and has its bars.

python -m tests.long scale [--images 100000] [--frames 30000]
python -m tests.long soak [--batches 10000]
python -m tests.long faults [--rounds 10]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.long import scale, soak

TESTS = Path(__file__).parents[1]
FAULTS = (TESTS / "fault", TESTS / "integration" / "receiving" / "test_hostile.py")
IN_FULL = (
    "--batches=200",
    "--associations=50000",
    "--kills=100",
    "--pulled=1000",
    "--growing=100",
    "--destination-kills=50",
)
"""What the first round tries so often; the others do with the numbers of CI."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.long", description=__doc__)
    parser.add_argument("what", choices=("scale", "soak", "faults"))
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--frames", type=int, default=30_000)
    parser.add_argument("--batches", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    if options.what == "faults":
        return faults(options.rounds)
    with tempfile.TemporaryDirectory(prefix="sendit-long-", dir=_fast()) as folder:
        if options.what == "scale":
            findings = scale.run(Path(folder), options.images, options.frames)
        else:
            findings = soak.run(Path(folder), options.batches)
        wrong = [says for says, is_well in findings if not is_well]
    print(f"{len(wrong)} above their bars")
    return bool(wrong)


def faults(rounds: int) -> int:
    """The kills, full disks and lost answers again and again: each round meets other moments."""
    for number in range(1, rounds + 1):
        options = IN_FULL if number == 1 else ()
        command = [sys.executable, "-m", "pytest", "-q", *map(str, FAULTS), "-p", "no:cacheprovider", *options]
        ran = subprocess.run(command, check=False)
        print(f"round {number} of {rounds}: exit {ran.returncode}", flush=True)
        if ran.returncode:
            return ran.returncode
    return 0


def _fast() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


if __name__ == "__main__":
    sys.exit(main())
