"""Repairs of a dataset that cannot be read as it stands, where the readers in use agree how it is meant.

The usual reader knows none of this: only a file that it refuses comes here. What is understood is written as it should
be, an attribute that is not goes or is emptied, and what leaves a doubt stays the fault that it was.
"""

from __future__ import annotations

import re
import struct
from dataclasses import replace

from sendit.deid.stream.elements import DEPTH_LIMIT, ITEM_BEGINS, element_at, element_end, elements, item_at
from sendit.deid.stream.encodings import EXPLICIT_LE, IMPLICIT_LE, UNDEFINED, Encoding, encoding_inside
from sendit.deid.stream.heads import FLAT
from sendit.deid.stream.part_ten import PartTen
from sendit.deid.stream.repairs import Repair, RepairKind
from sendit.deid.stream.sources import HEADER_LIMIT, Source
from sendit.deid.stream.tags import (
    ITEM,
    ITEM_END,
    MARKS_GROUP,
    PIXEL_DATA_TAGS,
    SEQUENCE_END,
    TRAILING_PADDING,
    effective_vr,
    is_private,
    known_vrs,
)
from sendit.deid.stream.values import LONG_VRS, TEXT_VRS, VRS
from sendit.errors import DataFault

REPAIRABLE = frozenset({"BadElement", "BadSequence", "Truncated"})
"""The codes of faults behind which a repair may be possible."""
MOST_ELEMENTS = 300_000
"""How many elements and items may be looked at: hostile files make readings without end."""
_NOT_ZERO = re.compile(rb"[^\0]")
MOST_CREATOR = 64
"""Characters of a Private Creator."""
CHARACTER_SET, SOP_INSTANCE_UID = 0x00080005, 0x00080018
_NO_VR = "??"
"""What stands for the VR of an element that nobody can understand."""


class MendedSource:
    """The repaired header, and behind it the rest of a source from `rest` on."""

    handle = -1

    def __init__(self, header: bytes, source: Source, rest: int) -> None:
        self._header, self._source, self._rest = header, source, rest
        self.size = len(header) + source.size - rest

    def read(self, offset: int, length: int) -> bytes:
        held = self._header[offset : offset + length]
        if len(held) == length:
            return held
        begin = max(offset - len(self._header), 0)
        return held + self._source.read(self._rest + begin, length - len(held))

    def readinto(self, offset: int, buffer: memoryview) -> int:
        size = len(self._header)
        if offset >= size:
            return self._source.readinto(self._rest + offset - size, buffer)
        found = self._header[offset : offset + len(buffer)]
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        self._source.close()


def mended(part_ten: PartTen, sop_instance_uid: bytes = b"") -> tuple[PartTen, tuple[Repair, ...]] | None:
    """The file with its header repaired, up to its pixel data, and what was repaired; None where nothing can be.

    `sop_instance_uid` is put in where the dataset has none.
    """
    source, start = part_ten.source, part_ten.start
    header = source.read(start, HEADER_LIMIT)
    mender = _Mender(header, whole=start + len(header) >= source.size, sop_instance_uid=sop_instance_uid)
    try:
        new, after = mender.root(part_ten.encoding)
    except DataFault as fault:
        if fault.code == "TooLarge":
            raise
        return None
    except struct.error:
        return None
    if not mender.repairs:
        return None
    tail = MendedSource(new, source, start + after)
    return replace(part_ten, source=tail, start=0, window=b""), tuple(dict.fromkeys(mender.repairs))


def mended_sequence(buf: bytes, begin: int, end: int, written_vr: str, encoding: Encoding) -> tuple[bytes, Encoding]:
    """The repaired items of a sequence whose value is `buf[begin:end]`, and their encoding; or a DataFault."""
    delimited = buf[end - 8 : end - 4] == encoding.mark(SEQUENCE_END)[:4]
    try:
        vr, content, _ = _Mender(buf, whole=True).sequence(written_vr, begin, end, encoding, (0,), delimited=delimited)
    except struct.error:
        raise DataFault("BadSequence") from None
    return content, encoding_inside(vr, encoding)


