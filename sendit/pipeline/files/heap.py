"""What a heap of files holds: its files, and what is in its ZIP and TAR archives, in an order that stays the same.

An archive is untrusted: its members' names are not used, a link or a device in it is not followed, and what it expands
to is bounded. An archive within an archive is opened too, and one within that is not.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO, Any

from sendit.deid.stream.sources import FileSource, Source
from sendit.durable import draft_of
from sendit.errors import DataFault

ALLOWANCE, RATIO = 1 << 30, 200
"""An archive may expand to the allowance plus the ratio times its size."""
HELD = 64 << 20
"""So many bytes of a member are held in memory while its header is read."""
DAMAGED = "is an archive that is damaged, encrypted or of an unknown kind"
MOST_MEMBERS = 1_000_000
NESTED = 1
"""How deep within the outermost archive another archive is opened."""
COMPRESSED: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
"""What opens a compressed file, by its first bytes."""
HEAD_BYTES = 512
BROKEN = (
    *(OSError, EOFError, RuntimeError, ValueError, OverflowError, struct.error),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)
"""What the libraries raise of an archive that is damaged, encrypted or of a kind that they do not know."""

Key = tuple[str, tuple[int, ...]]
"""The path of a file, and the numbers of the members in it, from the outermost archive inwards."""


class Placed(StrEnum):
    """How a file came into its folder."""

    LINKED = "linked"
    COPIED = "copied"
    EXTRACTED = "extracted"


class ArchiveRefused(Exception):
    """An archive that cannot be read to its end; `why` says it without a name."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class ArchiveExpands(ArchiveRefused):
    """One that would fill the disk: nothing more of it is read."""


@dataclass(frozen=True, slots=True, repr=False)
class HeapFile:
    """A file of the heap, for as long as the caller looks at it."""

    key: Key
    size_bytes: int
    open: Callable[[], Source]
    sha256: Callable[[], str]
    """Of its bytes; of a member, in place of putting it."""
    put: Callable[[Path], Placed]
    """Give it a name of its own in another folder; what it is called there is there as a whole or not at all."""


@dataclass(frozen=True, slots=True, repr=False)
class Unusable:
    """Something in the heap that cannot be looked into."""

    key: Key
    why: str


def walk(root: Path, passed_over: frozenset[tuple[int, int]]) -> Iterator[HeapFile | Unusable]:
    """Everything in a file or a folder, sub-folders and archives included, but for the folders `passed_over`.

    Parameters
    ----------
    passed_over : frozenset
        Device and inode of folders that are not looked into.
    """
    for path in _paths(str(root), passed_over):
        try:
            yield from _of_path(path)
        except ArchiveRefused as refused:
            yield Unusable((path, ()), refused.why)
        except OSError:
            yield Unusable((path, ()), "cannot be read")


def _paths(root: str, passed_over: frozenset[tuple[int, int]]) -> Iterator[str]:
    """Files in order of the names' bytes; links, pipes and devices are none."""
    found = os.lstat(root)
    if stat.S_ISREG(found.st_mode):
        yield root
    elif stat.S_ISDIR(found.st_mode) and (found.st_dev, found.st_ino) not in passed_over:
        for name in sorted(os.listdir(root), key=os.fsencode):
            with suppress(FileNotFoundError):
                yield from _paths(os.path.join(root, name), passed_over)


def _of_path(path: str) -> Iterator[HeapFile | Unusable]:
    with open(path, "rb") as stream:
        head = stream.read(HEAD_BYTES)
        inside = _opener(head)
        if inside is None:
            size = os.fstat(stream.fileno()).st_size
            sha256, put = partial(_sha256, path), partial(_link_or_copy, path)
            yield HeapFile((path, ()), size, partial(FileSource, path), sha256, put)
            return
        stream.seek(0)
        budget = _Budget(ALLOWANCE + RATIO * os.fstat(stream.fileno()).st_size)
        with refusing():
            yield from inside(stream, (path, ()), budget)


def _link_or_copy(path: str, target: Path) -> Placed:
    try:
        os.link(path, target, follow_symlinks=False)
        return Placed.LINKED
    except FileExistsError:
        raise
    except OSError:  # another disk, another owner, a file system that has no links
        _whole(target, lambda draft: shutil.copy2(path, draft))
        return Placed.COPIED


