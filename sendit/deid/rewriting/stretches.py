"""Stretches of elements that the images of a study share: rewritten once, then recognized by their bytes.

Two images of a series differ in a dozen elements out of hundreds. What stands between those is compared as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from sendit.deid.rewriting.deeds import COPY, CREATOR, DROP, PRIVATE, SEQUENCE, STRETCH, VALUE, Deed

if TYPE_CHECKING:
    from sendit.deid.rewriting.plan import Level

SHORTEST, ELEMENT_BYTES, STRETCH_BYTES = 2, 8 * 1024, 16 * 1024
FIRST_IMAGES, EVERY = 16, 32
"""The first images of a study teach its stretches; after them every so-manieth, and any in which a stretch failed."""
KEYS = 2048
"""Elements that are remembered; hostile images bring ever new ones."""
VOLATILE = 8
"""An element that changed in more than one of so many images is no part of a stretch."""

Trace = list[tuple[bytes, int]]
"""Key and position of each root element that was walked, in order."""
Blocks = tuple[tuple[int, str | None, bool], ...]
"""Private blocks: the creator's tag, its name (None where there is none), whether an element of the block stays."""


class Creator:
    """A Private Creator's element, passed on only if an element of its block is (`used`)."""

    __slots__ = ("encoded", "name", "tag", "used")

    def __init__(self, tag: int, encoded: bytes, name: str) -> None:
        self.tag, self.encoded, self.name, self.used = tag, encoded, name, False

    @property
    def block_end(self) -> int:
        """The last tag of its block (PS3.5 7.8.1)."""
        return self.tag & 0xFFFF0000 | (self.tag & 0xFF) << 8 | 0xFF

    def anew(self) -> Creator:
        """For another dataset, none of whose elements needs it yet."""
        return Creator(self.tag, self.encoded, self.name)


Creators = dict[int, Creator]
"""A dataset's, by tag."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Whole elements after their rewriting; `blocks` are the private ones among theirs that begin before them."""

    pieces: tuple[bytes | Creator, ...]
    deeds: tuple[Deed, ...]
    blocks: Blocks


Rewrite = Callable[["Level", bytes, list[int], Creators], Rewritten]
"""Given the level, whole elements, their tags, and the creators of the dataset that they stand in."""


class Stretch(Deed):
    """The deed of a stretch's first key: `source` becomes the pieces of `rewritten`; `fallback` where it is not met.

    `encoded` is all of it where there is no Private Creator whose block may go on behind the stretch; `used` are those
    of them that stay in any case; `additions` is how many elements that rules add stand up to its last tag.
    """

    __slots__ = ("additions", "blocks", "deeds", "encoded", "fallback", "last", "pieces", "source", "used")

    def __init__(
        self, source: bytes, first: int, last: int, rewritten: Rewritten, additions: int, fallback: Deed | None
    ) -> None:
        super().__init__(STRETCH, first, "", long=False)
        self.source, self.last, self.additions, self.fallback = source, last, additions, fallback
        self.blocks, self.deeds = rewritten.blocks, rewritten.deeds
        self.loses_places = any(deed.loses_places for deed in rewritten.deeds)
        creators = [piece for piece in rewritten.pieces if isinstance(piece, Creator) and piece.block_end > last]
        pieces = tuple(_joined(rewritten.pieces, last))
        self.used = {creator.tag: creator for creator in creators if creator.used}
        self.pieces = pieces if creators else ()
        self.encoded = b"" if creators else b"".join(pieces)  # type: ignore[arg-type]

    def forget(self, level: Level, key: bytes) -> Deed | None:
        """It was not met: back to the first element's own deed."""
        level.actions[key] = (self.tag, self.fallback)
        if level.memory is not None:
            level.memory.failed = True
        return self.fallback


def _joined(pieces: Iterable[bytes | Creator], last: int) -> Iterator[bytes | Creator]:
    """The same at once, but for the creators that elements behind the tag `last` decide of."""
    held: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            held.append(piece)
        elif piece.used:
            held.append(piece.encoded)
        elif piece.block_end > last:
            if held:
                yield b"".join(held)
            yield piece
            held = []
    if held:
        yield b"".join(held)


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

    def learn(self, level: Level, buf: bytes, trace: Trace, end: int, creators: Creators, rewrite: Rewrite) -> None:
        """Compare with the image before, and make stretches of what is the same."""
        spans = [(key, pos, after) for (key, pos), (_, after) in pairwise([*trace, (b"", end)])]
        judged = [
            (self._is_stable(level.actions[key][1], key, buf[pos:after]), key, pos, after) for key, pos, after in spans
        ]
        for stable, group in groupby(judged, key=lambda one: one[0]):
            if stable:
                _make(level, [(key, pos, after) for _, key, pos, after in group], buf, creators, rewrite)

    def _is_stable(self, deed: Deed | None, key: bytes, element: bytes) -> bool:
        if deed is not None and deed.kind not in (DROP, VALUE, COPY, SEQUENCE, PRIVATE, CREATOR):
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


def _make(level: Level, spans: list[tuple[bytes, int, int]], buf: bytes, creators: Creators, rewrite: Rewrite) -> None:
    """Make stretches of neighbouring elements."""
    while len(spans) >= SHORTEST:
        begin = spans[0][1]
        count = sum(after - begin <= STRETCH_BYTES for _, _, after in spans)
        part, spans = spans[:count], spans[count:]
        source, key = buf[begin : part[-1][2]], part[0][0]
        tags = [level.actions[key][0] for key, _, _ in part]
        rewritten, fallback = rewrite(level, source, tags, creators), level.actions[key][1]
        stretch = Stretch(source, tags[0], tags[-1], rewritten, level.additions_up_to(tags[-1]), fallback)
        level.actions[key] = (tags[0], stretch)
