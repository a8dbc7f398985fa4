"""The one reader of the encoded element stream: each element and each item with its bounds (PS3.5 section 7)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from sendit.deid.stream.encodings import UNDEFINED, Encoding, encoding_inside
from sendit.deid.stream.heads import FLAT, MARK, PASSED, SEQUENCE, STOP, Heads
from sendit.deid.stream.tags import ITEM, ITEM_END, MARKS_GROUP, PIXEL_DATA_TAGS, SEQUENCE_END
from sendit.deid.stream.values import LONG_VRS, VRS
from sendit.errors import DataFault

# The theory
#
# Bounds.   A dataset lies in a range of bytes: the whole buffer, or the value of an item. An element must lie in the
#           range of its dataset, an item in the range of its sequence, and a sequence in the range of the dataset
#           around it. The reader believes nothing outside of that range, so a length that lies is Truncated at the
#           element that tells the lie. A consumer that reads a file window by window takes Truncated to mean that the
#           window may be too short, reads a larger one and starts again.
# Lengths.  A value of undefined length ends at its delimiter, so its end is known only when all of it has been read.
#           The reader therefore yields a sequence that it enters without an end, then its items, then the end. A value
#           that it does not enter it passes over by structure alone (`_value_end`).
# Marks.    Item, Item Delimitation Item and Sequence Delimitation Item have no VR, and a length of 32 bits in every
#           encoding. At each place in a sequence there is an item, or the delimiter if the sequence has an undefined
#           length; anything else is BadSequence. This rule is `item_at` and stands nowhere else.
# UN.       The items in an element of VR UN are Implicit VR Little Endian, whatever the dataset around them is. This
#           rule is `encoding_inside` and stands nowhere else.
# Heads.    The key of an element, which is its head without the length, decides everything but the length: the tag,
#           the VRs, where the length is, and whether the consumer enters the element, stops there or ignores it. All
#           images of a study use the same few hundred keys. A table (`heads`) remembers what each key means to one
#           consumer, so that the loop only reads a head, looks up its key, adds and compares.
# Nesting.  Sequences may contain sequences down to DEPTH_LIMIT. The open ones are in a list, not on Python's stack.
# Costs.    The reader looks at each byte's head once, and once more for a value of undefined length that is first
#           passed over and then read. It copies nothing. Its memory is the list of open sequences and the tables, which
#           are cleared when they are full, so hostile input costs time and memory in proportion to its size.
#
# The rewriting loop (`rewrite`) reads heads itself, because it looks up in the same step what is done to the element.
# It takes items, ends and encodings from here.

DEPTH_LIMIT = 64
ITEM_BEGINS = b"\xfe\xff\x00\xe0"
"""What a sequence in Implicit VR Little Endian that has items begins with, and so the value of an element of VR UN."""

Element = tuple[int, str, str, int, int, int, Encoding]
"""Tag, VR as rules see it, VR as written ("" if implicit), begin, value's begin, end, and the encoding of its dataset.