def _sha256(path: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _whole(target: Path, write: Callable[[Path], Any]) -> None:
    draft = draft_of(target)
    try:
        write(draft)
        os.rename(draft, target)
    finally:
        draft.unlink(missing_ok=True)


# ---------------------------------------------------------------------------------------------- archives


class refusing:
    """What goes wrong within an archive is the archive's fault."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BROKEN):
            raise ArchiveRefused(DAMAGED) from None


class _Budget:
    """How many bytes an archive may still expand to."""

    def __init__(self, size: int) -> None:
        self._left = size

    def spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ArchiveExpands(f"is an archive that expands to more than {RATIO} times its size")


class _Counted:
    """A stream whose bytes are counted."""

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self._stream, self._budget = stream, budget

    def read(self, size: int = -1) -> bytes:
        found = self._stream.read(size)
        self._budget.spend(len(found))
        return found


Inside = Callable[[IO[bytes], Key, _Budget], Iterator[HeapFile | Unusable]]


def _opener(head: bytes) -> Inside | None:
    """What reads an archive that begins so; None for a file that is none."""
    if head[128:132] == b"DICM":
        return None
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return _in_zip
    if head[257:262] == b"ustar" or any(map(head.startswith, COMPRESSED)):
        return _in_stream
    return None


def _in_zip(stream: IO[bytes], key: Key, budget: _Budget) -> Iterator[HeapFile | Unusable]:
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise ArchiveRefused("is an archive with too many members")
        for number, member in enumerate(members):
            if not member.is_dir():
                opens = partial(archive.open, member)
                yield from _member((key[0], (*key[1], number)), member.file_size, opens, budget)


def _in_stream(stream: IO[bytes], key: Key, budget: _Budget) -> Iterator[HeapFile | Unusable]:
    """A TAR, compressed or not; or one compressed file."""
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    opens = next((opens for magic, opens in COMPRESSED.items() if head.startswith(magic)), None)
    with ExitStack() as stack:
        plain: Any = stack.enter_context(opens(stream, "rb")) if opens else stream
        head = plain.read(HEAD_BYTES)
        plain.seek(0)
        if head[257:262] == b"ustar":
            counted: Any = _Counted(plain, budget)
            tar = stack.enter_context(tarfile.open(fileobj=counted, mode="r|"))
            yield from _in_tar(tar, key, budget)
        else:
            yield from _member((key[0], (*key[1], 0)), -1, partial(_itself, plain), budget)


def _in_tar(tar: tarfile.TarFile, key: Key, budget: _Budget) -> Iterator[HeapFile | Unusable]:
    number = 0
    while member := tar.next():
        number += 1
        if number > MOST_MEMBERS:
            raise ArchiveRefused("is an archive with too many members")
        tar.members = []  # type: ignore[attr-defined] # it would remember every one
        content = tar.extractfile(member) if member.isreg() else None
        if content:
            yield from _member((key[0], (*key[1], number)), member.size, partial(_itself, content), budget)
    _ensure_end(tar)


def _ensure_end(tar: tarfile.TarFile) -> None:
    """A TAR ends with two blocks of zeros; the library takes whatever it does not understand for its end."""
    stream: Any = tar.fileobj
    rest = stream.read(1 << 20)
    is_end = bool(rest)
    while rest:
        is_end &= not rest.strip(b"\0")
        rest = stream.read(1 << 20)
    if not is_end:
        raise ArchiveRefused(DAMAGED)


def _itself(stream: IO[bytes]) -> IO[bytes]:
    return stream


def _member(key: Key, size: int, opens: Callable[[], IO[bytes]], budget: _Budget) -> Iterator[HeapFile | Unusable]:
    """A member, or what is in it if it is an archive itself. A member of a stream can be read once only."""
    try:
        source = MemberSource(opens(), size, budget)
        inside = _opener(source.read(0, HEAD_BYTES))
        if inside is None:
            yield HeapFile(key, size, lambda: source, source.sha256, source.put)
        elif len(key[1]) > NESTED:
            yield Unusable(key, "is an archive within an archive within an archive")
        else:
            with tempfile.TemporaryFile() as spooled:
                spooled.writelines(source.pieces())
                spooled.seek(0)
                with refusing():
                    yield from inside(spooled, key, budget)
    except ArchiveExpands:
        raise
    except ArchiveRefused as refused:
        yield Unusable(key, refused.why)
    except BROKEN:
        yield Unusable(key, "cannot be read out of its archive")


class MemberSource:
    """A member of an archive, read forwards: its beginning is held, so that its header can be read twice."""

    def __init__(self, stream: IO[bytes], size: int, budget: _Budget) -> None:
        self._stream, self._budget, self._held = stream, budget, bytearray()
        self.size = HELD if size < 0 else size

    def read(self, offset: int, length: int) -> bytes:
        missing = offset + length - len(self._held)
        if missing > 0:
            if offset + length > HELD:
                raise DataFault("TooLarge")
            self._held += self._more(missing)
        return bytes(self._held[offset : offset + length])

    def readinto(self, offset: int, buffer: memoryview) -> int:
        found = self.read(offset, len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        """Nothing: the archive is open for as long as it is walked through."""

    def _more(self, size: int) -> bytes:
        with refusing():
            found = self._stream.read(size)
        self._budget.spend(len(found))
        return found

    def pieces(self) -> Iterator[bytes]:
        """All of it, once."""
        yield bytes(self._held)
        while found := self._more(1 << 20):
            yield found

    def sha256(self) -> str:
        """As `HeapFile.sha256`."""
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()

    def put(self, target: Path) -> Placed:
        """As `HeapFile.put`."""

        def write(draft: Path) -> None:
            with draft.open("xb") as stream:
                stream.writelines(self.pieces())

        _whole(target, write)
        return Placed.EXTRACTED
