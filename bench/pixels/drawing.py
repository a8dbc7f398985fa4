"""Lines of text drawn into pictures, and where their ink is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bench.pixels.backgrounds import BACKGROUNDS, Picture

WORDS = (
    "MUELLER^ANNA", "MRN 04711823", "DOB 12.03.1956", "ACC: 9004512", "Dr. Haddad", "2024-03-17 14:22",
    "St. Mary Hospital", "F 067Y  R", "Nguyen, Thi Lan", "ID:A-338172", "Jansen P.", "14/02/1971",
)  # fmt: skip
LINES = 8
INK = 0.3
"""The part of a pixel that belongs to a letter, from which on it is ink."""
Mask = NDArray[np.float32]
Font = Callable[[str, int], Mask]
"""The ink of a text whose capitals are so many pixels high."""


@dataclass(frozen=True, slots=True)
class Axes:
    """What an image is drawn with: one value of each axis."""

    background: str
    font: str
    cap: int
    contrast: int
    is_dark: bool = False
    """Whether letters are darker than what is behind them."""
    is_turned: bool = False
    """Whether lines run from the bottom to the top."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """The ink of one line: true where it is, in a picture of the whole image's size."""

    text: str
    ink: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Drawn:
    """An image, its lines, and where text is with a margin."""

    axes: Axes
    pixels: NDArray[np.uint8]
    lines: tuple[Line, ...]

    def text_area(self, margin: int = 8) -> NDArray[np.bool_]:
        """Where lines are, each as a rectangle with a margin."""
        area = np.zeros(self.pixels.shape[:2], bool)
        for line in self.lines:
            rows, columns = np.nonzero(line.ink)
            top, left = max(rows.min() - margin, 0), max(columns.min() - margin, 0)
            area[top : rows.max() + 1 + margin, left : columns.max() + 1 + margin] = True
        return area


def _outline(name: str) -> Font:
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name

    def ink(text: str, cap: int) -> Mask:
        size = next(s for s in range(4, 200) if _cap(ImageFont.truetype(str(path), s)) >= cap)
        return _drawn(text, ImageFont.truetype(str(path), size))

    return ink


def _cap(font: Any) -> int:
    _, top, _, bottom = font.getbbox("H")
    return int(bottom - top)


def _drawn(text: str, font: Any) -> Mask:
    _, _, right, bottom = font.getbbox(text)
    image = Image.new("L", (int(right) + 4, int(bottom) + 6), 0)
    ImageDraw.Draw(image).text((1, 1), text, font=font, fill=255)
    return _tight(np.asarray(image, np.float32) / 255)


def _strokes(text: str, cap: int) -> Mask:
    """Letters of single strokes, as ultrasound units draw them."""
    scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, cap, 1)
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    picture = np.zeros((height + below + 6, width + 6), np.uint8)
    thickness = max(1, round(cap / 12))
    cv2.putText(picture, text, (2, height + 2), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thickness, cv2.LINE_8)
    return _tight(picture.astype(np.float32) / 255)


def _dots(text: str, cap: int) -> Mask:
    """Letters of a terminal, 11 pixels to a line and 7 to a capital, each dot enlarged to fit."""
    small = _drawn(text, ImageFont.load_default_imagefont())
    factor = cap / 7
    size = (max(round(small.shape[1] * factor), 1), max(round(small.shape[0] * factor), 1))
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_NEAREST), np.float32)


def _tight(ink: Mask) -> Mask:
    rows, columns = np.nonzero(ink > INK)
    return ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


FONTS: dict[str, Font] = {
    "sans": _outline("DejaVuSans.ttf"),
    "bold": _outline("DejaVuSans-Bold.ttf"),
    "mono": _outline("DejaVuSansMono.ttf"),
    "strokes": _strokes,
    "dots": _dots,
}


def drawn(axes: Axes) -> Drawn:
    """Return the image that has these axes; the same each time."""
    numbers = [axes.seed, axes.cap, axes.contrast, axes.is_dark, axes.is_turned]
    rng = np.random.default_rng([*numbers, list(BACKGROUNDS).index(axes.background), list(FONTS).index(axes.font)])
    picture = np.clip(BACKGROUNDS[axes.background](rng), 0, 255).astype(np.float32)
    if axes.is_turned:
        picture = np.rot90(picture, 1).copy()
    lines = list(_lines(picture, axes, rng))
    if axes.is_turned:
        picture = np.rot90(picture, 3)
        lines = [Line(line.text, np.rot90(line.ink, 3)) for line in lines]
    return Drawn(axes, np.ascontiguousarray(np.clip(picture, 0, 255).astype(np.uint8)), tuple(lines))


def _lines(picture: Picture, axes: Axes, rng: np.random.Generator) -> Iterator[Line]:
    """Draw lines into a picture, one below the other, at places by chance."""
    rows, columns = picture.shape
    room = rows // LINES
    for number in range(LINES):
        text = WORDS[(axes.seed * LINES + number) % len(WORDS)]
        ink = FONTS[axes.font](text, axes.cap)[:, : columns - 8]
        top = number * room + int(rng.integers(4, max(room - ink.shape[0] - 2, 5)))
        left = int(rng.integers(4, max(columns - ink.shape[1] - 4, 5)))
        part = picture[top : top + ink.shape[0], left : left + ink.shape[1]]
        ink = ink[: part.shape[0], : part.shape[1]]
        part[:] = part * (1 - ink) + _value(part, axes) * ink
        where = np.zeros((rows, columns), bool)
        where[top : top + ink.shape[0], left : left + ink.shape[1]] = ink > INK
        yield Line(text, where)


def _value(behind: Picture, axes: Axes) -> float:
    """The letters' value: so far from what is behind them, on the side that was asked for if there is room."""
    level, sign = float(behind.mean()), -1 if axes.is_dark else 1
    wanted = level + sign * axes.contrast
    return wanted if 0 <= wanted <= 255 else level - sign * axes.contrast
