"""`python -m tests.corpus [--seeds N]`: both corpora with so many seeds, and their scores."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.corpus", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--wording", choices=("developed", "held out"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ |= {"SENDIT_VAR": scratch, "DJANGO_SETTINGS_MODULE": "sendit.settings"}
        return run(range(options.first, options.first + options.seeds), options.wording)


def run(seeds: range, only: str | None) -> int:
    """The number of scores that are not perfect."""
    from tests.corpus.corpus import examined
    from tests.corpus.developed import DEVELOPED
    from tests.corpus.gateway import without_filters
    from tests.corpus.held_out import HELD_OUT

    bad, recipe = 0, without_filters("research")
    for wording in (DEVELOPED, HELD_OUT):
        for seed in seeds if only in (None, wording.name) else ():
            score = examined(wording, recipe, seed).score
            bad += score.share() < 1
            print(f"{wording.name}, seed {seed}\n{score}\n", flush=True)
    return bad


if __name__ == "__main__":
    sys.exit(main())
