"""Decoded frames as pictures that a detector can look at: 8 bits, windowed, white on black as a viewer shows them.

This module and those that import it run in the detector's process; no worker imports them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sendit.deid.burned_in.picture import Picture
from sendit.deid.burned_in.record import Box

Pixels = NDArray[Any]
PERCENTILES = (0.5, 99.5)
ALIKE = 0.1
"""Windows that differ by less than this part of their width show the same."""


def renditions(frame: Pixels, picture: Picture) -> Iterator[Pixels]:
    """Yield a frame as 8-bit pictures of three samples; of more than 8 bits in more than one window.

    Parameters
    ----------
    frame : array
        Rows × columns × samples, of any number type.
    picture : Picture
    """
    if picture.samples == 3:
        yield _color(frame, picture)
    elif picture.photometric == "PALETTE COLOR":
        yield _mapped(frame[..., 0], picture)
    else:
        gray = frame[..., 0].astype(np.float32)
        for low, high in _windows(gray, picture):
            shown = np.clip((gray - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
            yield np.repeat((255 - shown if picture.is_inverted else shown)[..., None], 3, axis=2)


def _windows(gray: Pixels, picture: Picture) -> list[tuple[float, float]]:
    if picture.bits_stored <= 8:
        return [(0, 255 if picture.bits_stored == 8 else (1 << picture.bits_stored) - 1)]
    low, high = (float(value) for value in np.percentile(gray, PERCENTILES))
    found = [(low, max(high, low + 1))]
    if picture.window is not None:
        own = picture.window[0], max(picture.window[1], picture.window[0] + 1)
        width = found[0][1] - found[0][0]
        if any(abs(a - b) > ALIKE * width for a, b in zip(own, found[0], strict=True)):
            found.append(own)
    return found


def _color(frame: Pixels, picture: Picture) -> Pixels:
    """Blue, green, red."""
    scale = 255 / ((1 << picture.bits_stored) - 1)
    samples = frame.astype(np.float32) * scale
    if picture.photometric.startswith("YBR_FULL"):
        y, cb, cr = samples[..., 0], samples[..., 1] - 128, samples[..., 2] - 128
        samples = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=-1)
    return np.ascontiguousarray(np.clip(samples, 0, 255).astype(np.uint8)[..., ::-1])


def _mapped(frame: Pixels, picture: Picture) -> Pixels:
    palette = np.asarray(picture.palette or [(v, v, v) for v in range(256)], np.uint8)
    index = np.clip(frame.astype(np.int64) - picture.first_mapped, 0, len(palette) - 1)
    return np.ascontiguousarray(palette[index][..., ::-1])


def halved(frame: Pixels) -> Pixels:
    """Return a frame of half the rows and columns, each pixel the mean of four."""
    rows, columns = frame.shape[0] // 2 * 2, frame.shape[1] // 2 * 2
    four = [frame[y:rows:2, x:columns:2] for y in (0, 1) for x in (0, 1)]
    return np.asarray(sum(part.astype(np.float32) for part in four) / 4)


class Brightness:
    """How bright the pixels of a cine loop's frames are, from 0 to 255, in the window of their mean."""

    def __init__(self, mean: Pixels, picture: Picture) -> None:
        self._picture = picture
        self._low, self._high = (0.0, 255.0) if picture.samples > 1 else _windows(mean[..., 0], picture)[0]

    def of(self, frame: Pixels) -> Pixels:
        """The brightness of a frame."""
        picture = self._picture
        if picture.photometric == "PALETTE COLOR":
            return np.asarray(_mapped(frame[..., 0], picture).max(axis=2), np.float32)
        if picture.samples > 1:
            brightest = frame[..., 0] if picture.photometric.startswith("YBR_FULL") else frame.max(axis=2)
            return np.asarray(brightest, np.float32) * np.float32(255 / ((1 << picture.bits_stored) - 1))
        shown = (frame[..., 0].astype(np.float32) - self._low) * np.float32(255 / (self._high - self._low))
        return np.asarray(255 - shown if picture.is_inverted else shown)


def filled(frame: Pixels, boxes: Iterable[Box]) -> Pixels:
    """Return a frame in which rectangles look like what is around them, so that their edges are not taken for text."""
    out = frame.copy()
    for box in boxes:
        around = box.grown(4).within(*frame.shape[:2])
        ring = np.ones((around.bottom - around.top, around.right - around.left), bool)
        ring[box.top - around.top : box.bottom - around.top, box.left - around.left : box.right - around.left] = False
        seen = frame[around.top : around.bottom, around.left : around.right][ring]
        out[box.top : box.bottom, box.left : box.right] = np.median(seen, axis=0) if len(seen) else 0
    return out
