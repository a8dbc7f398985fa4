"""The study's archive: a `.tar.gz` in which every image is its own gzip member, so that one ranged read gets one image.

Knows tar, gzip and checksums; nothing of DICOM, of Django or of where the archive goes. Layout: `docs/archive.md`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import google_crc32c
from isal import isal_zlib

from sendit.durable import disk, draft_of, private, sweep_drafts, sync
from sendit.errors import BrokenPromise, DataFault
from sendit.pipeline.record.member import Member

Bytes = bytes | bytearray | memoryview

GZIP = 31
"""zlib's window bits for a gzip member with a 32 KiB window."""
LEVEL = 1
BLOCK_BYTES = 1 << 20
"""What is compressed at a time: igzip's output depends on how its input is cut, so the cuts are always the same."""
RAW = -15
"""zlib's window bits for a deflate stream without head and trailer."""
TAR_BLOCK = 512
_USTAR_NAME = 100
_USTAR_SIZE = 8 << 30


@dataclass(frozen=True, slots=True)
class ArchiveFacts:
    """The finished archive; `crc32c` is base64 of the big-endian checksum, as Google Cloud Storage shows it."""

    size_bytes: int
    crc32c: str
    sha256: str


class Stream(Protocol):
    """One image's bytes, as `io.RawIOBase` reads them."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Put the next bytes into the buffer; returns how many, 0 at the end."""
        ...


class ArchiveWriter:
    """Writes one archive under a temporary name; `close` gives it its final name.

    A context manager: a block that is left without `close` leaves nothing behind.

    Parameters
    ----------
    path : Path
        The final name. What stood there is replaced; what a killed writer of the same name left behind is removed.
    top_folder : str
        The one folder inside the archive.

    Raises
    ------
    ServiceDown
        `NoSpace`, `DiskRefused`: the disk said no, here or in any method; a later try may pass.
    """

    def __init__(self, path: Path, top_folder: str) -> None:
        self._path, self._draft = path, draft_of(path)
        self._folder = _flat(top_folder)
        self._names: set[str] = set()
        self._block = bytearray(BLOCK_BYTES)
        self._offset = self._crc32c = 0
        self._sha256 = hashlib.sha256()
        with disk("archive"):
            sweep_drafts(path)
            self._file = open(self._draft, "xb", buffering=0, opener=private)  # noqa: SIM115 - closed by close or abort
        with ExitStack() as undo:
            undo.callback(self.abort)
            self._write(_gzip_member([_folder_header(self._folder)]))
            undo.pop_all()

    def add(self, name: str, size: int, image: Stream, compressed_from: int | None = None) -> Member:
        """Append one image of `size` bytes; whatever its stream raises, the archive is as if it had not been begun.

        Parameters
        ----------
        compressed_from : int, optional
            Where the image is compressed already; what follows is stored, because compressing it again saves nothing.

        Raises
        ------
        BrokenPromise
            `ArchiveSize`: the stream has another size. `ArchiveName`: a name is not flat or stands twice.
        """
        if _flat(name) in self._names:
            raise BrokenPromise("ArchiveName")
        digest = hashlib.sha256()
        offset = self._offset
        with ExitStack() as undo:
            undo.callback(self._rewind, offset, self._crc32c, self._sha256.copy())
            header = _file_header(f"{self._folder}/{name}", size)
            blocks = _entry(header, size, image, digest, memoryview(self._block))
            self._write(
                _gzip_member(blocks) if compressed_from is None else _half_stored(blocks, len(header) + compressed_from)
            )
            undo.pop_all()
        self._names.add(name)
        return Member(name, offset, self._offset - offset, digest.hexdigest(), size)

    def close(self) -> ArchiveFacts:
        """End the archive, make its bytes durable, and only then give it its name."""
        with ExitStack() as undo:
            undo.callback(self.abort)
            self._write(_gzip_member([bytes(2 * TAR_BLOCK)]))
            self._file.close()
            with disk("archive"):
                sync(self._draft)
                os.rename(self._draft, self._path)
        crc32c = base64.b64encode(self._crc32c.to_bytes(4, "big")).decode()
        return ArchiveFacts(self._offset, crc32c, self._sha256.hexdigest())

    def abort(self) -> None:
        """Leave nothing of an archive that was not closed."""
        self._file.close()
        self._draft.unlink(missing_ok=True)

    def __contains__(self, name: str) -> bool:
        """Whether there is an image of that name."""
        return name in self._names

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def _write(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                with disk("archive"):
                    rest = rest[self._file.write(rest) :]
            self._offset += len(piece)
            self._crc32c = google_crc32c.extend(self._crc32c, piece)
            self._sha256.update(piece)

    def _rewind(self, offset: int, crc32c: int, sha256: hashlib._Hash) -> None:
        with disk("archive"):
            self._file.truncate(offset)
            self._file.seek(offset)
        self._offset, self._crc32c, self._sha256 = offset, crc32c, sha256


def read_member(fetch: Callable[[int, int], bytes], offset: int, length: int) -> tuple[str, bytes]:
    """One image out of an archive by one ranged read: its file name and its bytes.

    Parameters
    ----------
    fetch : Callable
        `fetch(offset, length)` answers `length` bytes of the archive from `offset`.
    offset, length : int
        As the table `instance` has them.

    Raises
    ------
    DataFault
        `NotAnImage`: those bytes are not one image's member.
    """
    try:
        inflated = zlib.decompress(fetch(offset, length), GZIP)
        with tarfile.open(fileobj=io.BytesIO(inflated), mode="r:") as tar:
            entry = tar.next()
            content = tar.extractfile(entry) if entry else None
            if entry is None or content is None:
                raise DataFault("NotAnImage")
            return entry.name.rpartition("/")[2], content.read()
    except (zlib.error, tarfile.TarError):
        raise DataFault("NotAnImage") from None


def _flat(name: str) -> str:
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise BrokenPromise("ArchiveName")
    return name


def _entry(header: bytes, size: int, image: Stream, digest: hashlib._Hash, block: memoryview) -> Iterator[memoryview]:
    """A tar entry, cut into blocks: header, data (hashed as they pass) and padding; each is gone with the next one."""
    begin = len(header)
    block[:begin] = header
    left = size
    while left >= len(block) - begin:
        filled = _fill(image, block[begin:])
        digest.update(block[begin : begin + filled])
        left -= filled
        if begin + filled < len(block):
            raise BrokenPromise("ArchiveSize", count=size - left)
        yield block
        begin = 0
    end = begin + left
    filled = _fill(image, block[begin : end + 1])
    if filled != left:
        raise BrokenPromise("ArchiveSize", count=size - left + filled)
    digest.update(block[begin:end])
    yield block[:end]
    yield memoryview(bytes(-size % TAR_BLOCK))


def _fill(image: Stream, block: memoryview) -> int:
    """As many bytes as the stream has and the block takes."""
    filled = 0
    while filled < len(block) and (count := image.readinto(block[filled:])):
        filled += count
    return filled


def _gzip_member(blocks: Iterable[Bytes]) -> Iterator[bytes]:
    """The member's bytes: no name, no mtime, so the same blocks make the same bytes."""
    compress = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, GZIP)
    held = b""
    for block in blocks:
        held += compress.compress(block)
        if len(held) >= BLOCK_BYTES:
            yield held
            held = b""
    yield held + compress.flush()