class _Mender:
    """Reads one header forgivingly, and writes it as the usual reader wants it."""

    __slots__ = ("_buf", "_left", "_sop_instance_uid", "_whole", "_zeros", "repairs")

    def __init__(self, buf: bytes, *, whole: bool, sop_instance_uid: bytes = b"") -> None:
        self._buf, self._whole, self._sop_instance_uid = buf, whole, sop_instance_uid
        self._left = min(len(buf) + 1024, MOST_ELEMENTS)
        self._zeros = 0, 0
        self.repairs: list[Repair] = []

    def root(self, encoding: Encoding) -> tuple[bytes, int]:
        """The elements up to the pixel data, and where those begin."""
        return self._dataset(0, len(self._buf), encoding, (), delimited=False)

    # ------------------------------------------------------------------------------------------ a dataset

    def _dataset(
        self, pos: int, end: int, encoding: Encoding, path: tuple[int, ...], *, delimited: bool
    ) -> tuple[bytes, int]:
        """The elements from `pos`, and where they end, an item's delimiter included."""
        out: list[bytes] = []
        while pos < end or delimited:
            self._spend()
            if not path and self._sop_instance_uid:
                pos = self._identify(pos, out, encoding)
                if pos >= end:
                    break
            if not path and self._tag(pos, encoding) in PIXEL_DATA_TAGS:
                break
            if self._ends(pos, end, encoding, path):
                return b"".join(out), pos + 8 if delimited else end
            element, pos = self._element(pos, end, encoding, path)
            out.append(element)
        if not path and self._sop_instance_uid:
            out.append(self._identity(encoding))
        return b"".join(out), pos

    def _identify(self, pos: int, out: list[bytes], encoding: Encoding) -> int:
        """Put in the SOP Instance UID where it belongs, in the place of an empty one."""
        tag = self._tag(pos, encoding)
        if tag < SOP_INSTANCE_UID:
            return pos
        out.append(self._identity(encoding))
        return element_end(self._buf, pos, len(self._buf), encoding) if tag == SOP_INSTANCE_UID else pos

    def _identity(self, encoding: Encoding) -> bytes:
        self._note((), SOP_INSTANCE_UID, RepairKind.INSTANCE)
        uid, self._sop_instance_uid = self._sop_instance_uid, b""
        return encoding.write(SOP_INSTANCE_UID, "UI", uid)

    def _ends(self, pos: int, end: int, encoding: Encoding, path: tuple[int, ...]) -> bool:
        """Whether an item's delimiter stands at `pos`, of whatever length, or nothing but zeros up to the end."""
        if self._tag(pos, encoding) == ITEM_END and path:
            self._note(path[:-1], path[-1], RepairKind.DELIMITER, is_repair=self._length(pos + 4, encoding) != 0)
            return True
        if self._buf[pos : pos + 4] == bytes(4) and self._is_blank(pos, end) and (path or self._whole):
            self._note(path, TRAILING_PADDING, RepairKind.PADDING)
            return True
        return False

    def _is_blank(self, pos: int, end: int) -> bool:
        """Whether nothing but zeros stand there; a run of them is looked through once, however often this is asked."""
        first, last = self._zeros
        if not first <= pos < last:
            found = _NOT_ZERO.search(self._buf, pos)
            self._zeros = first, last = pos, found.start() if found else len(self._buf)
        return last >= end

    def _element(self, pos: int, end: int, encoding: Encoding, path: tuple[int, ...]) -> tuple[bytes, int]:
        """One element as it should be, b"" where it goes, and where the next one begins."""
        tag = self._tag(pos, encoding)
        if tag >> 16 == MARKS_GROUP:
            raise DataFault("BadSequence")
        written, begin, size, is_repair = self._head(pos, end, tag, encoding)
        after = begin + size
        if tag >> 16 in (0x0000, 0x0002) or tag & 0xFFFF == 0:
            self._inside(after, end)
            self._note(path, tag, RepairKind.META, is_repair=tag >> 16 in (0x0000, 0x0002))
            return b"", after
        if written == _NO_VR or (size != UNDEFINED and not self._may_be_creator(tag, written, size)):
            self._inside(after, end)
            self._note(path, tag, RepairKind.UNKNOWN if written == _NO_VR else RepairKind.CREATOR)
            return b"", after
        vr = effective_vr(tag, written)
        if self._is_sequence(vr, written, begin, size):
            self._note(path, tag, RepairKind.VR, is_repair=is_repair)
            repairs = len(self.repairs) - is_repair
            new, after = self._nested(tag, written, begin, size, end, encoding, path)
            return new if len(self.repairs) > repairs else self._buf[pos:after], after
        if size == UNDEFINED:
            return self._buf[pos : (after := element_end(self._buf, pos, end, encoding, len(path)))], after
        self._inside(after, end)
        value, kind = self._buf[begin:after], RepairKind.VR
        if (vr == "SQ") != (written == "SQ") and written not in ("", "UN"):
            value, is_repair, kind = b"", True, RepairKind.SEQUENCE
        if tag == CHARACTER_SET and written not in ("", "CS", "UN"):
            if written not in TEXT_VRS:  # what it means for the texts nobody can say
                raise DataFault("BadElement", tag=tag)
            is_repair = True
        if is_repair:
            self._note(path, tag, kind)
            return encoding.write(tag, vr, value + bytes(len(value) % 2)), after
        return self._buf[pos:after], after

    def _is_sequence(self, vr: str, written: str, begin: int, size: int) -> bool:
        if written in ("SQ", "UN", "") and (vr == "SQ" or size == UNDEFINED):
            return True
        return written == "UN" and self._buf.startswith(ITEM_BEGINS, begin)

    def _may_be_creator(self, tag: int, written: str, size: int) -> bool:
        """Whether what stands in a Private Creator's place may be one."""
        if not (is_private(tag) and 0x10 <= tag & 0xFFFF <= 0xFF):
            return True
        return written in ("", "UN", *TEXT_VRS) and size <= MOST_CREATOR

    # ------------------------------------------------------------------------------------------ heads

    def _tag(self, pos: int, encoding: Encoding) -> int:
        return encoding.tag(self._buf[pos : pos + 4])

    def _length(self, pos: int, encoding: Encoding) -> int:
        return encoding.length(self._buf, pos)[0]

    def _head(self, pos: int, end: int, tag: int, encoding: Encoding) -> tuple[str, int, int, bool]:
        """VR, value's begin and length of an element; and whether they were written otherwise.

        The VR of one that cannot be understood is _NO_VR.
        """
        if encoding.implicit:
            return "", pos + 8, self._length(pos + 4, encoding), False
        written = self._buf[pos + 4 : pos + 6].decode("latin-1")
        if written in LONG_VRS:
            return written, pos + 12, self._length(pos + 8, encoding), False
        if written in VRS:
            return written, pos + 8, struct.unpack_from(encoding.order + "H", self._buf, pos + 6)[0], False
        begin, size, is_implicit = self._without_vr(pos, end, tag, encoding)
        allowed = known_vrs(tag)
        vr = allowed[0] if len(allowed) == 1 else "OW" if allowed == ("OB", "OW") else ""
        if not vr or (vr == "SQ" and not is_implicit):
            vr = "UN" if is_implicit else _NO_VR
        return vr, begin, size, True

    def _without_vr(self, pos: int, end: int, tag: int, encoding: Encoding) -> tuple[int, int, bool]:
        """Where the value of an element without a VR begins, its length, and if it is written in Implicit VR.

        Three forms are possible; the one counts behind which the dataset goes on. BadElement where that leaves a doubt.
        """
        implicit = self._length(pos + 4, encoding)
        forms = {(pos + 8, struct.unpack_from(encoding.order + "H", self._buf, pos + 6)[0]): False}
        forms.setdefault((pos + 8, implicit), True)
        if self._buf[pos + 6 : pos + 8] == b"\0\0":
            forms.setdefault((pos + 12, self._length(pos + 8, encoding)), False)
        if implicit == UNDEFINED:
            return pos + 8, implicit, True
        fitting = [form for form in forms if self._goes_on(sum(form), end, tag, encoding)]
        if len(fitting) != 1:
            raise DataFault("BadElement", tag=tag)
        return *fitting[0], forms[fitting[0]]

    def _goes_on(self, pos: int, end: int, tag: int, encoding: Encoding) -> bool:
        """Whether an element that belongs behind that of `tag`, or the end, is at `pos`."""
        if pos + 8 > end:
            return pos == end and (self._whole or end < len(self._buf))
        following = self._tag(pos, encoding)
        if following == ITEM_END:
            return True
        known = bool(known_vrs(following)) or self._buf[pos + 4 : pos + 6].decode("latin-1") in VRS
        return following > tag and following >> 16 != MARKS_GROUP and known

    # ------------------------------------------------------------------------------------------ sequences

    def _nested(
        self, tag: int, written: str, begin: int, size: int, end: int, encoding: Encoding, path: tuple[int, ...]
    ) -> tuple[bytes, int]:
        """A sequence with its items repaired."""
        delimited = size == UNDEFINED
        limit = end if delimited else begin + size
        self._inside(limit, end)
        vr, content, after = self.sequence(written, begin, limit, encoding, (*path, tag), delimited=delimited)
        self._note(path, tag, RepairKind.ITEMS, is_repair=vr != written)
        if not delimited and vr == written:
            return encoding.write(tag, vr or "SQ", content), after
        head = encoding.write(tag, vr or "SQ", b"")[:-4] + b"\xff" * 4
        return head + content + encoding_inside(vr, encoding).mark(SEQUENCE_END), after

    def sequence(
        self, written: str, begin: int, limit: int, encoding: Encoding, path: tuple[int, ...], *, delimited: bool
    ) -> tuple[str, bytes, int]:
        """The VR that the sequence is to have, its items, and where it ends."""
        if len(path) > DEPTH_LIMIT:
            raise DataFault("TooDeep")
        vr = written
        if (
            not encoding.implicit
            and encoding.order == "<"
            and not self._reads(begin, limit, encoding_inside(written, encoding), delimited=delimited)
        ):
            other, inside = ("SQ", EXPLICIT_LE) if written == "UN" else ("UN", IMPLICIT_LE)
            vr = other if self._reads(begin, limit, inside, delimited=delimited) else written
        inside = encoding_inside(vr, encoding)
        content, after = self._items(begin, limit, inside, path, delimited=delimited)
        return vr, content, after

    def _reads(self, pos: int, limit: int, encoding: Encoding, *, delimited: bool) -> bool:
        """Whether the usual reader reads the items in that encoding; of what they nest, only the bounds."""
        try:
            while delimited or pos < limit:
                item = item_at(self._buf, pos, limit, encoding, delimited=delimited)
                if item is None:
                    return True
                begin, stop, ends = item
                for element in elements(self._buf, begin, stop, FLAT[encoding], 1):
                    self._spend()
                    begin = element[5]
                pos = element_at(self._buf, begin, limit, encoding)[2] if ends else stop
        except DataFault:
            return False
        return True

    def _items(
        self, pos: int, limit: int, encoding: Encoding, path: tuple[int, ...], *, delimited: bool
    ) -> tuple[bytes, int]:
        out: list[bytes] = []
        while delimited or pos < limit:
            tag, size = self._tag(pos, encoding), self._length(pos + 4, encoding)
            self._inside(pos + 8, limit)
            if tag == SEQUENCE_END and delimited:
                self._note(path[:-1], path[-1], RepairKind.DELIMITER, is_repair=size != 0)
                return b"".join(out), pos + 8
            if tag != ITEM:
                raise DataFault("BadSequence", tag=path[-1])
            end = limit if size == UNDEFINED else pos + 8 + size
            self._inside(end, limit)
            content, pos = self._dataset(pos + 8, end, encoding, path, delimited=size == UNDEFINED)
            out.append(encoding.item(content))
        return b"".join(out), pos

    # ------------------------------------------------------------------------------------------ bounds

    def _inside(self, after: int, end: int) -> None:
        if after > end:
            raise DataFault("Truncated")

    def _spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise DataFault("TooLarge")

    def _note(self, path: tuple[int, ...], tag: int, kind: RepairKind, *, is_repair: bool = True) -> None:
        if is_repair:
            self.repairs.append(Repair(path, tag, kind))
