"""The frames of one image as they are looked at: the mean of several, and what is brightest in any of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sendit.deid.burned_in.looking.rendering import Brightness, Pixels, filled, halved, renditions
from sendit.deid.burned_in.looking.text_detector import TextDetector
from sendit.deid.burned_in.measurements import SURE, is_measurement
from sendit.deid.burned_in.messages import Aim
from sendit.deid.burned_in.picture import Picture
from sendit.deid.burned_in.record import Box

FRAMES_TOGETHER = 16
"""Text stands still while noise changes: their mean shows it more clearly than each frame does."""
BYTES_TOGETHER = 64 * 1024 * 1024
DARK, BRIGHT = 64, 56
"""Of 255: what is darker than the one in the mean, and brighter by the other in a frame, may be text of that frame."""
DIFFERENT_PIXELS = 12
HALVED_ABOVE = 1024
"""Pictures whose shorter side is longer are looked at in half their size."""
LOOKS = 4
"""How often the proof looks at one picture at most."""
OUTSIDE = 0.25
"""The part of a find that may stand out of what is blanked already, and its least thickness in pixels to count."""
THICKNESS = 5
HARDLY_MORE = 1.15
"""How much larger than two rectangles together the one around them may be that takes their place."""


class Examination:
    """Looks at frames one after the other, and says where text is.

    Parameters
    ----------
    picture : Picture
    detector : TextDetector
    masks : sequence of Box
        What is blanked, and so is not looked at.
    aim : Aim
    keeps : bool
        Whether finds are read, and those that are measurements are told apart.
    """

    def __init__(
        self, picture: Picture, detector: TextDetector, masks: Sequence[Box], aim: Aim, keeps: bool = False
    ) -> None:
        self._picture, self._detector, self._masks, self._aim = picture, detector, tuple(masks), aim
        self._keeps = keeps
        self._held: list[Pixels] = []
        self._found: list[Box] = []
        self._kept: list[tuple[Box, str]] = []
        self._looked = 0

    def add(self, frame: Pixels) -> bool:
        """Hold one more frame; return whether it is time to look at what is held."""
        if self._aim is Aim.COMPARE:
            return False
        self._held.append(frame)
        return len(self._held) >= FRAMES_TOGETHER or len(self._held) * frame.nbytes >= BYTES_TOGETHER

    def kept(self) -> list[tuple[Box, str]]:
        """Return the finds that are measurements, and what they say."""
        return self._kept

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
        if self._differ(held, mean):
            self._detect(self._brightest(held), thorough=self._looked == 1)

    def _differ(self, frames: Sequence[Pixels], mean: Pixels) -> bool:
        """Whether a frame shows something where their mean is dark: text of one frame pales in the mean."""
        if len(frames) == 1:
            return False
        brightness = Brightness(mean, self._picture)
        dark = brightness.of(mean)
        unknown = dark < DARK
        for box in (*self._masks, *self._found):
            unknown[box.top : box.bottom, box.left : box.right] = False
        return any(
            np.count_nonzero(unknown & (brightness.of(frame) > dark + BRIGHT)) >= DIFFERENT_PIXELS for frame in frames
        )

    def _brightest(self, frames: Sequence[Pixels]) -> Pixels:
        """What is brightest of each pixel in any frame."""
        together = np.minimum.reduce(frames) if self._picture.is_inverted else np.maximum.reduce(frames)
        return np.asarray(together)

    def _detect(self, frame: Pixels, *, thorough: bool) -> None:
        """Look at a picture; in the proof again without what was found there, because that hides what is beside it."""
        masks = self._masks
        for _ in range(1 if self._aim is Aim.FIND else LOOKS):
            found = self._boxes(frame, masks, thorough=thorough)
            self._found += found
            if not found:
                break
            masks = (*masks, *found)

    def _boxes(self, frame: Pixels, masks: Sequence[Box], *, thorough: bool) -> list[Box]:
        known, found = [*masks, *self._found], list[Box]()
        seen, factor = filled(frame, masks), 1  # without its text a picture looks like text elsewhere
        if min(seen.shape[:2]) > HALVED_ABOVE:
            seen, factor = halved(seen), 2
        for shown in renditions(seen, self._picture):
            for one in self._detector.boxes(shown, thorough=thorough):
                box = one.times(factor).within(*frame.shape[:2])
                if _stands_out(box, known) and self._counts(shown, one):
                    text = self._measurement(shown, one)
                    if text:
                        self._kept.append((box, text))
                    else:
                        found.append(box)
        return found

    def _measurement(self, shown: Pixels, found: Box) -> str:
        """What a find says, if measurements are told apart and it is one; else nothing."""
        if not self._keeps:
            return ""
        text, confidence = self._detector.read(shown, found)
        return text if confidence >= SURE and is_measurement(text) else ""

    def _counts(self, shown: Pixels, found: Box) -> bool:
        return self._aim is Aim.FIND or self._detector.is_legible(shown, found)


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
    """Return the rectangles, two as one where that covers hardly more than both."""
    kept: list[Box] = []
    for box in sorted(set(boxes), key=lambda box: -box.area):
        one = box
        while other := next((other for other in kept if _are_one(one, other)), None):
            kept.remove(other)
            one = one.around(other)
        kept.append(one)
    return sorted(kept, key=lambda box: (box.top, box.left))


def _are_one(one: Box, other: Box) -> bool:
    common = one.common(other).area
    return common > 0 and one.around(other).area <= HARDLY_MORE * (one.area + other.area - common)
