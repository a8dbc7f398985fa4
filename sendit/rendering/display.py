"""Grey levels through a window (PS3.3 C.11.2) to what a screen shows."""

from __future__ import annotations

import numpy as np

from sendit.rendering.frames import Array, Frame, Window

PERCENTILES = (0.5, 99.5)
SAMPLED = 200_000
"""Percentiles are those of so many pixels, evenly spread."""


def shown(frame: Frame, window: Window | None) -> Array:
    """Return the frame in 8 bits, through a window, or its own first one, or one that fits its values."""
    if frame.is_color:
        return frame.pixels
    chosen = window or default_window(frame)
    levels = _by_table(frame, chosen) if frame.pixels.dtype.itemsize <= 2 else _by_number(frame, frame.pixels, chosen)
    return 255 - levels if frame.is_inverted else levels


def default_window(frame: Frame) -> Window:
    """Return the header's first window, or one from the darkest to the brightest pixels, but for a few."""
    return frame.windows[0] if frame.windows else fitting_window(frame)


def fitting_window(frame: Frame) -> Window:
    """Return a window that fits the frame's values."""
    flat = frame.pixels.reshape(-1)
    sample = flat[:: max(1, flat.size // SAMPLED)]
    ends = np.percentile(sample, PERCENTILES) * frame.slope + frame.intercept
    low, high = float(ends.min()), float(ends.max())
    return Window((low + high) / 2, max(high - low, 1.0), "fit")


def _by_table(frame: Frame, window: Window) -> Array:
    """Look each stored value up: one pass over the pixels whatever the arithmetic costs."""
    kind = frame.pixels.dtype
    unsigned = np.dtype(f"u{kind.itemsize}")
    every = np.arange(1 << 8 * kind.itemsize, dtype=np.uint32).astype(unsigned).view(kind)
    return np.take(_by_number(frame, every, window), frame.pixels.view(unsigned))


def _by_number(frame: Frame, pixels: Array, window: Window) -> Array:
    """The linear function of PS3.3 C.11.2.1.2."""
    values = pixels.astype(np.float64) * frame.slope + frame.intercept
    span = max(window.width - 1, 1e-9)
    levels = ((values - (window.center - 0.5)) / span + 0.5) * 255
    return np.clip(levels, 0, 255).astype(np.uint8)
