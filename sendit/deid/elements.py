"""The encoded element stream (PS3.5 section 7, PS3.10 section 7): where a file's dataset begins, how it is encoded, and
where each of its elements ends. Decodes no value; knows nothing of recipes.

Every malformed input is a DataFault, in time and memory bounded by the file's size and the limits below.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zlib
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from pydicom.datadict import dictionary_VR

from sendit.deid.values import LONG_VRS, VRS
from sendit.errors import DataFault

WINDOW = 16 * 1024
"""Bytes first read of a file; a header that is longer is read in further, larger windows."""
HEADER_LIMIT = 48 * 1024 * 1024
"""The largest single element, sequence or header that is held in memory; bulk data beyond it is streamed."""
CHUNK = 1024 * 1024
DEPTH_LIMIT = 64
INFLATE_ALLOWANCE, INFLATE_RATIO = 64 * 1024 * 1024, 100
"""A deflated dataset may inflate to the allowance plus the ratio times its size."""
UNDEFINED = 0xFFFFFFFF

PIXEL_DATA_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
TRAILING_PADDING = 0xFFFCFFFC
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
"""Deflated Explicit VR Little Endian, and the two that refer to pixels by JPIP."""
_VRS, _LONG_VRS = {vr.encode() for vr in VRS}, {vr.encode() for vr in LONG_VRS}
_ENCAPSULATED = re.compile(r"1\.2\.840\.10008\.1\.2\.(1\.98|4\.\d+(\.\d+)*|5|7\.\d+|8\.1)")


# ---------------------------------------------------------------------------------------------- transfer syntax


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """How elements are written: implicit or explicit VR, and the byte order, "<" or ">". There are three of them."""

    implicit: bool
    order: str

    @property
    def head(self) -> Callable[[bytes, int], tuple[bytes, int]]:
        """Reads (key, length) at an offset: tag and, if explicit, VR; 16 bits of length or, if implicit, 32."""
        return _HEADS[self]

    def tag(self, key: bytes) -> int:
        """The tag that a key begins with."""
        group, element = struct.unpack_from(self.order + "HH", key)
        return int(group << 16 | element)

    def write(self, tag: int, vr: str, value: bytes) -> bytes:
        """One encoded element of defined length."""
        start = struct.pack(self.order + "HH", tag >> 16, tag & 0xFFFF)
        size = len(value)
        if self.implicit:
            return start + struct.pack("<I", size) + value
        if vr in LONG_VRS:
            return start + vr.encode() + struct.pack(self.order + "HI", 0, size) + value
        if size > 0xFFFE:
            raise DataFault("NotEncodable", tag=tag)
        return start + vr.encode() + struct.pack(self.order + "H", size) + value


IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE = Encoding(True, "<"), Encoding(False, "<"), Encoding(False, ">")
ENCODINGS = (IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE)
_HEADS: dict[Encoding, Callable[[bytes, int], tuple[bytes, int]]] = {
    IMPLICIT_LE: struct.Struct("<4sI").unpack_from,
    EXPLICIT_LE: struct.Struct("<6sH").unpack_from,
    EXPLICIT_BE: struct.Struct(">6sH").unpack_from,
}
_META_HEAD = struct.Struct("<2xH2sH").unpack_from
_LENGTH = {"<": struct.Struct("<I").unpack_from, ">": struct.Struct(">I").unpack_from}


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """A transfer syntax by its UID (PS3.5 section 10 and Annex A)."""

    uid: str
    encoding: Encoding
    deflated: bool = False
    encapsulated: bool = False


@lru_cache(maxsize=256)
def transfer_syntax(encoded_uid: bytes) -> TransferSyntax:
    """The transfer syntax of a UID; DataFault when it is none that sendit reads."""
    uid = encoded_uid.decode("ascii", "replace")
    plain = {IMPLICIT_LITTLE: IMPLICIT_LE, EXPLICIT_LITTLE: EXPLICIT_LE, EXPLICIT_BIG: EXPLICIT_BE}
    if uid in plain:
        return TransferSyntax(uid, plain[uid])
    if uid in DEFLATED:
        return TransferSyntax(uid, EXPLICIT_LE, deflated=True)
    if _ENCAPSULATED.fullmatch(uid):
        return TransferSyntax(uid, EXPLICIT_LE, encapsulated=True)
    raise DataFault("UnknownTransferSyntax", tag=0x00020010)


# ---------------------------------------------------------------------------------------------- sources of bytes


class Source(Protocol):
    """Random access to a file's bytes."""

    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end."""
        ...

    def readinto(self, offset: int, buffer: memoryview) -> int:
        """Put bytes from `offset` into the buffer; returns how many, 0 only at the end."""
        ...

    def close(self) -> None:
        """Give back what is held open."""
        ...


class BytesSource:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self.data, self.size = data, len(data)

    def read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def readinto(self, offset: int, buffer: memoryview) -> int:
        found = self.read(offset, len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        pass


class FileSource:
    """An open file, read in place; a file that shrinks meanwhile is a DataFault, not a crash."""

    handle = -1

    def __init__(self, path: str | os.PathLike[str] | bytes) -> None:
        self.handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        status = os.fstat(self.handle)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise DataFault("NotDicom")
        self.size = status.st_size

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self.handle, length, offset)

    def readinto(self, offset: int, buffer: memoryview) -> int:
        return os.preadv(self.handle, [buffer], offset)

    def close(self) -> None:
        handle, self.handle = self.handle, -1
        if handle >= 0:
            os.close(handle)

    def __del__(self) -> None:
        self.close()


class InflatedSource:
    """The inflated bytes of a deflated dataset (PS3.5 A.5), never all in memory at once."""

    def __init__(self, source: Source, offset: int) -> None:
        self._source, self._begin = source, offset
        self._limit = INFLATE_ALLOWANCE + INFLATE_RATIO * max(source.size - offset, 0)
        self._restart()
        self.size = 0
        while self._more():
            self._base += len(self._held)
            self._held = b""
        self.size = self._base + len(self._held)
        self._restart()

    _base: int
    _held: bytes

    def _restart(self) -> None:
        self._inflate, self._next, self._input = zlib.decompressobj(-zlib.MAX_WBITS), self._begin, b""
        self._base = 0
        self._held = b""

    def _more(self) -> bool:
        """Inflate about a chunk more; False at the end of the stream."""
        if self._inflate.eof:
            return False
        if not self._input:
            self._input = self._source.read(self._next, CHUNK)
            self._next += len(self._input)
        try:
            piece = self._inflate.decompress(self._input, CHUNK)
        except zlib.error:
            raise DataFault("BadDeflate") from None
        if not piece and not self._input and not self._inflate.eof:
            raise DataFault("BadDeflate")
        self._input = self._inflate.unconsumed_tail
        self._held += piece
        if self._base + len(self._held) > self._limit:
            raise DataFault("BadDeflate")
        return True

    def read(self, offset: int, length: int) -> bytes:
        if offset < self._base:
            self._restart()
        while offset + length > self._base + len(self._held) and self._more():
            skip = min(offset - self._base, len(self._held))
            if skip > 0:
                self._base, self._held = self._base + skip, self._held[skip:]
        start = offset - self._base
        return self._held[start : start + length] if start >= 0 else b""

    def readinto(self, offset: int, buffer: memoryview) -> int:
        found = self.read(offset, min(len(buffer), CHUNK))
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        self._source.close()


# ---------------------------------------------------------------------------------------------- opening a file


@dataclass(slots=True)
class PartTen:
    """An opened file: its transfer syntax, where its dataset begins, its File Meta, and what was read of `source`."""

    source: Source
    syntax: TransferSyntax
    start: int
    meta_bytes: bytes = b""
    window: bytes = b""

    @property
    def meta(self) -> dict[int, bytes]:
        """The values of the File Meta Information by tag."""
        return _file_meta(self.meta_bytes)

    @property
    def sop_class_uid(self) -> str:
        """The Media Storage SOP Class UID, "" where the File Meta has none."""
        head = self.meta_bytes.find(b"\2\0\2\0UI")
        if head < 0:
            return ""
        begin = head + 8
        end = begin + int.from_bytes(self.meta_bytes[head + 6 : begin], "little")
        return self.meta_bytes[begin:end].rstrip(b" \0").decode("ascii", "replace")

    @property
    def encoding(self) -> Encoding:
        return self.syntax.encoding


def open_part_ten(source: Path | str | bytes) -> PartTen:
    """Open a Part 10 file, or a bare dataset, whose encoding is then worked out from its first element.

    Raises
    ------
    DataFault
        EmptyFile, NotDicom, Truncated, BadElement, BadDeflate or UnknownTransferSyntax.
    OSError
        The file cannot be opened or read.
    """
    opened: Source = BytesSource(source) if isinstance(source, bytes) else FileSource(source)
    try:
        return _open(opened)
    except BaseException:
        opened.close()
        raise


def _open(source: Source) -> PartTen:
    if source.size == 0:
        raise DataFault("EmptyFile")
    window = source.read(0, WINDOW)
    start = 132 if window[128:132] == b"DICM" else 0
    declared, end = _declared_syntax(window, start, source)
    meta = window[start:end]
    if declared:
        syntax = transfer_syntax(declared)
        if syntax.deflated:
            return PartTen(InflatedSource(source, end), syntax, 0, meta)
        return PartTen(source, _as_encoded(syntax, window, end, source), end, meta, window)
    guess = _guess(_at(source, window, end))
    if guess is None:
        raise DataFault("NotDicom")
    return PartTen(source, guess, end, meta, window)


def _declared_syntax(window: bytes, start: int, source: Source) -> tuple[bytes, int]:
    """The Transfer Syntax UID that the File Meta declares, b"" for none; and where the File Meta ends."""
    declared, after = b"", start
    for element, begin, after in _meta_elements(window, start, source.size):
        if element == 0x10:
            declared = window[begin:after].rstrip(b" \0")
    return declared, after


def _meta_elements(window: bytes, pos: int, file_size: int) -> Iterator[tuple[int, int, int]]:
    """The elements of group 2 from `pos`: number, and the value's begin and end.

    They are always Explicit VR Little Endian (PS3.10 7.1); what their group length says is not asked.
    """
    limit = len(window)
    while window.startswith(b"\x02\0", pos):
        begin = pos + 8
        try:
            element, vr, size = _META_HEAD(window, pos)
        except struct.error:
            raise DataFault("Truncated") from None
        if vr in _LONG_VRS:
            begin += 4
            size = long_length(window, pos + 8, "<")
        pos = begin + size
        if pos > limit:
            raise DataFault("Truncated" if pos > file_size else "TooLarge", tag=0x00020000 | element)
        yield element, begin, pos


def _at(source: Source, window: bytes, start: int) -> bytes:
    return window[start : start + 8] if start + 8 <= len(window) else source.read(start, 8)


def _file_meta(meta: bytes) -> dict[int, bytes]:
    return {0x00020000 | element: meta[begin:after] for element, begin, after in _meta_elements(meta, 0, len(meta))}


def _as_encoded(declared: TransferSyntax, window: bytes, start: int, source: Source) -> TransferSyntax:
    """The declared syntax, or the one that the dataset is really written in: some writers declare another."""
    first = _at(source, window, start)
    if (first[4:6] in _VRS) is not declared.encoding.implicit and declared.encoding.order == "<":
        return declared
    found = _guess(first)
    if found is None or found.encoding == declared.encoding:
        return declared
    return replace(declared, encoding=found.encoding) if declared.encapsulated else found


def _guess(first: bytes) -> TransferSyntax | None:
    """The encoding of a dataset by its first eight bytes; None when they begin no dataset."""
    if len(first) < 8:
        return None
    explicit = first[4:6].decode("latin-1") in VRS
    for uid, order in ((EXPLICIT_LITTLE, "<"), (EXPLICIT_BIG, ">")):
        group, element = struct.unpack_from(order + "HH", first)
        if explicit and _plausible(group, element):
            return transfer_syntax(uid.encode())
    group, element, size = struct.unpack("<HHI", first)
    plausible = _plausible(group, element) and (size < 0x10000 or size == UNDEFINED)
    return transfer_syntax(IMPLICIT_LITTLE.encode()) if plausible and not explicit else None


def _plausible(group: int, element: int) -> bool:
    """Whether a dataset may begin with this tag: an even, low group that PS3.6 knows."""
    if not 0x0004 <= group <= 0x0100 or group % 2:
        return False
    return element == 0 or known_vr(group << 16 | element) is not None


# ---------------------------------------------------------------------------------------------- elements


def known_vr(tag: int) -> str | None:
    """The VR that PS3.6 gives a tag, e.g. "PN", "US or SS"; LO for Private Creators; None if it is unknown."""
    try:
        return dictionary_VR(tag)
    except KeyError:
        private_creator = tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF
        return "LO" if private_creator else None


@lru_cache(maxsize=65536)
def effective_vr(tag: int, written: str) -> str:
    """The VR that rules and values go by: the written one if PS3.6 allows it for the tag, else PS3.6's."""
    known = known_vr(tag)
    if known is None:
        return written or "UN"
    allowed = known.split(" or ")
    if written in allowed:
        return written
    if tag >> 16 & 1 and written not in ("", "UN"):
        return written
    return "OW" if known == "OB or OW" else allowed[0]


