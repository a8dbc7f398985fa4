"""The port behind which text is found: what a site writes that puts a model of its own there."""

from __future__ import annotations

from typing import Protocol

from sendit.deid.burned_in.looking.rendering import Pixels
from sendit.deid.burned_in.record import Box


class TextDetector(Protocol):
    """Finds text. A site may put its own in the place of the one here."""

    @property
    def name(self) -> str:
        """Its name and version, for reports."""
        ...

    def boxes(self, picture: Pixels, *, thorough: bool) -> list[Box]:
        """Return rectangles around all text of a picture.

        Parameters
        ----------
        picture : array of uint8
            Rows × columns × blue, green, red.
        thorough : bool
            Whether to look at every size, or only at the cheapest: for pictures most of which was looked at before.
        """
        ...

    def read(self, picture: Pixels, box: Box) -> tuple[str, float]:
        """Return what stands in a rectangle of a picture, and from 0 to 1 how sure that is."""
        ...

    def is_legible(self, picture: Pixels, box: Box) -> bool:
        """Return whether letters or digits can be read in a rectangle of a picture."""
        ...
