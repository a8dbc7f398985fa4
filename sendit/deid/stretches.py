"""Stretches of elements that the images of a study share: rewritten once, then recognized by their bytes.

Two images of a series differ in a dozen elements out of hundreds. What stands between those is compared as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from sendit.deid.deeds import COPY, DROP, SEQUENCE, STRETCH, VALUE, Deed

if TYPE_CHECKING:
    from sendit.deid.plan import Level

SHORTEST, ELEMENT_BYTES, STRETCH_BYTES = 2, 8 * 1024, 16 * 1024
FIRST_IMAGES, EVERY = 16, 32
"""The first images of a study teach its stretches; after them every so-manieth, and any in which a stretch failed."""
KEYS = 2048
"""Elements that are remembered; hostile images bring ever new ones."""
VOLATILE = 8
"""An element that changed in more than one of so many images is no part of a stretch."""

Trace = list[tuple[bytes, int]]
"""Key and position of each root element that was walked, in order."""
Rewrite = Callable[["Level", bytes, int], tuple[bytes, list[Deed]]]
"""The new bytes of whole elements and what was done, given the level, their bytes and the first tag."""


class Stretch(Deed):
    """The deed of a stretch's first key: `source` bytes become `encoded`; `fallback` where they are not met.

    `additions` is how many elements that rules add stand up to its last tag; `deeds` is what was done in it.
    """

    __slots__ = ("additions", "deeds", "encoded", "fallback", "last", "source")

    def __init__(
        self,
        source: bytes,
        encoded: bytes,
        first: int,
        last: int,
        additions: int,
        fallback: Deed | None,
        deeds: Sequence[Deed],
    ) -> None:
        super().__init__(STRETCH, first, "", long=False)
        self.source, self.encoded, self.last, self.fallback = source, encoded, last, fallback
        self.additions, self.deeds = additions, tuple(deeds)

    def forget(self, level: Level, key: bytes) -> Deed | None:
        """It was not met: back to the first element's own deed."""
        level.actions[key] = (self.tag, self.fallback)
        if level.memory is not None:
            level.memory.failed = True
        return self.fallback


class Memory:
    """What the images so far have shown of the elements at the root."""

    __slots__ = ("_changes", "_elements", "_images", "failed")

    def __init__(self) -> None:
        self._elements: dict[bytes, bytes] = {}
        self._changes: Counter[bytes] = Counter()
        self._images = 0
        self.failed = False

    def wants(self) -> bool:
        """Whether the next image is to be learned from."""
        self._images += 1
        wanted = self.failed or self._images <= FIRST_IMAGES or self._images % EVERY == 0
        self.failed = False
        return wanted

    def learn(self, level: Level, buf: bytes, trace: Trace, end: int, rewrite: Rewrite) -> None:
        """Compare with the image before, and make stretches of what is the same."""
        spans = [(key, pos, after) for (key, pos), (_, after) in pairwise([*trace, (b"", end)])]
        judged = [
            (self._is_stable(level.actions[key][1], key, buf[pos:after]), key, pos, after) for key, pos, after in spans
        ]
        for stable, group in groupby(judged, key=lambda one: one[0]):
            if stable:
                _make(level, [(key, pos, after) for _, key, pos, after in group], buf, rewrite)

    def _is_stable(self, deed: Deed | None, key: bytes, element: bytes) -> bool:
        if deed is not None and deed.kind not in (DROP, VALUE, COPY, SEQUENCE):
            return False
        if len(element) > ELEMENT_BYTES:
            return False
        known = self._elements.get(key)
        if known is not None and known != element:
            self._changes[key] += 1
        if len(self._elements) >= KEYS:
            self._elements.clear()
        self._elements[key] = element
        return known == element and self._changes[key] * VOLATILE <= max(self._images, VOLATILE)


def _make(level: Level, spans: list[tuple[bytes, int, int]], buf: bytes, rewrite: Rewrite) -> None:
    """Make stretches of neighbouring elements."""
    while len(spans) >= SHORTEST:
        begin = spans[0][1]
        count = sum(after - begin <= STRETCH_BYTES for _, _, after in spans)
        part, spans = spans[:count], spans[count:]
        source, key = buf[begin : part[-1][2]], part[0][0]
        (first, fallback), (last, _) = level.actions[key], level.actions[part[-1][0]]
        encoded, deeds = rewrite(level, source, first)
        additions = level.additions_up_to(last)
        level.actions[key] = (first, Stretch(source, encoded, first, last, additions, fallback, deeds))
