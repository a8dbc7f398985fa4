"""A file's header as it is asked about before it is de-identified: values by keyword, decoded when wanted."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

from pydicom.datadict import tag_for_keyword

from sendit.deid import values
from sendit.deid.elements import (
    DEPTH_LIMIT,
    HEADER_LIMIT,
    IMPLICIT_LE,
    ITEM,
    ITEM_END,
    PIXEL_DATA_TAGS,
    SEQUENCE_END,
    UNDEFINED,
    WINDOW,
    Encoding,
    elements_of,
    item_end,
    open_part_ten,
    value_span,
)
from sendit.deid.values import DEFAULT_CHARSET, Charset
from sendit.errors import DataFault


def known_tag(name: int | str) -> int:
    """The tag of a keyword, or the tag itself; -1 for a keyword that PS3.6 does not know."""
    if isinstance(name, int):
        return name
    tag = tag_for_keyword(name)
    return -1 if tag is None else tag


Spans = dict[int, tuple[str, str, int, int]]
_ABSENT = ("", "", 0, 0)


class Header:
    """The elements of one dataset up to its pixel data.

    Parameters
    ----------
    spans : dict
        tag → (VR as rules see it, VR as written, begin, end) in `buf`.
    """

    __slots__ = ("_buf", "_encoding", "_encodings", "_spans", "meta", "transfer_syntax")

    def __init__(
        self,
        buf: bytes,
        spans: Spans,
        encoding: Encoding,
        encodings: Charset,
        syntax: str = "",
    ) -> None:
        self._buf, self._spans, self._encoding = buf, spans, encoding
        self.transfer_syntax = syntax
        self.meta: dict[int, bytes] = {}
        declared = spans.get(0x00080005)
        self._encodings = values.charset(buf[declared[2] : declared[3]]) if declared else encodings

    def __contains__(self, name: int | str) -> bool:
        return known_tag(name) in self._spans

    def __iter__(self) -> Iterator[int]:
        return iter(self._spans)

    def vr(self, name: int | str) -> str:
        """The element's VR; "" when it is absent."""
        return self._spans.get(known_tag(name), _ABSENT)[0]

    def raw(self, name: int | str) -> bytes:
        """The encoded value; empty when it is absent."""
        _, _, begin, end = self._spans.get(known_tag(name), _ABSENT)
        return self._buf[begin:end]

    def get(self, name: int | str) -> tuple[str, ...] | None:
        """The element's values as text; None when it is absent; one "…" an item for a sequence that has items."""
        span = self._spans.get(known_tag(name))
        if span is None:
            meta = self.meta.get(known_tag(name))
            return None if meta is None else values.split(meta.decode("latin-1").strip(" \0"), "UI")
        vr, _, begin, end = span
        if vr == "SQ":
            return ("…",) * len(self.items(name))
        found = values.read_values(self._buf[begin:end], vr, self._encoding.order, self._encodings)
        return tuple(value if isinstance(value, str) else str(value) for value in found)

    def encoded(self, tags: Sequence[int]) -> Hashable:
        """Some attributes as they are encoded: headers that are alike in this are alike in what those say."""
        spans, buf, meta = self._spans, self._buf, self.meta
        found = [(s[0], s[1], buf[s[2] : s[3]]) if (s := spans.get(tag)) else meta.get(tag) for tag in tags]
        return self._encoding, self._encodings, tuple(found)

    def text(self, name: int | str) -> str:
        """The element's values joined by backslashes; "" when it is absent."""
        return "\\".join(self.get(name) or ())

    def items(self, name: int | str) -> list[Header]:
        """The items of a sequence; none when it is absent."""
        vr, written, begin, end = self._spans.get(known_tag(name), _ABSENT)
        encoding = IMPLICIT_LE if written == "UN" else self._encoding
        return _items(self._buf, begin, end, encoding, self._encodings, 1) if vr == "SQ" else []

    @property
    def sop_class_uid(self) -> str:
        """(0008,0016), or the File Meta's."""
        return self.text(0x00080016) or self.meta.get(0x00020002, b"").rstrip(b" \0").decode("latin-1")

    @property
    def encodings(self) -> Charset:
        """The dataset's character set, as Python's encodings."""
        return self._encodings


def read_header(source: Path | str | bytes) -> Header:
    """The header of a file, without its pixel data.

    Raises
    ------
    DataFault
        The file is no DICOM, or malformed before its pixel data.
    OSError
        The file cannot be read.
    """
    part_ten = open_part_ten(source)
    try:
        size = WINDOW
        while True:
            buf = part_ten.source.read(part_ten.start, size)
            whole = part_ten.start + len(buf) >= part_ten.source.size
            try:
                spans = _spans(buf, 0, len(buf), part_ten.encoding, 0)
                break
            except DataFault as fault:
                if fault.code != "Truncated" or whole:
                    raise
            if size >= HEADER_LIMIT:
                raise DataFault("TooLarge")
            size = min(size * 4, HEADER_LIMIT)
    finally:
        part_ten.source.close()
    header = Header(buf, spans, part_ten.encoding, DEFAULT_CHARSET, part_ten.syntax.uid)
    header.meta = part_ten.meta
    return header


def _spans(buf: bytes, pos: int, end: int, encoding: Encoding, depth: int) -> Spans:
    """The elements of one dataset up to its pixel data, its end or its item's delimiter."""
    spans: Spans = {}
    for tag, vr, written, begin, after in elements_of(buf, pos, end, encoding, depth, stop=_ENDS):
        spans.setdefault(tag, (vr, written, begin, after))
    return spans


_ENDS = PIXEL_DATA_TAGS | {ITEM_END}


def _items(buf: bytes, pos: int, end: int, encoding: Encoding, encodings: Charset, depth: int) -> list[Header]:
    found: list[Header] = []
    if depth > DEPTH_LIMIT:
        raise DataFault("TooDeep")
    while pos < end:
        tag, _, begin, size = value_span(buf, pos, end, encoding)
        if tag == SEQUENCE_END:
            break
        if tag != ITEM:
            raise DataFault("BadSequence")
        stop = end if size == UNDEFINED else begin + size
        found.append(Header(buf, _spans(buf, begin, stop, encoding, depth), encoding, encodings))
        pos = item_end(buf, begin, end, encoding, depth) if size == UNDEFINED else stop
    return found
