"""A study folder: what it holds, file by file, whether it has changed, and the one door to its files. Knows no DICOM.

Everything is opened relative to the folder's own descriptor and no link is followed, so that nothing outside is read,
whatever happens to the folder between its listing and the opening of a file.

Names are text with surrogate escapes, so that any bytes will do; order is that of the bytes. A listing never fails:
what cannot be listed is itself an entry. docs/folders.md says what becomes of each kind.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum

from sendit.deid.stream.sources import FileSource
from sendit.errors import DataFault
from sendit.pipeline.intake.file_checksums import FileChecksums

PATH_MAX = 4096
"""Bytes of a path on Linux, its closing NUL included; what is below a longer one counts as unreadable."""
LONGEST_NAME = 1024
"""More bytes than any file system's names have."""

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe does not make the reader wait

REPLACED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EISDIR})
"""What opening a file answers where its name has gone or leads to something that is no file any more."""


class FolderChanged(Exception):
    """The folder is not what it was when its batch was taken up; the batch is queued again."""


class EntryKind(StrEnum):
    """What an entry is."""

    FILE = "file"
    EMPTY = "empty"
    LINK_INSIDE = "link inside"
    LINK_OUTSIDE = "link outside"
    SPECIAL = "special"
    UNREADABLE = "unreadable"


