"""Whether an output's transfer syntax is the one that its pixel data is encoded in (PS3.5 A.4)."""

from __future__ import annotations

from collections.abc import Sequence

from sendit.deid.stream.encodings import UNDEFINED, Encoding, TransferSyntax
from sendit.deid.stream.sources import Bulk
from sendit.errors import DataFault

PIXEL_DATA = 0x7FE00010


def ensure_agreement(pieces: Sequence[bytes | Bulk], syntax: TransferSyntax) -> None:
    """Pixel Data is encapsulated if and only if the syntax encapsulates.

    Raises
    ------
    DataFault
        UnknownTransferSyntax: nobody could decode the pixels.
    """
    for piece in reversed(pieces):
        if isinstance(piece, Bulk):
            tag, head = piece.tag, piece.head
        else:
            tag, head = syntax.encoding.tag(piece[:4]), piece[:12]
        if tag == PIXEL_DATA and _is_encapsulated(head, syntax.encoding) is not syntax.encapsulated:
            raise DataFault("UnknownTransferSyntax", tag=PIXEL_DATA)
        if tag <= PIXEL_DATA:
            return


def _is_encapsulated(head: bytes, encoding: Encoding) -> bool:
    size = head[4:8] if encoding.implicit else head[8:12]
    return int.from_bytes(size, "little") == UNDEFINED
