"""Only picture: Pixel Data without what is none, put together from ranges of the source and rewritten bytes.

Frames keep their coded bytes; lengths and offset tables are those of what is left.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from sendit.deid.pixels.agreement import ensure_agreement
from sendit.deid.pixels.encapsulated import Encapsulated
from sendit.deid.pixels.icons import with_pictures
from sendit.deid.pixels.image_pixel import (
    ICON_IMAGE_SEQUENCE,
    ImagePixel,
    image_pixel,
    number_of_frames,
)
from sendit.deid.pixels.selection import Spare, Witness
from sendit.deid.pixels.signals import SIGNALS, SPECTROSCOPY_DATA, signal_bytes
from sendit.deid.pixels.syntaxes import CODECS
from sendit.deid.rewriting.actions import DROP, ElementAction
from sendit.deid.stream.encodings import UNDEFINED, Encoding, TransferSyntax
from sendit.deid.stream.sources import CHUNK, Bulk, BytesSource, Source
from sendit.deid.stream.tags import PIXEL_DATA_TAGS

LONG_HEAD_BYTES = 12
"""The head of an element in the long explicit form."""
UNDEFINED_LENGTH = UNDEFINED.to_bytes(4, "little")
OVERLAP_BYTES = 1024
"""What two windows have in common in which an identifier is looked for."""

_CUT = PIXEL_DATA_TAGS | {SPECTROSCOPY_DATA}

Pieces = list[bytes | Bulk]


@lru_cache(maxsize=256)
def dropping(tag: int, spare: Spare) -> ElementAction:
    """What the account counts for something that was dropped from the pixels of an image."""
    found = ElementAction(DROP, tag, "OB", long=True)
    found.action = f"PIXELS_{spare}"
    return found


def only_picture(
    pieces: Pieces, values: Mapping[int, bytes], source: Source, syntax: TransferSyntax, witness: Witness
) -> tuple[Pieces, Collection[ElementAction]]:
    """The pieces of a dataset without what is no picture, and an action for each kind of what was dropped.

    Parameters
    ----------
    pieces : list of bytes or Bulk
    values : mapping
        The encoded values of its Image Pixel Module, by tag.
    source : Source
        What a Bulk is a range of.
    syntax : TransferSyntax
    witness : callable
        Searches what is left that is not coded pixels.

    Raises
    ------
    DataFault
        BadPixelData, where a codestream cannot be understood; ResidualIdentifier.
    """
    if ICON_IMAGE_SEQUENCE in values:
        icons = Pictures(source, syntax, witness)
        pieces, values = (
            icons.of_items(pieces, values),
            {tag: values[tag] for tag in values if tag != ICON_IMAGE_SEQUENCE},
        )
        pieces, dropped = only_picture(pieces, values, source, syntax, witness)
        return pieces, {*icons.dropped, *dropped}
    encoding, key = syntax.encoding, tuple(values.items())
    for piece in pieces:
        if piece.__class__ is Bulk and piece.tag in _CUT:
            fits = _fits(key, encoding.order, piece.tag, piece.length)
            if not fits or piece.parts or is_encapsulated(piece, encoding):
                pictures = Pictures(source, syntax, witness)
                return pictures.of(pieces, values), pictures.dropped
    return pieces, ()  # the commonest case: not a byte too many


class StudyPictures:
    """Leaves only picture in a study's images; those of a series agree in all that decides about their pixel data.

    Parameters
    ----------
    search : callable
        Searches what is left that is not coded pixels.
    """

    __slots__ = ("_head", "_length", "_search", "_syntax", "_values")

    def __init__(self, search: Witness) -> None:
        self._search = search
        self._head, self._length = b"", 0
        self._syntax: TransferSyntax | None = None
        self._values: Mapping[int, bytes] = {}

    def only_picture(
        self, pieces: Pieces, values: Mapping[int, bytes], bulks: Sequence[Bulk], source: Source, syntax: TransferSyntax
    ) -> tuple[Pieces, Collection[ElementAction]]:
        """The same as the function; pixel data that is not what the transfer syntax says is refused first.

        `bulks` is which of the pieces are not held in memory.
        """
        if len(bulks) == 1 and self._is_like_latest(bulks[0], values, syntax):
            return pieces, ()
        ensure_agreement(pieces, syntax)
        found, dropped = only_picture(pieces, values, source, syntax, self._search)
        if found is pieces and len(bulks) == 1 and bulks[0].tag in PIXEL_DATA_TAGS:
            self._head, self._length, self._syntax, self._values = bulks[0].head, bulks[0].length, syntax, values
        return found, dropped

    def _is_like_latest(self, bulk: Bulk, values: Mapping[int, bytes], syntax: TransferSyntax) -> bool:
        """Whether it has the head, the length and the Image Pixel Module of the latest that stayed as it was."""
        return (
            bulk.length == self._length
            and bulk.head == self._head
            and not bulk.parts
            and syntax is self._syntax
            and values == self._values
        )


@lru_cache(maxsize=1024)
def _fits(values: tuple[tuple[int, bytes], ...], order: str, tag: int, length: int) -> bool:
    """Whether pixels without compression are as many bytes as they are said to be, without padding."""
    pixel = image_pixel(dict(values), order, tag)
    return pixel is not None and length % 2 == 0 and pixel.native_bytes(length) == length


class Pictures:
    """Takes what is no picture from an image's Pixel Data.

    Parameters
    ----------
    source : Source
        What a Bulk is a range of.
    syntax : TransferSyntax
    witness : callable
        Searches what is left that is not coded pixels.

    Attributes
    ----------
    dropped : set of ElementAction
        What was dropped, an action for each kind.
    """

    __slots__ = ("_source", "_syntax", "_witness", "dropped")

    def __init__(self, source: Source, syntax: TransferSyntax, witness: Witness) -> None:
        self._source, self._syntax, self._witness = source, syntax, witness
        self.dropped: set[ElementAction] = set()

    def of(self, pieces: Pieces, values: Mapping[int, bytes]) -> Pieces:
        """The pieces of a dataset whose Image Pixel Module has these encoded values."""
        found: Pieces = []
        for piece in pieces:
            if piece.__class__ is Bulk and piece.tag in _CUT:
                piece = self.element(piece, values, found)
            found.append(piece)
        return found

    def of_items(self, pieces: Pieces, values: Mapping[int, bytes]) -> Pieces:
        """The pieces, with the pixel data within their sequences treated."""
        encoding = self._syntax.encoding

        def picture_of(bulk: Bulk, own: Mapping[int, bytes], inner: Encoding) -> Bulk:
            pictures = Pictures(self._source, replace(self._syntax, encoding=inner), self._witness)
            made = pictures.element(bulk, own, [])
            self.dropped |= pictures.dropped
            return made

        return [
            (with_pictures(piece, 0, len(piece), encoding, picture_of, before=values) or piece)
            if isinstance(piece, bytes)
            else piece
            for piece in pieces
        ]

    def element(self, bulk: Bulk, values: Mapping[int, bytes], before: Pieces) -> Bulk:
        """One element of pixel data; the extended offset table is one of the pieces before it, which change with it."""
        if bulk.tag in SIGNALS:
            return self._signal(bulk, values)
        if bulk.parts:
            return self._held(bulk, values, before)
        encoding = self._syntax.encoding
        pixel = image_pixel(values, encoding.order, bulk.tag)
        if not is_encapsulated(bulk, encoding):
            return self._native(bulk, pixel)
        codec = CODECS.get(self._syntax.uid)
        if codec is None:
            return self._searched(bulk)
        items = Encapsulated(bulk, self._source, encoding, self._witness)
        result = items.picture(pixel, codec, number_of_frames(values), before)
        self.dropped.update(dropping(bulk.tag, spare) for spare in items.dropped)
        return result

    def _signal(self, bulk: Bulk, values: Mapping[int, bytes]) -> Bulk:
        """A waveform or a spectrum, up to its last sample."""
        encoding = self._syntax.encoding
        wanted = signal_bytes(bulk.tag, values, encoding.order)
        if wanted is None or bulk.length <= wanted + wanted % 2 or is_encapsulated(bulk, encoding):
            return bulk
        self.dropped.add(dropping(bulk.tag, Spare.TAIL))
        padding = b"\0" * (wanted % 2)
        begin = bulk.parts[0][:wanted] if bulk.parts and isinstance(bulk.parts[0], bytes) else b""
        data: bytes | Bulk = begin or Bulk(bulk.tag, b"", bulk.offset, wanted)
        parts = [data, padding] if padding else [data]
        return _made_of(bulk, parts, wanted + wanted % 2, encoding)

    def _held(self, bulk: Bulk, values: Mapping[int, bytes], before: Pieces) -> Bulk:
        """The same for an element that is held in memory."""
        value = b"".join(part for part in bulk.parts if isinstance(part, bytes))
        inner = Pictures(BytesSource(value), self._syntax, self._witness)
        result = inner.element(bulk._replace(offset=0, parts=()), values, before)
        self.dropped |= inner.dropped
        return result._replace(parts=(b"".join(_bytes_of(result, value)),))

    def _native(self, bulk: Bulk, pixel: ImagePixel | None) -> Bulk:
        """Pixels without compression, up to the last one."""
        wanted = None if pixel is None else pixel.native_bytes(bulk.length)
        if wanted is None or bulk.length < wanted:
            return self._searched(bulk)
        padded = wanted + wanted % 2
        if bulk.length == padded and self._is_padded(bulk, wanted):
            return bulk
        if bulk.length > wanted:
            self.dropped.add(dropping(bulk.tag, Spare.TAIL))
        parts: list[bytes | Bulk] = [Bulk(bulk.tag, b"", bulk.offset, wanted), *[b"\0"] * (padded - wanted)]
        return _made_of(bulk, parts, padded, self._syntax.encoding)

    def _is_padded(self, bulk: Bulk, wanted: int) -> bool:
        """Whether what stands behind the last pixel is a zero; in words of the other byte order it stands before it."""
        return (
            bulk.length == wanted
            or self._syntax.encoding.order == ">"
            or self._source.read(bulk.offset + wanted, 1) == b"\0"
        )

    def _searched(self, bulk: Bulk) -> Bulk:
        """A value whose picture cannot be told from what is none: it is searched and stays as it is."""
        offset, end = bulk.offset, bulk.offset + bulk.length
        while offset < end:
            self._witness(self._source.read(offset, min(CHUNK, end - offset)), "OW")
            offset += CHUNK - OVERLAP_BYTES
        return bulk


def is_encapsulated(bulk: Bulk, encoding: Encoding) -> bool:
    """Whether the element has an undefined length."""
    is_long = encoding.implicit or len(bulk.head) == LONG_HEAD_BYTES
    return is_long and bulk.head.endswith(UNDEFINED_LENGTH)


def _made_of(bulk: Bulk, parts: Iterable[bytes | Bulk], length: int, encoding: Encoding) -> Bulk:
    """The element with another value, whose length it says unless a delimiter ends it."""
    head = bulk.head
    if not is_encapsulated(bulk, encoding):
        is_long = encoding.implicit or len(head) == LONG_HEAD_BYTES
        size = struct.pack(encoding.order + ("I" if is_long else "H"), length)
        head = head[: -len(size)] + size
    return Bulk(bulk.tag, head, 0, length, tuple(parts))


def _bytes_of(bulk: Bulk, value: bytes) -> Iterator[bytes]:
    for part in bulk.parts or (bulk,):
        yield part if isinstance(part, bytes) else value[part.offset : part.offset + part.length]