Stamp = bytes
"""Device, inode, time of change in nanoseconds and size of a file: another one says that it is not the same, or that
somebody wrote to it. Nobody can set the time of change, as anybody can the modification time. They are packed, because
a folder may have hundreds of thousands of files."""
_STAMP = struct.Struct("=QQqQ")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a study folder; `name` is relative to it and identifies."""

    name: str
    kind: EntryKind
    size_bytes: int
    modified_ns: int
    stamp: Stamp = bytes(_STAMP.size)
    """For as long as a batch is worked on. It is no part of a fingerprint: a restored file has another one."""

    @property
    def file_id(self) -> tuple[int, int]:
        """Device and inode."""
        device, inode, *_ = _STAMP.unpack(self.stamp)
        return device, inode

    @property
    def changed_ns(self) -> int:
        """When somebody last wrote to it or to what the file system says of it."""
        return int(_STAMP.unpack(self.stamp)[2])


WITHHELD_DICOMDIR = "sendit: DICOMDIR"
WITHHELD_COPY = "sendit: identical copy"
WITHHELD_LINK = "sendit: link inside the folder"
WITHHELD_DELIVERED = "sendit: delivered before"
WITHHELD_WITHDRAWN = "sendit: study withdrawn"

NOT_THE_ONLY_COPY = (WITHHELD_DICOMDIR, WITHHELD_COPY, WITHHELD_LINK, WITHHELD_DELIVERED)
"""Rules that withhold a file of which nothing is lost with the folder: every image in it is delivered otherwise."""

REFUSED = {
    EntryKind.EMPTY: "EmptyFile",
    EntryKind.LINK_OUTSIDE: "LinkOutsideFolder",
    EntryKind.SPECIAL: "NotAFile",
    EntryKind.UNREADABLE: "Unreadable",
}
"""Entries that are errors without being opened."""


def is_finished(name: str) -> bool:
    """Whether a folder of that name may be taken: not hidden, not `.tmp*` (still written), not `.err` (failed)."""
    extension = os.path.splitext(name)[1].lower()
    return not name.startswith(".") and not extension.startswith(".tmp") and extension != ".err"


def list_folder(folder: str) -> list[Entry]:
    """As `StudyFolder.entries`, of a folder that is opened for this alone."""
    with closing(StudyFolder(folder)) as opened:
        return opened.entries()


def fingerprint(entries: Sequence[Entry]) -> str:
    """A keyed digest of names, sizes and times: the same as long as nobody writes to the folder."""
    from sendit.ground.phi_field import digest  # a listing alone needs no database

    lines = (f"{entry.kind} {entry.size_bytes} {entry.modified_ns} {entry.name}\0" for entry in entries)
    return digest(os.fsencode("".join(lines)))


class StudyFolder:
    """A study folder that is open: lists what it holds, and opens its files.

    Parameters
    ----------
    path : str
        The folder. A link is not followed in its place.

    Raises
    ------
    DataFault
        `FolderGone`: there is no folder of that name. `Unreadable`: it may not be listed.
    """

    _handle = -1

    def __init__(self, path: str) -> None:
        self._path = path
        self._inside, self._sub_folder = "", -1
        try:
            self._handle = os.open(path, FOLDER)
        except OSError as error:
            raise DataFault("FolderGone" if error.errno in REPLACED else "Unreadable") from None

    def close(self) -> None:
        """Let go of the folder; files that are open stay so."""
        handles, self._handle = (self._handle, self._sub_folder), -1
        self._inside, self._sub_folder = "", -1
        for handle in handles:
            if handle >= 0:
                os.close(handle)

    def __del__(self) -> None:
        self.close()

    def entries(self) -> list[Entry]:
        """Everything in the folder and its sub-folders but the sub-folders themselves, in order of the names' bytes.

        Raises
        ------
        DataFault
            `FolderGone`, `Unreadable`: as for opening it.
        """
        try:
            entries = list(self._walk())
        except FileNotFoundError:
            raise DataFault("FolderGone") from None
        except OSError:
            raise DataFault("Unreadable") from None
        entries.sort(key=lambda entry: os.fsencode(entry.name))
        return entries

    def open(self, entry: Entry) -> StudyFile:
        """The file of an entry that was listed as one.

        Raises
        ------
        FolderChanged
            It is not the file that was listed, or somebody has written to it since.
        OSError
            It may not be or cannot be opened.
        """
        inside, _, name = entry.name.rpartition("/")
        try:
            return StudyFile(os.open(name, FILE, dir_fd=self._folder_inside(inside)), entry)
        except OSError as error:
            if error.errno in REPLACED:
                raise FolderChanged from None
            raise

    def _folder_inside(self, inside: str) -> int:
        """The descriptor of a sub-folder; the last one stays open, for its files come one after another."""
        if not inside:
            return self._handle
        if inside != self._inside or self._sub_folder < 0:
            before, self._sub_folder = self._sub_folder, self._opened(inside)
            self._inside = inside
            if before >= 0:
                os.close(before)
        return self._sub_folder

    def _opened(self, inside: str) -> int:
        """A new descriptor of a sub-folder, or of the folder itself; step by step, so that no link is followed."""
        handle = os.open(".", FOLDER, dir_fd=self._handle)
        for part in filter(None, inside.split("/")):
            above = handle
            try:
                handle = os.open(part, FOLDER, dir_fd=above)
            finally:
                os.close(above)
        return handle

    def _walk(self) -> Iterator[Entry]:
        """A sub-folder that may not be listed is an entry; the study folder itself is not."""
        root = os.path.realpath(self._path)
        waiting = [""]
        while waiting:
            inside = waiting.pop()
            try:
                yield from self._listed(inside, root, waiting)
            except OSError:
                if not inside:
                    raise
                yield Entry(inside, EntryKind.UNREADABLE, 0, 0)

    def _listed(self, inside: str, root: str, waiting: list[str]) -> Iterator[Entry]:
        """The entries of one folder; its sub-folders wait."""
        before = f"{inside}/" if inside else ""
        room = PATH_MAX - 1 - len(os.fsencode(os.path.join(self._path, before)))
        if room < -1:
            raise OSError(errno.ENAMETOOLONG, "")
        handle = self._opened(inside)
        try:
            with os.scandir(handle) as scan:
                for item in scan:
                    if item.is_dir(follow_symlinks=False):
                        waiting.append(before + item.name)
                    elif room < LONGEST_NAME and len(os.fsencode(item.name)) > room:
                        yield Entry(before + item.name, EntryKind.UNREADABLE, 0, 0)
                    else:
                        yield self._entry(item, before + item.name, root)
        finally:
            os.close(handle)

    def _entry(self, item: os.DirEntry[str], name: str, root: str) -> Entry:
        try:
            status = item.stat(follow_symlinks=False)
        except OSError:
            return Entry(name, EntryKind.UNREADABLE, 0, 0)
        size, modified_ns, stamp = 0, status.st_mtime_ns, _stamp(status)
        if stat.S_ISREG(status.st_mode):
            size = status.st_size
            kind = EntryKind.FILE if size else EntryKind.EMPTY
        elif stat.S_ISLNK(status.st_mode):
            kind = _kind_of_link(os.path.join(self._path, name), root)
        else:
            kind = EntryKind.SPECIAL
        return Entry(name, kind, size, modified_ns, stamp)


class StudyFile(FileSource):
    """An open file of a study folder, as it was listed."""

    def __init__(self, handle: int, entry: Entry) -> None:
        self.handle, self.size, self._stamp = handle, entry.size_bytes, entry.stamp
        self._checksums = FileChecksums()
        self.ensure_unchanged()

    def read(self, offset: int, length: int) -> bytes:
        """As any source's; the checksums are made meanwhile."""
        piece = super().read(offset, length)
        self._checksums.take(offset, piece)
        return piece

    def readinto(self, offset: int, buffer: memoryview) -> int:
        """As any source's; the checksums are made meanwhile."""
        count = super().readinto(offset, buffer)
        self._checksums.take(offset, buffer[:count])
        return count

    def checksums(self) -> tuple[int, int, int]:
        """The number of bytes, their CRC-32 and Adler-32; what nobody has read of the file is read now."""
        return self._checksums.finish(super().readinto)

    def ensure_unchanged(self) -> None:
        """Raise FolderChanged if it is another file than was listed, or was written to since."""
        if _stamp(os.fstat(self.handle)) != self._stamp:
            raise FolderChanged


def _stamp(status: os.stat_result) -> Stamp:
    return _STAMP.pack(status.st_dev, status.st_ino, status.st_ctime_ns, status.st_size)


def _kind_of_link(path: str, root: str) -> EntryKind:
    target = os.path.realpath(path)
    inside = os.path.exists(target) and (target + os.sep).startswith(root + os.sep)
    return EntryKind.LINK_INSIDE if inside else EntryKind.LINK_OUTSIDE
