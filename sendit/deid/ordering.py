"""Elements in ascending order of their tags (PS3.5 7.1), at the root and in every item. Lengths stay as they are."""

from __future__ import annotations

from sendit.deid.elements import (
    DEPTH_LIMIT,
    IMPLICIT_LE,
    ITEM,
    ITEM_END,
    PIXEL_DATA_TAGS,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
    effective_vr,
    element_end,
    value_span,
)
from sendit.errors import DataFault

ITEM_BEGINS = b"\xfe\xff\x00\xe0"
"""What the value of a sequence in Implicit VR Little Endian begins with, and so that of one of VR UN."""


def in_order(buf: bytes, encoding: Encoding) -> bytes:
    """The elements of one dataset in order; DataFault when a tag stands twice."""
    return _dataset(buf, 0, len(buf), encoding, 0, delimited=False)[0]


def items_in_order(
    buf: bytes, pos: int, end: int, encoding: Encoding, depth: int = 0, *, delimited: bool
) -> tuple[bytes, int]:
    """The items from `pos`, the elements of each in order, and where they end; `delimited` in undefined length."""
    if depth > DEPTH_LIMIT:
        raise DataFault("TooDeep")
    out: list[bytes] = []
    while delimited or pos < end:
        tag, _, begin, size = value_span(buf, pos, end, encoding)
        out.append(buf[pos:begin])
        if tag == SEQUENCE_END and delimited:
            return b"".join(out), begin
        if tag != ITEM:
            raise DataFault("BadSequence")
        stop = end if size == UNDEFINED else begin + size
        content, pos = _dataset(buf, begin, stop, encoding, depth, delimited=size == UNDEFINED)
        out.append(content)
    return b"".join(out), pos


def _dataset(buf: bytes, pos: int, end: int, encoding: Encoding, depth: int, *, delimited: bool) -> tuple[bytes, int]:
    elements: dict[int, bytes] = {}
    while delimited or pos < end:
        tag, vr, begin, size = value_span(buf, pos, end, encoding)
        if tag == ITEM_END and delimited:
            return _joined(elements) + buf[pos:begin], begin
        if tag in elements:
            raise DataFault("DuplicateElement", tag=tag)
        if _is_sequence(tag, vr, size, buf[begin : begin + 4]):
            inner, stop = IMPLICIT_LE if vr == "UN" else encoding, end if size == UNDEFINED else begin + size
            items, after = items_in_order(buf, begin, stop, inner, depth + 1, delimited=size == UNDEFINED)
            elements[tag] = buf[pos:begin] + items
        else:
            after = begin + size if size != UNDEFINED else element_end(buf, pos, end, encoding, depth)
            elements[tag] = buf[pos:after]
        pos = after
    return _joined(elements), pos


def _joined(elements: dict[int, bytes]) -> bytes:
    return b"".join(element for _, element in sorted(elements.items()))


def _is_sequence(tag: int, written_vr: str, size: int, begins: bytes) -> bool:
    """Whether the walk would go into it."""
    vr = effective_vr(tag, written_vr)
    if vr == "UN" and tag not in PIXEL_DATA_TAGS:
        return size == UNDEFINED or begins == ITEM_BEGINS
    return vr == "SQ"
