"""A file's header as it is asked about before it is de-identified: values by keyword, decoded when wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Hashable, Iterable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path

from pydicom.datadict import tag_for_keyword

from sendit.deid.stream import values
from sendit.deid.stream.elements import Element, element_at, elements, items
from sendit.deid.stream.encodings import IMPLICIT_LE, UNDEFINED, Encoding, encoding_inside
from sendit.deid.stream.heads import ORDINARY, heads
from sendit.deid.stream.mending import REPAIRABLE, mended, mended_sequence
from sendit.deid.stream.part_ten import PartTen, open_part_ten
from sendit.deid.stream.sources import HEADER_LIMIT, WINDOW, Source, larger
from sendit.deid.stream.streaming import fragments_end, sequence_end
from sendit.deid.stream.tags import ITEM_END, PIXEL_DATA_TAGS
from sendit.deid.stream.values import BYTES_VRS, DEFAULT_CHARSET, Charset
from sendit.errors import DataFault


def known_tag(name: int | str) -> int:
    """The tag of a keyword, or the tag itself; -1 for a keyword that PS3.6 does not know."""
    if isinstance(name, int):
        return name
    tag = tag_for_keyword(name)
    return -1 if tag is None else tag


CHARACTER_SET = 0x00080005
MOST_ITEMS = 100_000
"""How many items of a header's sequences are looked into."""
DIGESTED = 1024
"""Bytes from which on the digest of a value stands for it where headers are compared."""
MOST_KEYS = 50_000
"""How many elements that no header before had are made out in one."""
BULK_BYTES = 64 * 1024
"""A value of bytes from this length on is not held where a header is too long to be."""

Spans = dict[int, Element]
"""A dataset's elements by tag."""
_ABSENT: Element = (0, "", "", 0, 0, 0, IMPLICIT_LE)
_STOPS = PIXEL_DATA_TAGS | {ITEM_END}


class Header:
    """The elements of one dataset up to its pixel data.

    Parameters
    ----------
    spans : dict
        The elements in `buf`, by tag.
    """

    __slots__ = ("_buf", "_count", "_encoding", "_encodings", "_meta", "_part_ten", "_spans", "transfer_syntax")

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
        self._count = count()
        self.transfer_syntax = part_ten.syntax.uid if part_ten else ""
        declared = spans.get(CHARACTER_SET)
        self._encodings = values.charset(_value(buf, declared)) if declared else encodings

    def __contains__(self, name: int | str) -> bool:
        return known_tag(name) in self._spans

    def __iter__(self) -> Iterator[int]:
        return iter(self._spans)

    def vr(self, name: int | str) -> str:
        """The element's VR; "" when it is absent."""
        return self._spans.get(known_tag(name), _ABSENT)[1]

    def raw(self, name: int | str) -> bytes:
        """The encoded value; empty when it is absent."""
        return _value(self._buf, self._spans.get(known_tag(name), _ABSENT))

    def get(self, name: int | str) -> tuple[str, ...] | None:
        """The element's values as text; None when it is absent; one "…" an item for a sequence that has items."""
        tag = known_tag(name)
        span = self._spans.get(tag)
        if span is None:
            meta = self._meta_value(tag)
            return None if meta is None else values.split(meta.decode("latin-1").strip(" \0"), "UI")
        vr = span[1]
        if vr == "SQ":
            return tuple("…" for _ in self.each_item(name))
        found = values.read_values(_value(self._buf, span), vr, self._encoding.order, self._encodings)
        return tuple(value if isinstance(value, str) else str(value) for value in found)

    def encoded(self, tags: Sequence[int]) -> Hashable:
        """Some attributes as they are encoded: headers that are alike in this are alike in what those say."""
        spans, buf, meta = self._spans, self._buf, self._meta_value
        found = [(span[1], span[2], _compared(buf, span)) if (span := spans.get(tag)) else meta(tag) for tag in tags]
        return self._encoding, self._encodings, tuple(found)

    def all_but(self, others: Container[int], meta: Sequence[int] = ()) -> Hashable:
        """As `encoded`, of all attributes that there are but some, and of `meta` in the File Meta Information."""
        buf = self._buf
        found = [(e[0], e[1], e[2], _compared(buf, e)) for e in self._spans.values() if e[0] not in others]
        return self._encoding, self._encodings, tuple(found), tuple(map(self._meta_value, meta))

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
        return list(self.each_item(name))

    def each_item(self, name: int | str) -> Iterator[Header]:
        """The items one after the other, so that a long sequence is never held as a whole.

        Raises
        ------
        DataFault
            TooLarge: the file has more items than can be looked through, MOST_ITEMS of all its sequences.
        """
        span = self._spans.get(known_tag(name), _ABSENT)
        if span[1] != "SQ" or span[2] not in ("SQ", "UN", ""):
            return
        read = 0
        try:
            for item in self._items(self._buf, span[4], span[5], encoding_inside(span[2], self._encoding)):
                read += 1
                yield item
        except DataFault as fault:
            if fault.code == "TooLarge":
                raise
            buf, encoding = mended_sequence(self._buf, span[4], span[5], span[2], self._encoding)
            yield from islice(self._items(buf, 0, len(buf), encoding), read, None)

    def _items(self, buf: bytes, begin: int, end: int, encoding: Encoding) -> Iterator[Header]:
        for start, stop in items(buf, begin, end, encoding, 1):
            if next(self._count) >= MOST_ITEMS:
                raise DataFault("TooLarge")
            item = Header(buf, _EVERYTHING.spans(buf, start, stop, encoding, 1), encoding, self._encodings)
            item._count = self._count
            yield item

    @property
    def sop_class_uid(self) -> str:
        """(0008,0016), or the File Meta's."""
        return self.text(0x00080016) or (self._meta_value(0x00020002) or b"").rstrip(b" \0").decode("latin-1")

    @property
    def is_in_window(self) -> bool:
        """Whether all of it is in the window that was read when the file was opened."""
        window = self._part_ten.window if self._part_ten else b""
        return bool(window) and self._buf is window

    @property
    def encodings(self) -> Charset:
        """The dataset's character set, as Python's encodings."""
        return self._encodings