def long_length(buf: bytes, pos: int, order: str) -> int:
    """The 32-bit length at `pos`."""
    try:
        return int(_LENGTH[order](buf, pos)[0])
    except struct.error:
        raise DataFault("Truncated") from None


def value_span(buf: bytes, pos: int, end: int, encoding: Encoding) -> tuple[int, str, int, int]:
    """The element at `pos`: its tag, VR as written ("" if implicit), where its value begins, and its length.

    The length is UNDEFINED for an undefined one. DataFault when the header or a defined value passes `end`.
    """
    if pos + 8 > end:
        raise DataFault("Truncated")
    key, size = encoding.head(buf, pos)
    tag = encoding.tag(key)
    vr, begin = "", pos + 8
    if not encoding.implicit and tag >> 16 != 0xFFFE:
        vr = key[4:6].decode("latin-1")
        if vr not in VRS:
            raise DataFault("BadElement", tag=tag)
        if vr in LONG_VRS:
            begin = pos + 12
            size = long_length(buf, pos + 8, encoding.order)
    elif tag >> 16 == 0xFFFE:
        size = long_length(buf, pos + 4, encoding.order)
        if size and tag != ITEM:
            raise DataFault("BadSequence")
    if begin > end or (size != UNDEFINED and begin + size > end):
        raise DataFault("Truncated", tag=tag)
    return tag, vr, begin, size