_GZIP_HEAD = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
"""As igzip writes it (RFC 1952): no name, no time, no operating system."""
_STORED = struct.Struct("<BHH")
"""The head of a stored deflate block (RFC 1951 3.2.4): not the last one; its length, and that inverted."""
_STORED_BYTES = 0xFFFF
_LAST = b"\1\0\0\xff\xff"
"""A stored block that is empty and the last one."""


def _half_stored(blocks: Iterable[Bytes], compressible_bytes: int) -> Iterator[bytes]:
    """A member of which so many bytes are compressed, and what follows is stored."""
    compress = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, RAW)
    crc32 = size = 0
    yield _GZIP_HEAD
    for block in blocks:
        crc32 = isal_zlib.crc32(block, crc32)
        begin = max(compressible_bytes - size, 0)
        size += len(block)
        if begin:
            yield compress.compress(block[:begin])
            if size >= compressible_bytes:
                yield compress.flush(isal_zlib.Z_SYNC_FLUSH)  # ends at a whole byte, where a stored block must begin
        yield _stored(block[begin:])
    yield _LAST + struct.pack("<II", crc32, size & 0xFFFFFFFF)


def _stored(block: Bytes) -> bytes:
    pieces = (block[begin : begin + _STORED_BYTES] for begin in range(0, len(block), _STORED_BYTES))
    return b"".join(
        part for piece in pieces for part in (_STORED.pack(0, len(piece), len(piece) ^ _STORED_BYTES), piece)
    )


# What tarfile makes of a regular file, uid and gid 0, mode 0644, mtime 0, before and after name and size.
_BEFORE_SIZE = b"0000644\0" + b"0000000\0" * 2
_AFTER_SIZE = (b"0" * 11 + b"\0" + b" " * 8 + b"0" + bytes(100) + b"ustar\x0000").ljust(376, b"\0")
_CHECKSUM = slice(148, 156)


def _file_header(name: str, size: int) -> bytes:
    """As `tarfile` writes it, six times as fast where name and size fit into a ustar header."""
    if len(name) > _USTAR_NAME or not name.isascii() or size >= _USTAR_SIZE:
        return _header(name, size)
    header = bytearray(name.encode().ljust(_USTAR_NAME, b"\0") + _BEFORE_SIZE + b"%011o\0" % size + _AFTER_SIZE)
    header[_CHECKSUM] = b"%06o\0 " % sum(header)
    return bytes(header)


def _folder_header(name: str) -> bytes:
    return _header(name, 0, tarfile.DIRTYPE, 0o755)


def _header(name: str, size: int, kind: bytes = tarfile.REGTYPE, mode: int = 0o644) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.mode = size, kind, mode
    return entry.tobuf(tarfile.PAX_FORMAT)
