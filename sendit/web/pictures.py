"""Frames for the pages: decoded once, kept for a moment while a person moves the window, and written as PNG."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

from django.http import QueryDict

if TYPE_CHECKING:
    from sendit.rendering.frames import Frame

MOST_KEPT_BYTES = 128 << 20
LARGEST_NUMBER = 1e9


@dataclass(frozen=True, slots=True)
class Source:
    """An image: what it is known by here, and how it is opened."""

    key: tuple[object, ...]
    open: Callable[[], Path | BinaryIO]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which frame, through which window; None is the header's own window."""

    frame: int = 1
    center: float | None = None
    width: float | None = None

    @classmethod
    def of(cls, query: QueryDict) -> Wanted:
        """Read a query; what makes no sense is not asked for."""
        frame = _number(query.get("frame", ""))
        return cls(int(frame) if frame else 1, _number(query.get("center", "")), _number(query.get("width", "")))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) <= LARGEST_NUMBER else None


@dataclass(frozen=True, slots=True)
class About:
    """What the script in the browser needs to know of a picture."""

    rows: int
    columns: int
    frames: int
    is_color: bool
    center: float
    width: float
    lowest: float
    highest: float
    presets: tuple[tuple[str, float, float], ...]

    @property
    def span(self) -> float:
        """From the lowest to the highest value: how far a drag over the whole picture moves the window."""
        return max(self.highest - self.lowest, 1.0)


def about(source: Source) -> About:
    """Decode the first frame and return what is known of the picture. Raises DataFault, and what `open` raises."""
    from sendit.rendering.display import default_window, fitting_window

    frames, frame = _frame(source, 1)
    rows, columns = frame.pixels.shape[:2]
    if frame.is_color:
        return About(rows, columns, frames, True, 128, 256, 0, 255, ())
    window, fit = default_window(frame), fitting_window(frame)
    named = [(one.name or f"window {number}", one.center, one.width) for number, one in enumerate(frame.windows, 1)]
    presets = (*named, ("fit", fit.center, fit.width), ("all values", *_whole(frame)))
    return About(rows, columns, frames, False, window.center, window.width, frame.lowest, frame.highest, presets)


def _whole(frame: Frame) -> tuple[float, float]:
    return (frame.lowest + frame.highest) / 2, max(frame.highest - frame.lowest, 1.0)


def png(source: Source, wanted: Wanted) -> bytes:
    """Render one frame. Raises DataFault, and what `open` raises."""
    from sendit.rendering.display import shown
    from sendit.rendering.frames import Window
    from sendit.rendering.png import png as write

    _, frame = _frame(source, wanted.frame)
    window = None
    if wanted.center is not None and wanted.width is not None:
        window = Window(wanted.center, max(wanted.width, 1.0))
    return write(shown(frame, window))


# ------------------------------------------------------------------------------------------ kept for a moment

_kept: OrderedDict[tuple[object, ...], tuple[int, Frame]] = OrderedDict()
_lock = Lock()


def _frame(source: Source, number: int) -> tuple[int, Frame]:
    """Return how many frames there are, and one of them."""
    from sendit.rendering.frames import Picture

    key = (*source.key, number)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    picture = Picture(source.open())
    found = picture.frames, picture.frame(number)
    with _lock:
        _kept[key] = found
        while sum(frame.pixels.nbytes for _, frame in _kept.values()) > MOST_KEPT_BYTES:
            _kept.popitem(last=False)
    return found


def forget() -> None:
    """Keep no frame any longer."""
    with _lock:
        _kept.clear()