Kind = tuple[int, str, str, bool]
"""Of an element: its tag, the VR that rules see, the written one, and whether it is in long form."""
KINDS_REMEMBERED = 65536


class _Kinds(dict[bytes, Kind]):
    """An element's encoded key in, its kind out."""

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding

    def __missing__(self, key: bytes) -> Kind:
        tag = self.encoding.tag(key)
        vr = "" if self.encoding.implicit or tag >> 16 == 0xFFFE else key[4:6].decode("latin-1")
        if vr and vr not in VRS:
            raise DataFault("BadElement", tag=tag)
        if len(self) >= KINDS_REMEMBERED:
            self.clear()
        kind = self[key] = tag, effective_vr(tag, vr), vr, vr in LONG_VRS
        return kind


KINDS = {encoding: _Kinds(encoding) for encoding in ENCODINGS}


def elements_of(
    buf: bytes, pos: int, end: int, encoding: Encoding, depth: int = 0, stop: Container[int] = ()
) -> Iterator[tuple[int, str, str, int, int]]:
    """The elements of one dataset up to a tag in `stop`: tag, VR as rules see it, VR as written, value's begin and end.

    DataFault where an element passes `end`.
    """
    head, kinds, order = encoding.head, KINDS[encoding], encoding.order
    while pos < end:
        try:
            key, size = head(buf, pos)
        except struct.error:
            raise DataFault("Truncated") from None
        tag, vr, written, long = kinds[key]
        if tag in stop:
            return
        begin = pos + 8
        if long:
            begin += 4
            size = long_length(buf, pos + 8, order)
        pos = begin + size if size != UNDEFINED else element_end(buf, pos, end, encoding, depth)
        if pos > end:
            raise DataFault("Truncated", tag=tag)
        yield tag, vr, written, begin, pos


