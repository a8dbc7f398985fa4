"""The frames of one image as they are looked at: means of several frames, and frames that differ from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from sendit.deid.burned_in.picture import Picture
from sendit.deid.burned_in.record import Box
from sendit.deid.burned_in.rendering import Brightness, Pixels, filled, halved, renditions
from sendit.deid.burned_in.text_detector import TextDetector

FRAMES_TOGETHER = 16
"""Text stands still while noise changes: their mean shows it more clearly than each frame does."""
BYTES_TOGETHER = 64 * 1024 * 1024
DARK, BRIGHT = 64, 56
"""Of 255: what is darker than the one in the mean, and brighter by the other in a frame, may be text of that frame."""
DIFFERENT_PIXELS = 12
HALVED_ABOVE = 1024
"""Pictures whose shorter side is longer are looked at in half their size."""
OUTSIDE = 0.25
"""The part of a find that may stand out of what is blanked already, and its least thickness in pixels to count."""
THICKNESS = 5
NEARLY = 0.8


class Examination:
    """Looks at frames one after the other, and says where text is.

    Parameters
    ----------
    picture : Picture
    detector : TextDetector
    masks : sequence of Box
        What is blanked, and so is not looked at.
    reads : bool
        Whether it is tried to read what is found.
    """

    def __init__(self, picture: Picture, detector: TextDetector, masks: Sequence[Box], *, reads: bool) -> None:
        self._picture, self._detector, self._masks, self._reads = picture, detector, tuple(masks), reads
        self._held: list[Pixels] = []
        self._found: list[Box] = []
        self._looked = 0
        self.is_legible = False
        """Whether letters or digits can be read in something that was found."""

    def add(self, frame: Pixels) -> bool:
        """Hold one more frame; return whether it is time to look at what is held."""
        self._held.append(frame)
        return len(self._held) >= FRAMES_TOGETHER or len(self._held) * frame.nbytes >= BYTES_TOGETHER

    def boxes(self) -> list[Box]:
        """End; return what was found, as far as it is not blanked already."""
        self.look()
        return merged(self._found)

    def look(self) -> None:
        """Look at the frames that are held."""
        if not self._held:
            return
        held, self._held = self._held, []
        mean: Pixels = held[0] if len(held) == 1 else np.asarray(np.mean(held, axis=0, dtype=np.float32))
        self._detect(mean, thorough=not self._looked)
        self._looked += 1
        for frame in self._different(held, mean):
            self._detect(frame, thorough=True)

    def _different(self, frames: Sequence[Pixels], mean: Pixels) -> Iterable[Pixels]:
        """The frames that show something where their mean is dark; of those that show the same, the first."""
        if len(frames) == 1:
            return
        brightness = Brightness(mean, self._picture)
        dark = brightness.of(mean)
        unknown = dark < DARK
        for frame in frames:
            for box in (*self._masks, *self._found):
                unknown[box.top : box.bottom, box.left : box.right] = False
            new = unknown & (brightness.of(frame) > dark + BRIGHT)
            if np.count_nonzero(new) >= DIFFERENT_PIXELS:
                unknown &= ~new
                yield frame

    def _detect(self, frame: Pixels, *, thorough: bool) -> None:
        known = [*self._masks, *self._found]
        seen, factor = filled(frame, known), 1
        if min(seen.shape[:2]) > HALVED_ABOVE:
            seen, factor = halved(seen), 2
        for shown in renditions(seen, self._picture):
            for found in self._detector.boxes(shown, thorough=thorough):
                box = found.times(factor).within(*frame.shape[:2])
                if _stands_out(box, known):
                    self._found.append(box)
                    self.is_legible = self.is_legible or (self._reads and self._detector.is_legible(shown, found))


def _stands_out(box: Box, known: Sequence[Box]) -> bool:
    """Whether a find is more than the edge of what was filled when it was found."""
    part = np.ones((box.bottom - box.top, box.right - box.left), bool)
    for mask in known:
        left, top = max(mask.left - box.left, 0), max(mask.top - box.top, 0)
        part[top : max(mask.bottom - box.top, 0), left : max(mask.right - box.left, 0)] = False
    if not part.any() or part.sum() <= OUTSIDE * box.area:
        return False
    return bool(min(np.ptp(np.nonzero(part), axis=1) + 1) >= THICKNESS)


def merged(boxes: Sequence[Box]) -> list[Box]:
    """Return the rectangles, those as one of which the smaller lies nearly whole within the larger."""
    kept: list[Box] = []
    for box in sorted(set(boxes), key=lambda box: -box.area):
        for index, other in enumerate(kept):
            if box.common(other).area >= NEARLY * box.area:
                kept[index] = box.around(other)
                break
        else:
            kept.append(box)
    return sorted(kept, key=lambda box: (box.top, box.left))
