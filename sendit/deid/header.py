"""A file's header as it is asked about before it is de-identified: values by keyword, decoded when wanted."""

from __future__ import annotations

import struct
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path

from pydicom.datadict import tag_for_keyword

from sendit.deid import values
from sendit.deid.elements import (
    DEPTH_LIMIT,
    ENCODINGS,
    HEADER_LIMIT,
    IMPLICIT_LE,
    ITEM,
    ITEM_END,
    KINDS,
    KINDS_REMEMBERED,
    PIXEL_DATA_TAGS,
    SEQUENCE_END,
    UNDEFINED,
    WINDOW,
    Encoding,
    Kind,
    PartTen,
    element_end,
    item_end,
    long_length,
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


CHARACTER_SET = 0x00080005

Spans = dict[int, tuple[str, str, int, int]]
_ABSENT = ("", "", 0, 0)


class Header:
    """The elements of one dataset up to its pixel data.

    Parameters
    ----------
    spans : dict
        tag → (VR as rules see it, VR as written, begin, end) in `buf`.
    """

    __slots__ = ("_buf", "_encoding", "_encodings", "_meta", "_part_ten", "_spans", "transfer_syntax")

    def __init__(
        self,
        buf: bytes,
        spans: Spans,
        encoding: Encoding,
        encodings: Charset,
        part_ten: PartTen | None = None,
    ) -> None:
        self._buf, self._spans, self._encoding, self._part_ten = buf, spans, encoding, part_ten
        self._meta: dict[int, bytes] | None = None
        self.transfer_syntax = part_ten.syntax.uid if part_ten else ""
        declared = spans.get(CHARACTER_SET)
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
        tag = known_tag(name)
        span = self._spans.get(tag)
        if span is None:
            meta = self._meta_value(tag)
            return None if meta is None else values.split(meta.decode("latin-1").strip(" \0"), "UI")
        vr, _, begin, end = span
        if vr == "SQ":
            return ("…",) * len(self.items(name))
        found = values.read_values(self._buf[begin:end], vr, self._encoding.order, self._encodings)
        return tuple(value if isinstance(value, str) else str(value) for value in found)

    def encoded(self, tags: Sequence[int]) -> Hashable:
        """Some attributes as they are encoded: headers that are alike in this are alike in what those say."""
        spans, buf, meta = self._spans, self._buf, self._meta_value
        found = [(s[0], s[1], buf[s[2] : s[3]]) if (s := spans.get(tag)) else meta(tag) for tag in tags]
        return self._encoding, self._encodings, tuple(found)

    def _meta_value(self, tag: int) -> bytes | None:
        """A value of the File Meta Information."""
        if tag >> 16 != 0x0002 or self._part_ten is None:
            return None
        if self._meta is None:
            self._meta = self._part_ten.meta
        return self._meta.get(tag)

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
        return self.text(0x00080016) or (self._meta_value(0x00020002) or b"").rstrip(b" \0").decode("latin-1")

    @property
    def encodings(self) -> Charset:
        """The dataset's character set, as Python's encodings."""
        return self._encodings


class HeaderReader:
    """Reads headers for who asks for few attributes of many.

    Parameters
    ----------
    wanted : iterable of int, optional
        The tags that are asked for, beside the character set; the headers are as if they had no others. All, when left
        out.
    """

    def __init__(self, wanted: Iterable[int] | None = None) -> None:
        self._wanted = None if wanted is None else frozenset(wanted) | {CHARACTER_SET}
        self._kinds = {encoding: Kinds(encoding, self._wanted) for encoding in ENCODINGS}

    def read(self, source: Path | str | bytes) -> Header:
        """As `read_header`."""
        part_ten = open_part_ten(source)
        try:
            return self.of(part_ten)
        finally:
            part_ten.source.close()

    def of(self, part_ten: PartTen) -> Header:
        """The header of an opened file, which stays open."""
        buf, spans = self._root(part_ten)
        return Header(buf, spans, part_ten.encoding, DEFAULT_CHARSET, part_ten)

    def _root(self, part_ten: PartTen) -> tuple[bytes, Spans]:
        """The spans, in a window that is large enough for them."""
        source, base, buf, size = part_ten.source, 0, part_ten.window, WINDOW
        while True:
            if not buf:
                base, buf = part_ten.start, source.read(part_ten.start, size)
            try:
                return buf, self.spans(buf, part_ten.start - base, len(buf), part_ten.encoding, 0)
            except DataFault as fault:
                if fault.code != "Truncated" or base + len(buf) >= source.size:
                    raise
            if size >= HEADER_LIMIT:
                raise DataFault("TooLarge")
            buf, size = b"", min(size * 4, HEADER_LIMIT)

    def spans(self, buf: bytes, pos: int, end: int, encoding: Encoding, depth: int) -> Spans:
        """The elements of one dataset up to its pixel data, its end or its item's delimiter."""
        spans: Spans = {}
        head, kinds, order, wanted = encoding.head, self._kinds[encoding], encoding.order, self._wanted
        while pos < end:
            try:
                key, size = head(buf, pos)
            except struct.error:
                raise DataFault("Truncated") from None
            kind = kinds[key]
            after = pos + 8 + size
            if kind is None and after <= end:  # in short form, and nobody asks for it: the commonest case
                pos = after
                continue
            tag, vr, written, long = kind or kinds.known[key]
            if tag in _ENDS:
                break
            begin = pos + 8
            if long:
                begin += 4
                size = long_length(buf, pos + 8, order)
            pos = begin + size if size != UNDEFINED else element_end(buf, pos, end, encoding, depth)
            if pos > end:
                raise DataFault("Truncated", tag=tag)
            if kind is not None and tag not in spans and (wanted is None or tag in wanted):
                spans[tag] = vr, written, begin, pos
        return spans


class Kinds(dict[bytes, "Kind | None"]):
    """An element's encoded key in, its kind out; None for one in short form that nobody asks for."""

    def __init__(self, encoding: Encoding, wanted: frozenset[int] | None) -> None:
        self.known, self._wanted = KINDS[encoding], wanted

    def __missing__(self, key: bytes) -> Kind | None:
        kind = self.known[key]
        tag, _, _, long = kind
        asked = self._wanted is None or tag in self._wanted or tag in _ENDS or long
        if len(self) >= KINDS_REMEMBERED:
            self.clear()
        found = self[key] = kind if asked else None
        return found


_EVERYTHING = HeaderReader()


def read_header(source: Path | str | bytes) -> Header:
    """The header of a file, without its pixel data.

    Raises
    ------
    DataFault
        The file is no DICOM, or malformed before its pixel data.
    OSError
        The file cannot be read.
    """
    return _EVERYTHING.read(source)


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
        found.append(Header(buf, _EVERYTHING.spans(buf, begin, stop, encoding, depth), encoding, encodings))
        pos = item_end(buf, begin, end, encoding, depth) if size == UNDEFINED else stop
    return found
