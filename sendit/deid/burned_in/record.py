"""What is known of an image whose pixels were looked at, for reports and pages; nothing in it identifies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle of an image's pixels; right and bottom are the first column and row that it does not have."""

    left: int
    top: int
    right: int
    bottom: int

    def grown(self, margin: int) -> Box:
        """Return the rectangle with a margin on each side."""
        return Box(self.left - margin, self.top - margin, self.right + margin, self.bottom + margin)

    def times(self, factor: int) -> Box:
        """Return the rectangle in a picture that is larger by a factor."""
        return Box(self.left * factor, self.top * factor, self.right * factor, self.bottom * factor)

    def within(self, rows: int, columns: int) -> Box:
        """Return the part that an image of that size has; it may be empty."""
        left, top = min(max(self.left, 0), columns), min(max(self.top, 0), rows)
        return Box(left, top, max(min(self.right, columns), left), max(min(self.bottom, rows), top))

    def common(self, other: Box) -> Box:
        """Return what two rectangles have in common; its area may be 0."""
        return Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def around(self, other: Box) -> Box:
        """Return the smallest rectangle that holds both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    @property
    def area(self) -> int:
        """Pixels in it."""
        return max(self.right - self.left, 0) * max(self.bottom - self.top, 0)


class Reason(StrEnum):
    """Why a rectangle is blanked."""

    COORDINATES = "coordinates"
    TEXT = "text"
    TEXT_AGAIN = "text, second round"
    DRAWN = "drawn by a person"


@dataclass(frozen=True, slots=True)
class Mask:
    """A rectangle that was blanked in every frame, and why."""

    box: Box
    reason: Reason


@dataclass(frozen=True, slots=True)
class PixelRecord:
    """What was done to the pixels of one image.

    Parameters
    ----------
    rule : str
        The text of the graylist's LABEL.
    masks : tuple of Mask
        What was blanked; empty where nothing was found.
    detector : str
        The detector's name and version; "" where nothing was looked for, because a person drew what is blanked.
    frames : int
    rows, columns : int
    named : tuple of str
        The texts of the labels whose coordinates were blanked, as of a device in the catalogue.
    """

    rule: str
    masks: tuple[Mask, ...]
    detector: str
    frames: int
    rows: int
    columns: int
    named: tuple[str, ...] = ()