Where an element is entered its end is NESTED, and its items follow. An ITEM, an ITEM_END and a SEQUENCE_END have no VR;
they are yielded where the delimiter is not written, too, and are empty then.
"""
NESTED = -1

Item = tuple[int, int, bool]
"""Where its elements begin; where they end, or the range ends in which they do; and whether a delimiter ends them."""

_Open = tuple[Heads, int, bool, Heads, int, bool]
"""Of an open sequence: the table, the range's end and whether a delimiter ends it, of the dataset around it; the table
for its items, and again the end and whether there is a delimiter, of itself."""


def elements(buf: bytes, pos: int, end: int, heads: Heads, depth: int = 0) -> Iterator[Element]:
    """The elements of the dataset of that depth in `buf[pos:end]`, and of the sequences that `heads` enters.

    Raises
    ------
    DataFault
        Truncated where an element or item passes the range that it stands in; BadElement, BadSequence or TooDeep.
    """
    opened: list[_Open] = []
    delimited = False
    while True:
        encoding, head, length = heads.encoding, heads.head, heads.length
        while pos < end:
            try:
                key, size = head(buf, pos)
                known = heads[key]
                if known is None:
                    pos += 8 + size
                    if pos <= end:
                        continue
                    pos -= 8 + size
                    known = heads.read(key)
                tag, vr, written, wide, role = known
                begin = pos + 8
                if wide:
                    begin = pos + wide + 4
                    size = length(buf, pos + wide)[0]
            except (struct.error, DataFault) as error:
                raise _unreadable(error, pos, end) from None
            after = begin + size
            if role:  # rare: most elements are yielded as they are, or were passed over above
                if role == PASSED:
                    level = depth + len(opened)
                    pos = after if after <= end else _value_end(buf, begin, end, size, tag, written, encoding, level)
                    continue
                if role == STOP:
                    return
                if role >= MARK:
                    if _ends_item(tag, size, begin, end, delimited, role):
                        yield ITEM_END, "", "", pos, begin, begin, encoding
                        pos = begin
                        break
                elif role == SEQUENCE or size == UNDEFINED or buf.startswith(ITEM_BEGINS, begin):
                    _check_entry(tag, size, begin, end, depth + len(opened))
                    yield tag, vr, written, pos, begin, NESTED, encoding
                    limit = end if size == UNDEFINED else after
                    opened.append((heads, end, delimited, heads.inside(written), limit, size == UNDEFINED))
                    pos = begin
                    break
            if after > end:  # an undefined length is far beyond it, too
                after = _value_end(buf, begin, end, size, tag, written, encoding, depth + len(opened))
            yield tag, vr, written, pos, begin, after, encoding
            pos = after
        else:
            if not opened:
                return
            yield _unwritten_end(pos, encoding, delimited)
        following, pos, heads, end, delimited = _follow(opened, buf, pos)
        yield following


def _follow(opened: list[_Open], buf: bytes, pos: int) -> tuple[Element, int, Heads, int, bool]:
    """What follows at `pos` in the innermost sequence, an item or its end; and the dataset that is read from there."""
    heads, end, delimited, inside, limit, is_delimited = opened[-1]
    item = item_at(buf, pos, limit, inside.encoding, delimited=is_delimited) if is_delimited or pos < limit else None
    if item is not None:
        begin, stop, ends = item
        return (ITEM, "", "", pos, begin, NESTED, inside.encoding), begin, inside, stop, ends
    opened.pop()
    after = pos + 8 if is_delimited else pos
    return (SEQUENCE_END, "", "", pos, after, after, inside.encoding), after, heads, end, delimited


def _unwritten_end(pos: int, encoding: Encoding, delimited: bool) -> Element:
    """The end of an item at the end of its range."""
    if delimited:
        raise DataFault("Truncated")
    return ITEM_END, "", "", pos, pos, pos, encoding


def _unreadable(error: Exception, pos: int, end: int) -> DataFault:
    """What is said of a head that cannot be read: one that passes the range is not read at all."""
    return error if isinstance(error, DataFault) and pos + 8 <= end else DataFault("Truncated")


def _ends_item(tag: int, size: int, begin: int, end: int, delimited: bool, role: int) -> bool:
    """Whether a mark among elements ends their item; DataFault where it may not stand there."""
    if begin <= end and size and tag != ITEM:
        raise DataFault("BadSequence")
    if begin > end or (size != UNDEFINED and begin + size > end):
        raise DataFault("Truncated", tag=tag)
    if tag == ITEM_END and delimited:
        return True
    if role == MARK:
        raise DataFault("BadSequence")
    return False


def _check_entry(tag: int, size: int, begin: int, end: int, depth: int) -> None:
    if begin > end or (size != UNDEFINED and begin + size > end):
        raise DataFault("Truncated", tag=tag)
    if depth >= DEPTH_LIMIT:
        raise DataFault("TooDeep")


# ---------------------------------------------------------------------------------------------- items


_ITEM = {"<": ITEM_BEGINS, ">": ITEM_BEGINS[1::-1] + ITEM_BEGINS[:1:-1]}


def item_at(
    buf: bytes, pos: int, end: int, encoding: Encoding, *, delimited: bool, sequence: int | None = None
) -> Item | None:
    """The item at `pos` of a sequence in the range up to `end`; None at the delimiter, 8 bytes, of a `delimited` one.

    Raises
    ------
    DataFault
        BadSequence, with the tag of the sequence if it is given, where something else stands there; Truncated.
    """
    begin = pos + 8
    if begin <= end and buf.startswith(_ITEM[encoding.order], pos):
        stop = begin + encoding.length(buf, pos + 4)[0]
        if stop <= end:
            return begin, stop, False
        if stop - begin == UNDEFINED:
            return begin, end, True
    tag, *_ = element_at(buf, pos, end, encoding)
    if tag == SEQUENCE_END and delimited:
        return None
    raise DataFault("BadSequence", tag=sequence)


def items(buf: bytes, pos: int, end: int, encoding: Encoding, depth: int) -> Iterator[tuple[int, int]]:
    """The items of a sequence whose value is `buf[pos:end]`, with its delimiter or not: where the elements of each
    begin, and the end of the range that they stand in."""
    if depth > DEPTH_LIMIT:
        raise DataFault("TooDeep")
    while pos < end:
        item = item_at(buf, pos, end, encoding, delimited=True)
        if item is None:
            return
        begin, stop, delimited = item
        yield begin, stop
        pos = item_end(buf, begin, end, encoding, depth) if delimited else stop


# ---------------------------------------------------------------------------------------------- ends


def element_at(buf: bytes, pos: int, end: int, encoding: Encoding) -> tuple[int, str, int, int]:
    """The element or mark at `pos`: its tag, VR as written ("" if implicit), where its value begins, and its length.

    DataFault when the head or a value of defined length passes `end`.
    """
    if pos + 8 > end:
        raise DataFault("Truncated")
    key, size = encoding.head(buf, pos)
    tag, written, begin = encoding.tag(key), "", pos + 8
    if tag >> 16 == MARKS_GROUP:
        size = encoding.length(buf, pos + 4)[0]
        if size and tag != ITEM:
            raise DataFault("BadSequence")
    elif not encoding.implicit:
        written = key[4:6].decode("latin-1")
        if written not in VRS:
            raise DataFault("BadElement", tag=tag)
        if written in LONG_VRS:
            begin = pos + 12
            if begin > len(buf):
                raise DataFault("Truncated")
            size = encoding.length(buf, pos + 8)[0]
    if begin > end or (size != UNDEFINED and begin + size > end):
        raise DataFault("Truncated", tag=tag)
    return tag, written, begin, size


def element_end(buf: bytes, pos: int, end: int, encoding: Encoding, depth: int = 0) -> int:
    """Where the element at `pos` ends, whatever its length; structure only."""
    tag, written, begin, size = element_at(buf, pos, end, encoding)
    after = begin + size
    return after if after <= end else _value_end(buf, begin, end, size, tag, written, encoding, depth)


def _value_end(
    buf: bytes, begin: int, end: int, size: int, tag: int, written_vr: str, encoding: Encoding, depth: int
) -> int:
    """Where a value that is not known to lie in its range ends, its delimiter included."""
    if size != UNDEFINED or begin > end:
        raise DataFault("Truncated", tag=tag)
    if tag in PIXEL_DATA_TAGS or written_vr in ("OB", "OW"):
        return _fragments_end(buf, begin, end, encoding)
    return _sequence_end(buf, begin, end, encoding_inside(written_vr, encoding), depth + 1)


def _sequence_end(buf: bytes, pos: int, end: int, encoding: Encoding, depth: int) -> int:
    if depth > DEPTH_LIMIT:
        raise DataFault("TooDeep")
    while True:
        item = item_at(buf, pos, end, encoding, delimited=True)
        if item is None:
            return pos + 8
        begin, stop, delimited = item
        pos = item_end(buf, begin, end, encoding, depth) if delimited else stop


def item_end(buf: bytes, pos: int, end: int, encoding: Encoding, depth: int) -> int:
    """Where an item of undefined length whose elements begin at `pos` ends, its delimiter included."""
    for element in elements(buf, pos, end, FLAT[encoding], depth):
        pos = element[5]
    return element_at(buf, pos, end, encoding)[2]


def _fragments_end(buf: bytes, pos: int, end: int, encoding: Encoding) -> int:
    """Where the fragments of an encapsulated value that is held in memory end (PS3.5 A.4)."""
    while True:
        item = item_at(buf, pos, end, encoding, delimited=True)
        if item is None:
            return pos + 8
        _, pos, delimited = item
        if delimited:
            raise DataFault("BadSequence")
