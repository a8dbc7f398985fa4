"""Elements in ascending order of their tags (PS3.5 7.1), at the root and in every item. Lengths stay as they are."""

from __future__ import annotations

from sendit.deid.stream.elements import Element, elements
from sendit.deid.stream.encodings import Encoding
from sendit.deid.stream.heads import heads
from sendit.deid.stream.tags import ITEM, ITEM_END
from sendit.errors import DataFault

MOST_ELEMENTS = 300_000
"""How many elements, items and their ends are put in order: each is held by itself meanwhile."""
_HEADS = heads(enters={"SQ", "UN"})


def in_order(buf: bytes, encoding: Encoding) -> bytes:
    """The elements of one dataset in order; DataFault when a tag stands twice, or there are too many."""
    arrangement = _Arrangement(buf)
    for element in elements(buf, 0, len(buf), _HEADS[encoding]):
        arrangement.add(element)
    return arrangement.joined()


def sequence_in_order(buf: bytes, pos: int, end: int, encoding: Encoding) -> bytes:
    """The sequence at `pos` with the elements of each of its items in order; DataFault when a tag stands twice."""
    arrangement = _Arrangement(buf)
    for element in elements(buf, pos, end, _HEADS[encoding]):
        arrangement.add(element)
        if arrangement.is_at_root:
            break
    return arrangement.joined()


class _Arrangement:
    """The elements of each dataset that is open, by tag, and what has come of each sequence that is open."""

    __slots__ = ("_buf", "_datasets", "_left", "_sequences")

    def __init__(self, buf: bytes) -> None:
        self._buf, self._left = buf, MOST_ELEMENTS
        self._datasets: list[dict[int, bytes]] = [{}]
        self._sequences: list[tuple[int, list[bytes]]] = []

    @property
    def is_at_root(self) -> bool:
        return not self._sequences

    def add(self, element: Element) -> None:
        """Put the next element, or the beginning or end of an item or sequence, where it belongs."""
        tag, vr, _, start, begin, end, _ = element
        self._left -= 1
        if self._left < 0:
            raise DataFault("TooLarge")
        if vr:
            if tag in self._datasets[-1]:
                raise DataFault("DuplicateElement", tag=tag)
            if end >= 0:
                self._datasets[-1][tag] = self._buf[start:end]
            else:
                self._sequences.append((tag, [self._buf[start:begin]]))
        elif tag == ITEM:
            self._sequences[-1][1].append(self._buf[start:begin])
            self._datasets.append({})
        elif tag == ITEM_END:
            self._sequences[-1][1].extend((self.joined(), self._buf[start:end]))
            self._datasets.pop()
        else:
            sequence, parts = self._sequences.pop()
            self._datasets[-1][sequence] = b"".join((*parts, self._buf[start:end]))

    def joined(self) -> bytes:
        """The elements of the innermost dataset, in order."""
        return b"".join(element for _, element in sorted(self._datasets[-1].items()))
