"""The items of a sequence, visited in one pass, to any sane depth. What is done with them is the visitor's."""

from __future__ import annotations

from typing import Protocol

from sendit.deid.elements import (
    DEPTH_LIMIT,
    IMPLICIT_LE,
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
    effective_vr,
    element_end,
    value_span,
)
from sendit.errors import DataFault


class Visitor(Protocol):
    """Is told of items, sequences and other elements in the order in which they stand."""

    def enter_item(self) -> None: ...

    def leave_item(self) -> None: ...

    def enter_sequence(self) -> None: ...

    def leave_sequence(self, tag: int) -> None: ...

    def element(self, tag: int, vr: str, raw: bytes, encoding: Encoding) -> None: ...


def visit_sequence(buf: bytes, begin: int, after: int, encoding: Encoding, visitor: Visitor) -> None:
    """Visit the items of a sequence whose encoded value is `buf[begin:after]`, its length standing before it.

    Raises
    ------
    DataFault
        BadSequence, TooDeep, Truncated or BadElement.
    """
    delimited = buf[begin - 4 : begin] == b"\xff\xff\xff\xff"
    if _visit_items(buf, begin, after, encoding, visitor, 1, delimited=delimited) != after:
        raise DataFault("BadSequence")


def _visit_items(
    buf: bytes, pos: int, end: int, encoding: Encoding, visitor: Visitor, depth: int, *, delimited: bool
) -> int:
    if depth > DEPTH_LIMIT:
        raise DataFault("TooDeep")
    while delimited or pos < end:
        tag, _, begin, size = value_span(buf, pos, end, encoding)
        if tag == SEQUENCE_END and delimited:
            return begin
        if tag != ITEM:
            raise DataFault("BadSequence")
        visitor.enter_item()
        stop = end if size == UNDEFINED else begin + size
        pos = _visit_elements(buf, begin, stop, encoding, visitor, depth, delimited=size == UNDEFINED)
        visitor.leave_item()
    return pos


def _visit_elements(
    buf: bytes, pos: int, end: int, encoding: Encoding, visitor: Visitor, depth: int, *, delimited: bool
) -> int:
    while delimited or pos < end:
        tag, written, begin, size = value_span(buf, pos, end, encoding)
        if tag == ITEM_END and delimited:
            return begin
        if tag >> 16 == 0xFFFE:
            raise DataFault("BadSequence")
        vr = effective_vr(tag, written)
        if vr == "SQ":
            visitor.enter_sequence()
            inner, stop = IMPLICIT_LE if written == "UN" else encoding, end if size == UNDEFINED else begin + size
            pos = _visit_items(buf, begin, stop, inner, visitor, depth + 1, delimited=size == UNDEFINED)
            visitor.leave_sequence(tag)
        else:
            pos = begin + size if size != UNDEFINED else element_end(buf, pos, end, encoding, depth)
            visitor.element(tag, vr, buf[begin:pos], encoding)
    return pos