class HeaderReader:
    """Reads a few attributes of each header, and passes over the others.

    Parameters
    ----------
    wanted : iterable of int, optional
        The tags that are asked for, beside the character set; the headers are as if they had no others. All, when left
        out.
    """

    def __init__(self, wanted: Iterable[int] | None = None) -> None:
        asked = None if wanted is None else frozenset(wanted) | {CHARACTER_SET}
        # What a mark outside of its place does to the file is said when the file is rewritten.
        self._heads = heads(stops=_STOPS, wanted=asked, stray=ORDINARY)

    def read(self, source: Path | str | bytes) -> Header:
        """As `read_header`."""
        part_ten = open_part_ten(source)
        try:
            return self.of(part_ten)
        finally:
            part_ten.source.close()

    def of(self, part_ten: PartTen) -> Header:
        """The header of an opened file, which stays open.

        Raises
        ------
        DataFault
            TooLarge: more different elements than any device writes.
        """
        for table in self._heads.values():
            table.left = MOST_KEYS
        try:
            buf, spans = self._root(part_ten)
        except DataFault as fault:
            repaired = mended(part_ten) if fault.code in REPAIRABLE else None
            if repaired is None:
                raise
            part_ten, _ = repaired
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
                buf = self._without_bulk(part_ten)
                return buf, self.spans(buf, 0, len(buf), part_ten.encoding, 0)
            buf, size = b"", min(larger(size), HEADER_LIMIT)

    def _without_bulk(self, part_ten: PartTen) -> bytes:
        """The elements up to the pixel data, without long values of bytes and long private ones."""
        source, encoding, pos = part_ten.source, part_ten.encoding, part_ten.start
        parts: list[bytes] = []
        held = 0
        while pos + 8 <= source.size:
            head = source.read(pos, 12)
            tag, written, begin, size = element_at(head, 0, source.size, encoding)
            if tag in PIXEL_DATA_TAGS:
                break
            if size == UNDEFINED and not tag >> 16 & 1:
                raise DataFault("TooLarge", tag=tag)
            if size == UNDEFINED:
                size = _end_of(source, pos + begin, written, encoding) - pos - begin
            if size < BULK_BYTES or not (tag >> 16 & 1 or written in BYTES_VRS):
                held += size
                if held > HEADER_LIMIT:
                    raise DataFault("TooLarge", tag=tag)
                parts.append(source.read(pos, begin + size))
            pos += begin + size
        return b"".join(parts)

    def spans(self, buf: bytes, pos: int, end: int, encoding: Encoding, depth: int) -> Spans:
        """The elements of one dataset up to its pixel data, its end or its item's delimiter."""
        spans: Spans = {}
        keep = spans.setdefault  # of elements with the same tag, the first counts
        for element in elements(buf, pos, end, self._heads[encoding], depth):
            keep(element[0], element)
        return spans


def _end_of(source: Source, offset: int, written_vr: str, encoding: Encoding) -> int:
    """Where a value of undefined length at `offset` ends, its delimiter included."""
    if written_vr in ("OB", "OW"):
        return fragments_end(source, offset, encoding)
    return sequence_end(source, offset, encoding_inside(written_vr, encoding))


def _value(buf: bytes, span: Element) -> bytes:
    return buf[span[4] : span[5]]


def _compared(buf: bytes, span: Element) -> bytes:
    """The value, or the digest of a long one, where it is only compared."""
    if span[5] - span[4] <= DIGESTED:
        return _value(buf, span)
    return hashlib.sha256(memoryview(buf)[span[4] : span[5]]).digest()


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
