"""What the work on one image may come to: a small hostile file must not cost minutes, or the memory of a machine.

Work is counted and not timed, so an image that is TooLarge is so on every machine, however busy.
"""

from __future__ import annotations

from sendit.errors import DataFault

KEY, ITEM, ELEMENT, VALUE = 50, 4, 2, 20
"""A tag, VR and place that was not met before in the study; an item; an element in one; a value that becomes another
or is judged. All costs are about the microseconds that they take on a slow processor, proof and description included.
"""
HEADER_BYTES = 20
"""Bytes of a header that cost one, whatever is in them."""
TEXT, CHARACTER, IDENTIFIERS = 150, 6, 200
"""A text to be cleaned, and each of its characters; twice as much where so many identifiers are looked for."""
COMPARED = 1
"""A value in which one identifier is looked for closely."""
SEARCHED = 1000
"""Bytes in which one form of an identifier is looked for."""
ALLOWANCE = 3_500_000
FUNCTIONAL_GROUPS, FRAME_BYTES, MOST_FOR_FRAMES = 0x52009230, 3, 6_000_000
"""Functional groups, which have an item for each frame of a series, may cost one more for so many bytes, up to this."""


class Budget:
    """What is left for the image at hand."""

    __slots__ = ("_for_frames", "_left")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Another image."""
        self._left, self._for_frames = ALLOWANCE, MOST_FOR_FRAMES

    def spend(self, cost: int) -> None:
        """Raise TooLarge where more is spent than there is."""
        self._left -= cost
        if self._left < 0:
            raise DataFault("TooLarge")

    def enter(self, tag: int, depth: int, size: int) -> None:
        """A sequence of so many bytes is about to be read; functional groups bring their own budget."""
        if tag != FUNCTIONAL_GROUPS or depth:
            return
        more = min(size // FRAME_BYTES, self._for_frames)
        self._for_frames -= more
        self._left += more


def text_cost(size: int, parts: int, identifiers: int) -> int:
    """What it costs to clean texts of so many characters in all."""
    return (TEXT * parts + CHARACTER * size) * (IDENTIFIERS + identifiers) // IDENTIFIERS
