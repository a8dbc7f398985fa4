"""A de-identified image: the File Meta Information that it gets, and its bytes, read as they are written."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from sendit.deid.burned_in.record import PixelRecord
from sendit.deid.description import Describer, Instance
from sendit.deid.image_stream import ImageStream, joined, send_all, write_all
from sendit.deid.rewriting.actions import ElementAction
from sendit.deid.stream.encodings import EXPLICIT_LE
from sendit.deid.stream.part_ten import PartTen
from sendit.deid.stream.sources import CHUNK, Bulk, FileSource
from sendit.deid.stream.tags import PIXEL_DATA_TAGS
from sendit.deid.verify import Identity
from sendit.errors import DataFault

IMPLEMENTATION_CLASS_UID = "2.25.182110035787192016398455469105522174389"
IMPLEMENTATION_VERSION_NAME = "SENDIT"
PREAMBLE = bytes(128) + b"DICM"
HARDLY_COMPRESSED = frozenset({"1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.98"})
"""RLE Lossless and Encapsulated Uncompressed: what they encapsulate can be compressed well."""


@lru_cache(maxsize=256)
def _meta_around(sop_class_uid: bytes, syntax_uid: str) -> tuple[bytes, bytes]:
    """What stands before and behind the SOP Instance UID in the File Meta Information, its group length left out."""
    version, software = b"\0\1", IMPLEMENTATION_VERSION_NAME.encode()
    head = EXPLICIT_LE.write(0x00020001, "OB", version)
    head += EXPLICIT_LE.write(0x00020002, "UI", even(sop_class_uid)) if sop_class_uid else b""
    tail = EXPLICIT_LE.write(0x00020010, "UI", even(syntax_uid.encode("ascii")))
    tail += EXPLICIT_LE.write(0x00020012, "UI", even(IMPLEMENTATION_CLASS_UID.encode("ascii")))
    return head, tail + EXPLICIT_LE.write(0x00020013, "SH", software)


def file_meta(sop_class_uid: bytes, sop_instance_uid: bytes, syntax_uid: str) -> bytes:
    """The File Meta Information of an output (PS3.10 7.1): always new, never copied from the input."""
    head, tail = _meta_around(sop_class_uid, syntax_uid)
    if sop_instance_uid:
        uid = even(sop_instance_uid)
        head = b"%b\2\0\3\0UI%b%b" % (head, len(uid).to_bytes(2, "little"), uid)
    return b"\2\0\0\0UL\4\0%b%b%b" % ((len(head) + len(tail)).to_bytes(4, "little"), head, tail)


def even(uid: bytes) -> bytes:
    """The UID, padded to even length (PS3.5 6.2)."""
    return uid + b"\0" if len(uid) % 2 else uid


class DeidentifiedImage:
    """A de-identified, verified image, ready to be written once.

    Its bulk data is read from the source only as it is written, so the source must not change until then.

    Attributes
    ----------
    size : int
        Bytes that it will have as a file.
    done : list of ElementAction
        What was done to its elements; an `Account` counts them.
    identity : Identity
        The UIDs by which it is told from others.
    pixels : PixelRecord, optional
        What was done to its pixels; None where they were not looked at.
    """

    __slots__ = ("_describer", "_head", "_instance", "_part_ten", "_pieces", "_size", "done", "identity", "pixels")

    def __init__(
        self,
        part_ten: PartTen,
        head: bytes,
        pieces: list[bytes | Bulk],
        describer: Describer,
        done: list[ElementAction],
        identity: Identity,
        pixels: PixelRecord | None = None,
    ) -> None:
        self._part_ten, self._head, self._pieces, self._describer = part_ten, head, pieces, describer
        self.done, self.identity, self.pixels = done, identity, pixels
        self._size: int | None = None
        self._instance: Instance | None = None

    @property
    def size(self) -> int:
        """Length of the file in bytes."""
        if self._size is None:
            if self._part_ten.syntax.deflated:
                self._size = sum(len(piece) for piece in self._deflated())
            else:
                self._size = len(self._head) + sum(p.size if isinstance(p, Bulk) else len(p) for p in self._pieces)
        return self._size

    @property
    def compressed_from(self) -> int | None:
        """Where it is compressed by its transfer syntax, up to its end; None if no part of it is."""
        syntax, position = self._part_ten.syntax, len(self._head)
        if syntax.deflated:
            return position
        if not syntax.encapsulated or syntax.uid in HARDLY_COMPRESSED:
            return None
        for piece in self._pieces:
            if isinstance(piece, Bulk) and piece.tag in PIXEL_DATA_TAGS:
                return position + len(piece.head)
            position += piece.size if isinstance(piece, Bulk) else len(piece)
        return None

    @property
    def held_bytes(self) -> int:
        """How much of it is in memory."""
        return sum(len(piece) for piece in self._pieces if isinstance(piece, bytes))

    @property
    def instance(self) -> Instance:
        """What the output says of itself, for the warehouse."""
        if self._instance is None:
            part_ten = self._part_ten
            self._instance = self._describer.instance(self._pieces, part_ten.encoding, part_ten.syntax.uid)
        return self._instance

    def ensure_identified(self) -> None:
        """MissingUID, and the source is closed, where it does not say which image it is, of which study and series."""
        try:
            self.identity.ensure_whole()
        except DataFault:
            self.close()
            raise

    def stream(self) -> ImageStream:
        """The file's bytes, once; whoever reads them closes the image."""
        return ImageStream(self._parts(), self._part_ten.source)

    def chunks(self) -> Iterator[bytes]:
        """The file's bytes, once, in bounded pieces; closes the source at the end."""
        stream, buffer = self.stream(), memoryview(bytearray(min(self.size, CHUNK)))
        try:
            while count := stream.readinto(buffer):
                yield buffer[:count].tobytes()
        finally:
            self.close()

    def _parts(self) -> Iterator[bytes | Bulk]:
        """What the file is made of: bytes, and ranges of the source."""
        return self._deflated() if self._part_ten.syntax.deflated else joined([self._head, *self._pieces])

    def _deflated(self) -> Iterator[bytes]:
        yield self._head
        deflate, size = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS), 0
        plain = ImageStream(joined(self._pieces), self._part_ten.source)
        buffer = memoryview(bytearray(CHUNK))
        while count := plain.readinto(buffer):
            size += len(out := deflate.compress(buffer[:count]))
            yield out
        size += len(out := deflate.flush())
        yield out + (b"\0" if size % 2 else b"")  # PS3.5 A.5: padded to even

    def tobytes(self) -> bytes:
        """The whole file in memory."""
        return b"".join(self.chunks())

    def write(self, path: Path | str) -> int:
        """Write the file; what stands at `path` is replaced. Returns its size."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            return self.write_to(handle)
        finally:
            os.close(handle)

    def write_to(self, handle: int) -> int:
        """Write the file to an open descriptor; bulk data goes from file to file within the kernel where it can."""
        source = self._part_ten.source
        try:
            if isinstance(source, FileSource):
                return sum(
                    write_all(handle, part) if isinstance(part, bytes) else send_all(handle, source.handle, part)
                    for part in self._parts()
                )
            return sum(write_all(handle, chunk) for chunk in self.chunks())
        finally:
            self.close()

    def close(self) -> None:
        """Close the source; the image can no longer be written."""
        self._part_ten.source.close()
