"""`python -m bench.pixels [--rounds N]`: draw, look, count, and write the table of docs/pixels.md."""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from bench.pixels.backgrounds import BACKGROUNDS
from bench.pixels.drawing import FONTS, LINES, Axes, drawn
from bench.pixels.scores import CAPS, CONTRASTS, Score, plan, recall, score
from sendit.deid.burned_in.looking.text_detection import PaddleTextDetector

PAGE = Path(__file__).parents[2] / "docs" / "pixels.md"
BEGIN, END = "<!-- measured -->\n", "<!-- /measured -->\n"
SETTINGS = {"512": False, "512 and 736 (what sendit does)": True}
"""The sizes that a picture is looked at, and whether that is thorough."""


def measure(rounds: int, detector: PaddleTextDetector, *, thorough: bool) -> tuple[list[Score], float]:
    """Return the scores of all images, and the seconds of processor time that the fastest tenth took for each."""
    scores, seconds = [], []
    for axes in plan(rounds):
        image = drawn(axes)
        picture = np.repeat(image.pixels[..., None], 3, axis=2)
        began = time.process_time()
        boxes = detector.boxes(picture, thorough=thorough)
        seconds.append(time.process_time() - began)
        scores.append(score(image, boxes))
    return scores, float(np.mean(sorted(seconds)[: max(len(seconds) // 10, 1)]))


def empty(detector: PaddleTextDetector, seeds: int) -> dict[str, float]:
    """Return the part of each kind of picture without text that is blanked."""
    found = {}
    for name, draw in BACKGROUNDS.items():
        parts = []
        for seed in range(seeds):
            pixels = np.clip(draw(np.random.default_rng(seed)), 0, 255).astype(np.uint8)
            blank = np.zeros(pixels.shape, bool)
            for box in detector.boxes(np.repeat(pixels[..., None], 3, axis=2), thorough=True):
                inside = box.within(*pixels.shape)
                blank[inside.top : inside.bottom, inside.left : inside.right] = True
            parts.append(blank.mean())
        found[name] = float(np.mean(parts))
    return found


def tables(rounds: int, of: dict[str, tuple[list[Score], float]], blank: dict[str, float]) -> Iterator[str]:
    """Yield the lines of the page."""
    scores, _ = list(of.values())[-1]
    yield (
        f"Measured on {date.today()} by `make bench-pixels`: {len(scores)} drawn images of 512 × 512, {LINES} lines "
        f"each; a line counts where 98 % of its ink is blanked at the first look. Rounds: {rounds}."
    )
    yield from ("", f"| cap height | {' | '.join(f'contrast {one}' for one in CONTRASTS)} |", "| --- " * 5 + "|")
    for cap in CAPS:
        cells = [recall(scores, lambda a, c=cap, k=one: (a.cap, a.contrast) == (c, k)) for one in CONTRASTS]
        yield f"| {cap} pixels | {' | '.join(cells)} |"
    yield from (
        "",
        "With capitals of 10 pixels and more and a contrast of 80 and more:",
        "",
        "| | found |",
        "| --- | --- |",
    )
    for name in BACKGROUNDS:
        yield f"| {name} | {recall(scores, lambda a, n=name: _is_plain(a) and a.background == n)} |"
    for name in FONTS:
        yield f"| letters: {name} | {recall(scores, lambda a, n=name: _is_plain(a) and a.font == n)} |"
    for is_dark, name in ((False, "light on dark"), (True, "dark on light")):
        yield f"| {name} | {recall(scores, lambda a, d=is_dark: _is_plain(a) and a.is_dark is d)} |"
    for is_turned, name in ((False, "upright"), (True, "turned by 90°")):
        yield f"| {name} | {recall(scores, lambda a, t=is_turned: _is_plain(a) and a.is_turned is t)} |"
    yield from ("", "| looked at | cap ≥ 10, contrast ≥ 80 | all | blanked beside text | time |", "| --- " * 5 + "|")
    for name, (these, seconds) in of.items():
        spare = 100 * float(np.mean([one.spare for one in these]))
        plain, together = recall(these, _is_plain), recall(these, lambda a: True)
        yield f"| {name} | {plain} | {together} | {spare:.1f} % | {seconds:.2f} s |"
    parts = ", ".join(f"{name} {100 * part:.1f} %" for name, part in blank.items())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    yield from ("", f"Blanked in drawn pictures without any text: {parts}. Memory of the process: {memory} MB at most.")


def _is_plain(axes: Axes) -> bool:
    return axes.cap >= 10 and axes.contrast >= 80


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and put the tables into the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.pixels", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="images of each height, contrast and background")
    rounds, detector = parser.parse_args(arguments).rounds, PaddleTextDetector()
    of = {name: measure(rounds, detector, thorough=thorough) for name, thorough in SETTINGS.items()}
    text = "\n".join(tables(rounds, of, empty(detector, rounds))) + "\n"
    print(text)
    page = PAGE.read_text(encoding="utf-8")
    before, behind = page.index(BEGIN) + len(BEGIN), page.index(END)
    PAGE.write_text(page[:before] + text + page[behind:], encoding="utf-8")


if __name__ == "__main__":
    main()
