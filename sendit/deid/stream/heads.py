"""What the head of an element means to a consumer of the stream, remembered by the head's bytes."""

from __future__ import annotations

from collections.abc import Collection

from sendit.deid.stream.encodings import ENCODINGS, Encoding, encoding_inside
from sendit.deid.stream.tags import ITEM_END, MARKS_GROUP, effective_vr
from sendit.deid.stream.values import LONG_VRS, VRS
from sendit.errors import DataFault

HEADS_REMEMBERED = 16384

Head = tuple[int, str, str, int, int]
"""Tag, VR as rules see it, VR as written; how far behind the tag a length of 32 bits stands, 0 for the head's own; and
the role."""

ORDINARY, PASSED, STOP, SEQUENCE, UNKNOWN, MARK, STRAY = range(7)
"""The roles of a head: it is yielded; it is passed over; it ends the reading; it is entered; it is entered if items are
in it; it is a mark, which is an error outside of its place; it is a mark that is yielded there."""


class Heads(dict[bytes, Head | None]):
    """What a consumer makes of an element's encoded key; None for one in short form that it passes over.

    Parameters
    ----------
    encoding : Encoding
    family : dict
        The consumer's table for each encoding.
    enters : collection of str
        The VRs, as rules see them, of elements whose items are read: SQ, or SQ and UN.
    stops : collection of int
        The tags before which the reading ends.
    stray : int
        The role of a mark outside of its place: MARK, STRAY, or ORDINARY, which takes it for an element in short form.
    wanted : collection of int, optional
        The tags of the elements that are yielded; all, when left out.
    """

    __slots__ = ("_enters", "_family", "_stops", "_stray", "_wanted", "encoding", "head", "left", "length")

    def __init__(
        self,
        encoding: Encoding,
        family: dict[Encoding, Heads],
        enters: Collection[str],
        stops: Collection[int],
        wanted: Collection[int] | None,
        stray: int,
    ) -> None:
        self.encoding, self.head, self.length = encoding, encoding.head, encoding.length
        self._family, self._enters, self._stops, self._wanted, self._stray = family, enters, stops, wanted, stray
        self.left: int | None = None
        """How many keys may still be read before the file is TooLarge; the consumer sets it."""

    def __missing__(self, key: bytes) -> Head | None:
        found = self.read(key)
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise DataFault("TooLarge")
        if len(self) >= HEADS_REMEMBERED:
            self.clear()
        is_short = not found[3]
        self[key] = None if found[4] == PASSED and is_short else found
        return self[key]

    def read(self, key: bytes) -> Head:
        """The head of a key; DataFault BadElement where its VR is none."""
        tag, implicit = self.encoding.tag(key), self.encoding.implicit
        is_mark = tag >> 16 == MARKS_GROUP
        written = "" if implicit or is_mark else key[4:6].decode("latin-1")
        if written and written not in VRS:
            raise DataFault("BadElement", tag=tag)
        vr = effective_vr(tag, written)
        if tag in self._stops:
            return tag, vr, written, 0, STOP
        if is_mark:
            is_short = implicit or self._stray == ORDINARY
            return tag, vr, "", 0 if is_short else 4, self._role(tag, vr) if self._stray == ORDINARY else self._stray
        return tag, vr, written, 8 if written in LONG_VRS else 0, self._role(tag, vr)

    def _role(self, tag: int, vr: str) -> int:
        if self._wanted is not None and tag not in self._wanted:
            return PASSED
        if vr not in self._enters:
            return ORDINARY
        return SEQUENCE if vr == "SQ" else UNKNOWN

    def inside(self, written_vr: str) -> Heads:
        """The table for the items of an element of that VR."""
        return self._family[encoding_inside(written_vr, self.encoding)]


def heads(
    *,
    enters: Collection[str] = (),
    stops: Collection[int] = (),
    wanted: Collection[int] | None = None,
    stray: int = STRAY,
) -> dict[Encoding, Heads]:
    """A consumer's tables, by encoding."""
    family: dict[Encoding, Heads] = {}
    for encoding in ENCODINGS:
        family[encoding] = Heads(encoding, family, enters, stops, wanted, stray)
    return family


FLAT = heads(stops={ITEM_END})
"""For the elements of one dataset, up to its item's delimiter if there is one; no sequence is entered."""
DEEP = heads(enters={"SQ"}, stray=MARK)
"""For all elements, those in sequences too."""
