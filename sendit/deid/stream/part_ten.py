"""Opening a file (PS3.10 section 7): its File Meta Information, its transfer syntax, and where its dataset begins."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from sendit.deid.stream.encodings import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED,
    Encoding,
    TransferSyntax,
    long_length,
    transfer_syntax,
)
from sendit.deid.stream.sources import WINDOW, BytesSource, FileSource, InflatedSource, Source
from sendit.deid.stream.tags import known_vrs
from sendit.deid.stream.values import LONG_VRS, VRS
from sendit.errors import DataFault

_META_HEAD = struct.Struct("<2xH2sH").unpack_from
MOST_META = 16 * 1024 * 1024
"""Bytes that a File Meta Information may have, its private information included."""
_INSTANCE = b"\2\0\3\0UI"
"""The beginning of Media Storage SOP Instance UID, the one element that tells the File Metas of a series apart."""
_HEAD_BYTES, _MOST_SHAPES, _SHAPE_BYTES = 8, 64, 1024
_VRS, _LONG_VRS = {vr.encode() for vr in VRS}, {vr.encode() for vr in LONG_VRS}


@dataclass(slots=True)
class PartTen:
    """An opened file: its transfer syntax, where its dataset begins, its File Meta, and what was read of `source`.

    `encoded_sop_class_uid` is the value of Media Storage SOP Class UID with its padding, empty where there is none.
    """

    source: Source
    syntax: TransferSyntax
    start: int
    meta_bytes: bytes = b""
    window: bytes = b""
    encoded_sop_class_uid: bytes = b""

    @property
    def meta(self) -> dict[int, bytes]:
        """The values of the File Meta Information by tag."""
        return _file_meta(self.meta_bytes)

    @property
    def sop_class_uid(self) -> str:
        """The Media Storage SOP Class UID, "" where the File Meta has none."""
        return self.encoded_sop_class_uid.rstrip(b" \0").decode("ascii", "replace")

    @property
    def encoding(self) -> Encoding:
        return self.syntax.encoding


class MetaShape(NamedTuple):
    """The File Meta Information of a series: what stands before and behind the length and value of its instance's UID.

    Images of a series differ there alone, so that what was read of one is known of the others. `behind` goes on to the
    first bytes of the dataset, by which its encoding is told.
    """

    before: bytes
    behind: bytes
    syntax: TransferSyntax
    encoded_sop_class_uid: bytes

    def opened(self, source: Source, window: bytes, start: int) -> PartTen | None:
        """The file that begins with `window`, if its File Meta has this shape."""
        size_at = start + len(self.before)
        value = size_at + 2
        behind = value + int.from_bytes(window[size_at:value], "little")
        if not (window.startswith(self.before, start) and window.startswith(self.behind, behind)):
            return None
        end = behind + len(self.behind) - _HEAD_BYTES
        return PartTen(source, self.syntax, end, window[start:end], window, self.encoded_sop_class_uid)


_shapes: dict[bytes, MetaShape] = {}
"""The shapes that were met, by the first element of the File Meta Information: its group length."""


def open_part_ten(source: Path | str | bytes | Source) -> PartTen:
    """Open a Part 10 file, or a bare dataset, whose encoding is then worked out from its first element.

    A Source is closed with what is returned, or at once where the file is refused.

    Raises
    ------
    DataFault
        EmptyFile, NotDicom, Truncated, BadElement, BadDeflate or UnknownTransferSyntax.
    OSError
        The file cannot be opened or read.
    """
    opened = _source(source)
    try:
        return _open(opened)
    except BaseException:
        opened.close()
        raise


def _source(source: Path | str | bytes | Source) -> Source:
    if isinstance(source, bytes):
        return BytesSource(source)
    return FileSource(source) if isinstance(source, str | os.PathLike) else source


def _open(source: Source) -> PartTen:
    if source.size == 0:
        raise DataFault("EmptyFile")
    window = source.read(0, WINDOW)
    start = 132 if window[128:132] == b"DICM" else 0
    shape = _shapes.get(window[start : start + 12])
    known = None if shape is None else shape.opened(source, window, start)
    return known or _read(source, window, start)


def _read(source: Source, window: bytes, start: int) -> PartTen:
    """The file whose File Meta Information, if it has one, begins at `start`."""
    while True:
        try:
            declared, end = _declared_syntax(window, start, source)
            break
        except DataFault as fault:
            if fault.code != "TooLarge" or len(window) >= MOST_META:
                raise
            window = source.read(0, min(len(window) * 16, MOST_META))
    meta = window[start:end]
    if declared:
        syntax = transfer_syntax(declared)
        if syntax.deflated:
            return PartTen(InflatedSource(source, end), syntax, 0, meta, b"", _sop_class_uid(meta))
        syntax = _as_encoded(syntax, window, end, source)
        _remember_shape(meta, window[end : end + _HEAD_BYTES], syntax)
        return PartTen(source, syntax, end, meta, window, _sop_class_uid(meta))
    guess = _guess(_at(source, window, end))
    if guess is None:
        raise DataFault("NotDicom")
    return PartTen(source, guess, end, meta, window, _sop_class_uid(meta))


def _remember_shape(meta: bytes, first: bytes, syntax: TransferSyntax) -> None:
    """Remember what the File Metas of a series have in common; `first` is how the dataset begins."""
    before, instance, behind = meta.partition(_INSTANCE)
    size = int.from_bytes(behind[:2], "little") + 2
    if not instance or len(meta) > _SHAPE_BYTES or len(first) < _HEAD_BYTES or not _begins(meta, len(before), size):
        return
    if len(_shapes) >= _MOST_SHAPES:
        _shapes.clear()
    _shapes[meta[:12]] = MetaShape(before + instance, behind[size:] + first, syntax, _sop_class_uid(meta))


def _begins(meta: bytes, pos: int, size: int) -> bool:
    """Whether the SOP Instance UID stands at `pos`, and what looks like it there is no part of another value."""
    length_at = pos + len(_INSTANCE)
    return (3, length_at + 2, length_at + size) in _meta_elements(meta, 0, len(meta))


def _sop_class_uid(meta: bytes) -> bytes:
    """The encoded Media Storage SOP Class UID."""
    head = meta.find(b"\2\0\2\0UI")
    if head < 0:
        return b""
    begin = head + 8
    return meta[begin : begin + int.from_bytes(meta[head + 6 : begin], "little")]


def _declared_syntax(window: bytes, start: int, source: Source) -> tuple[bytes, int]:
    """The Transfer Syntax UID that the File Meta declares, b"" for none; and where the File Meta ends."""
    declared, after = b"", start
    for element, begin, after in _meta_elements(window, start, source.size):
        if element == 0x10 and not declared:
            declared = window[begin:after].rstrip(b" \0")
    return declared, after


def _meta_elements(window: bytes, pos: int, file_size: int) -> Iterator[tuple[int, int, int]]:
    """The elements of group 2 from `pos`: number, and the value's begin and end.

    They are always Explicit VR Little Endian (PS3.10 7.1); those of writers that take Implicit are understood. What the
    group length says is not asked: some writers repeat the File Meta Information at the beginning of the dataset, which
    is no part of it. The first value of an attribute counts.
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
        elif vr not in _VRS:
            size = long_length(window, pos + 4, "<")
        pos = begin + size
        if pos > limit:
            raise DataFault("Truncated" if pos > file_size else "TooLarge", tag=0x00020000 | element)
        yield element, begin, pos


def _at(source: Source, window: bytes, start: int) -> bytes:
    return window[start : start + 8] if start + 8 <= len(window) else source.read(start, 8)


def _file_meta(meta: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for element, begin, after in _meta_elements(meta, 0, len(meta)):
        found.setdefault(0x00020000 | element, meta[begin:after])
    return found


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
    return element == 0 or bool(known_vrs(group << 16 | element))
