"""How a dataset is encoded: implicit or explicit VR, byte order, transfer syntax (PS3.5 section 10)."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from sendit.deid.stream.tags import ITEM, ITEM_END
from sendit.deid.stream.values import LONG_VRS
from sendit.errors import DataFault

UNDEFINED = 0xFFFFFFFF
"""The length of a value that a delimiter ends."""

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
"""Deflated Explicit VR Little Endian, and the two that refer to pixels by JPIP."""
_ENCAPSULATED = re.compile(r"1\.2\.840\.10008\.1\.2\.(1\.98|4\.\d+(\.\d+)*|5|7\.\d+|8\.1)")


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """How elements are written: implicit or explicit VR, and the byte order, "<" or ">". There are three of them."""

    implicit: bool
    order: str

    @property
    def head(self) -> Callable[[bytes, int], tuple[bytes, int]]:
        """Reads (key, length) at an offset: tag and, if explicit, VR; 16 bits of length or, if implicit, 32."""
        return _HEADS[self]

    @property
    def length(self) -> Callable[[bytes, int], tuple[int]]:
        """Reads a length of 32 bits at an offset."""
        return _LENGTHS[self.order]

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

    def begin(self, tag: int, vr: str, size: int) -> bytes:
        """What stands before the value of a sequence of defined length."""
        return self.write(tag, "SQ" if vr == "SQ" else "UN", b"")[:-4] + struct.pack(self.order + "I", size)

    def mark(self, tag: int, size: int = 0) -> bytes:
        """One encoded Item, Item Delimitation Item or Sequence Delimitation Item (PS3.5 7.5)."""
        return struct.pack(self.order + "HHI", tag >> 16, tag & 0xFFFF, size)

    def item(self, content: bytes, *, delimited: bool = False) -> bytes:
        """One encoded item, in defined length or with a delimiter."""
        if delimited:
            return self.mark(ITEM, UNDEFINED) + content + self.mark(ITEM_END)
        return self.mark(ITEM, len(content)) + content


IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE = Encoding(True, "<"), Encoding(False, "<"), Encoding(False, ">")
ENCODINGS = (IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE)
_HEADS: dict[Encoding, Callable[[bytes, int], tuple[bytes, int]]] = {
    IMPLICIT_LE: struct.Struct("<4sI").unpack_from,
    EXPLICIT_LE: struct.Struct("<6sH").unpack_from,
    EXPLICIT_BE: struct.Struct(">6sH").unpack_from,
}
_LENGTHS: dict[str, Callable[[bytes, int], tuple[int]]] = {
    "<": struct.Struct("<I").unpack_from,
    ">": struct.Struct(">I").unpack_from,
}


def encoding_inside(written_vr: str, encoding: Encoding) -> Encoding:
    """The encoding of a sequence's items: Implicit VR Little Endian if the sequence has VR UN (PS3.5 6.2.2)."""
    return IMPLICIT_LE if written_vr == "UN" else encoding


def long_length(buf: bytes, pos: int, order: str) -> int:
    """The 32-bit length at `pos`."""
    try:
        return _LENGTHS[order](buf, pos)[0]
    except struct.error:
        raise DataFault("Truncated") from None


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """A transfer syntax by its UID (PS3.5 section 10 and Annex A)."""

    uid: str
    encoding: Encoding
    deflated: bool = False
    encapsulated: bool = False


@lru_cache(maxsize=256)
def transfer_syntax(encoded_uid: bytes) -> TransferSyntax:
    """The transfer syntax of a UID; DataFault for a syntax that sendit does not read."""
    uid = encoded_uid.decode("ascii", "replace")
    plain = {IMPLICIT_LITTLE: IMPLICIT_LE, EXPLICIT_LITTLE: EXPLICIT_LE, EXPLICIT_BIG: EXPLICIT_BE}
    if uid in plain:
        return TransferSyntax(uid, plain[uid])
    if uid in DEFLATED:
        return TransferSyntax(uid, EXPLICIT_LE, deflated=True)
    if _ENCAPSULATED.fullmatch(uid):
        return TransferSyntax(uid, EXPLICIT_LE, encapsulated=True)
    raise DataFault("UnknownTransferSyntax", tag=0x00020010)
