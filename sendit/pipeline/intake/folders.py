"""What a study folder holds, file by file, and whether it has changed. Reads names, never contents; knows no DICOM.

Names are text with surrogate escapes, so that any bytes will do; order is that of the bytes. A listing never fails:
what cannot be listed is itself an entry. docs/folders.md says what becomes of each kind.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from sendit.errors import DataFault


class Kind(StrEnum):
    """What an entry is."""

    FILE = "file"
    EMPTY = "empty"
    LINK_INSIDE = "link inside"
    LINK_OUTSIDE = "link outside"
    SPECIAL = "special"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a study folder; `name` is relative to it and identifies."""

    name: str
    kind: Kind
    size_bytes: int
    modified_ns: int


WITHHELD_DICOMDIR = "sendit: DICOMDIR"
WITHHELD_COPY = "sendit: identical copy"
WITHHELD_LINK = "sendit: link inside the folder"

REFUSED = {
    Kind.EMPTY: "EmptyFile",
    Kind.LINK_OUTSIDE: "LinkOutsideFolder",
    Kind.SPECIAL: "NotAFile",
    Kind.UNREADABLE: "Unreadable",
}
"""Entries that are errors without being opened."""


def is_finished(name: str) -> bool:
    """Whether a folder of that name may be taken: not hidden, not `.tmp*` (still written), not `.err` (failed)."""
    extension = os.path.splitext(name)[1].lower()
    return not name.startswith(".") and not extension.startswith(".tmp") and extension != ".err"


def list_folder(folder: str) -> list[Entry]:
    """Everything in the folder and its sub-folders but the sub-folders themselves, in order of the names' bytes.

    Raises
    ------
    DataFault
        `FolderGone`: there is no such folder. `Unreadable`: it may not be listed.
    """
    try:
        entries = list(_walk(folder))
    except FileNotFoundError:
        raise DataFault("FolderGone") from None
    except OSError:
        raise DataFault("Unreadable") from None
    entries.sort(key=lambda entry: os.fsencode(entry.name))
    return entries


def fingerprint(entries: Sequence[Entry]) -> str:
    """A keyed digest of names, sizes and times: the same as long as nobody writes to the folder."""
    from sendit.pipeline.record.phi_field import digest  # a listing alone needs no database

    lines = (f"{entry.kind} {entry.size_bytes} {entry.modified_ns} {entry.name}\0" for entry in entries)
    return digest(os.fsencode("".join(lines)))


def has_settled(folder: str, settle_seconds: float) -> bool:
    """Whether nothing was written to the folder within the last seconds, as far as it may be listed.

    What may not be listed settles too: its batch will say so. False where something goes away meanwhile.
    """
    try:
        newest_at = max(_times_of_change(folder))
    except OSError:
        return False
    return abs(time.time() - newest_at) >= settle_seconds


def _times_of_change(folder: str) -> Iterator[float]:
    yield os.stat(folder).st_mtime
    with suppress(PermissionError), os.scandir(folder) as scan:
        for item in scan:
            if item.is_dir(follow_symlinks=False):
                yield from _times_of_change(item.path)
            else:
                yield item.stat(follow_symlinks=False).st_mtime


def _walk(folder: str) -> Iterator[Entry]:
    """A folder that may not be listed is an entry, but for the study folder itself."""
    root = os.path.realpath(folder)
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            with os.scandir(path) as scan:
                for item in scan:
                    if item.is_dir(follow_symlinks=False):
                        waiting.append(item.path)
                    else:
                        yield _entry(item, os.path.relpath(item.path, folder), root)
        except OSError:
            if path == folder:
                raise
            yield Entry(os.path.relpath(path, folder), Kind.UNREADABLE, 0, 0)


def _entry(item: os.DirEntry[str], name: str, root: str) -> Entry:
    try:
        status = item.stat(follow_symlinks=False)
    except OSError:
        return Entry(name, Kind.UNREADABLE, 0, 0)
    if stat.S_ISLNK(status.st_mode):
        return Entry(name, _kind_of_link(item.path, root), 0, status.st_mtime_ns)
    if not stat.S_ISREG(status.st_mode):
        return Entry(name, Kind.SPECIAL, 0, status.st_mtime_ns)
    return Entry(name, Kind.FILE if status.st_size else Kind.EMPTY, status.st_size, status.st_mtime_ns)


def _kind_of_link(path: str, root: str) -> Kind:
    target = os.path.realpath(path)
    inside = os.path.exists(target) and (target + os.sep).startswith(root + os.sep)
    return Kind.LINK_INSIDE if inside else Kind.LINK_OUTSIDE