def element_end(buf: bytes, pos: int, end: int, encoding: Encoding, depth: int = 0) -> int:
    """Where the element at `pos` ends, whatever its length; structure only."""
    tag, vr, begin, size = value_span(buf, pos, end, encoding)
    if size != UNDEFINED:
        return begin + size
    if tag in PIXEL_DATA_TAGS or vr in ("OB", "OW"):
        return nested_fragments_end(buf, begin, end, encoding)
    return sequence_end(buf, begin, end, IMPLICIT_LE if vr == "UN" else encoding, depth + 1)


def sequence_end(buf: bytes, pos: int, end: int, encoding: Encoding, depth: int) -> int:
    """Where a sequence of undefined length whose items begin at `pos` ends, its delimiter included."""
    if depth > DEPTH_LIMIT:
        raise DataFault("TooDeep")
    while True:
        tag, _, begin, size = value_span(buf, pos, end, encoding)
        if tag == SEQUENCE_END:
            return begin
        if tag != ITEM:
            raise DataFault("BadSequence")
        pos = item_end(buf, begin, end, encoding, depth) if size == UNDEFINED else begin + size


def item_end(buf: bytes, pos: int, end: int, encoding: Encoding, depth: int) -> int:
    """Where an item of undefined length whose elements begin at `pos` ends, its delimiter included."""
    while True:
        tag, _, begin, _ = value_span(buf, pos, end, encoding)
        if tag == ITEM_END:
            return begin
        pos = element_end(buf, pos, end, encoding, depth)


def fragments_end(source: Source, offset: int, encoding: Encoding) -> int:
    """Where encapsulated Pixel Data whose items begin at `offset` end, the delimiter included (PS3.5 A.4)."""
    while True:
        head = source.read(offset, 8)
        if len(head) < 8:
            raise DataFault("Truncated", tag=0x7FE00010)
        group, element, size = struct.unpack(encoding.order + "HHI", head)
        offset += 8
        if (group, element, size) == (0xFFFE, 0xE0DD, 0):
            return offset
        if (group, element) != (0xFFFE, 0xE000) or size == UNDEFINED:
            raise DataFault("BadSequence", tag=0x7FE00010)
        offset += size
        if offset > source.size:
            raise DataFault("Truncated", tag=0x7FE00010)


def nested_fragments_end(buf: bytes, pos: int, end: int, encoding: Encoding) -> int:
    """Where the fragments of an encapsulated value that is held in memory end."""
    while True:
        tag, _, begin, size = value_span(buf, pos, end, encoding)
        if tag == SEQUENCE_END:
            return begin
        if tag != ITEM or size == UNDEFINED:
            raise DataFault("BadSequence")
        pos = begin + size
