"""What was found of the lines that were drawn: counts by any axis, and what was blanked where no text is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from bench.pixels.backgrounds import BACKGROUNDS
from bench.pixels.drawing import FONTS, Axes, Drawn
from sendit.deid.burned_in.record import Box

CAPS, CONTRASTS = (8, 10, 12, 16, 24, 32), (20, 40, 80, 160)
ENOUGH = 0.98
"""The part of a line's ink that has to be blanked for the line to count as found."""


def plan(rounds: int) -> Iterator[Axes]:
    """Yield the axes of images: in each round all heights, contrasts and backgrounds; the other axes take turns."""
    fonts = list(FONTS)
    cells = product(range(rounds), CAPS, CONTRASTS, BACKGROUNDS)
    for number, (seed, cap, contrast, background) in enumerate(cells):
        font = fonts[(number + number // 5) % len(fonts)]
        yield Axes(background, font, cap, contrast, number % 3 == 1, number % 4 == 3, seed)


@dataclass(frozen=True, slots=True)
class Score:
    """One image: how many lines it has, how many were found, and the part that was blanked where no text is."""

    axes: Axes
    lines: int
    found: int
    spare: float


def score(drawn: Drawn, boxes: Iterable[Box]) -> Score:
    """Return the score of an image of which these rectangles are blanked."""
    blank = np.zeros(drawn.pixels.shape, bool)
    for box in (box.within(*drawn.pixels.shape) for box in boxes):
        blank[box.top : box.bottom, box.left : box.right] = True
    found = sum(bool(blank[line.ink].mean() >= ENOUGH) for line in drawn.lines)
    return Score(drawn.axes, len(drawn.lines), found, float((blank & ~drawn.text_area(24)).mean()))


def recall(scores: Sequence[Score], which: Callable[[Axes], bool]) -> str:
    """Return the part of the lines that was found in some of the images, as a table shows it."""
    chosen = [one for one in scores if which(one.axes)]
    lines = sum(one.lines for one in chosen)
    return f"{100 * sum(one.found for one in chosen) / lines:.0f} %" if lines else "–"
