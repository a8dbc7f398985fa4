"""The folder object store: objects are files under one root, complete or absent, and never overwritten."""

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from sendit.adapters.object_names import plain
from sendit.durable import disk, forget_time, locked, make_folder, make_shared_folder, private, sync
from sendit.errors import ServiceDown, ServiceRefused
from sendit.ports import StoredObject, go_on

READ_BYTES = 1 << 20
CHECK_BYTES = 1 << 16
_OTHERS = 0o077
_KEPT = (errno.EPERM, errno.EACCES, errno.EROFS)
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS)


class FolderStore:
    """Keeps objects as files, `<root>/<name>`, and their metadata in `<root>/.metadata/<name>.json`.

    A new root has mode 0750, folders in it 0700, files 0600. A file that only its owner can read, on the same file
    system, is stored by a hard link: its bytes must be durable and never written to again (sendit only ever replaces a
    finished file). Any other file is copied by way of `<root>/.incoming`. A file in there that no process holds was
    left by a killed put, and the next put removes it. Objects are durable when `put` returns, their metadata a few
    seconds later.

    Parameters
    ----------
    root : Path
        Where objects are kept; created when first needed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._incoming = self._root / ".incoming"

    def put(
        self, name: str, path: Path, metadata: Mapping[str, str], check: Callable[[], None] = go_on
    ) -> StoredObject:
        """Store the file's bytes under `name` once; a repeated put verifies the object that is there.

        Raises
        ------
        ServiceRefused
            `ObjectConflict`: the name is taken by other bytes.
        ServiceDown
            `NoSpace`, `DiskRefused`; `NotVerified`: what was read back is not what was written.
        BrokenPromise
            `ObjectName`: the name is not a relative path of plain parts.
        """
        target = self._root / plain(name)
        sidecar = self._root / ".metadata" / f"{name}.json"
        with disk("object store"):
            folders = [*make_shared_folder(self._root), *make_folder(self._incoming), *make_folder(target.parent)]
            make_folder(sidecar.parent)
            if not target.exists():
                self._take_in(path, target, check)
            crc32c = _crc32c_if_same(path, target)
            if crc32c is None:
                raise ServiceRefused("ObjectConflict")
            size_bytes = target.stat().st_size
            facts = {"name": name, "size_bytes": size_bytes, "crc32c": crc32c, "metadata": dict(metadata)}
            self._describe(sidecar, facts)
            sync(target.parent, *folders)
            self._forget_times(target, sidecar)
        link = target.as_uri()
        return StoredObject(name, link, size_bytes, crc32c, "", link, sidecar.as_uri())

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Read `length` bytes from `offset`.

        Raises
        ------
        ServiceRefused
            `NoSuchObject`: there is no such object, or it is too short.
        """
        with disk("object store"):
            try:
                with open(self._root / plain(name), "rb") as stream:
                    stream.seek(offset)
                    content = stream.read(length)
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                raise ServiceRefused("NoSuchObject") from None
        if len(content) != length:
            raise ServiceRefused("NoSuchObject")
        return content

    def remove(self, name: str) -> None:
        """Remove the object and its metadata, and folders that are empty then: a folder's name is a pseudonym.

        Raises
        ------
        ServiceRefused
            `Retained`: the file system does not let it go.
        ServiceDown
            `DiskRefused`.
        """
        target = self._root / plain(name)
        sidecar = self._root / ".metadata" / f"{name}.json"
        if not self._root.exists():
            return
        with disk("object store"):
            make_folder(self._incoming)
            with self._lock():
                self._sweep()
                try:
                    for path in (target, sidecar):  # the metadata last: they say that there is something to remove
                        path.unlink(missing_ok=True)
                except OSError as error:
                    if error.errno in _KEPT:
                        raise ServiceRefused("Retained") from None
                    raise
                for path, top in ((target, self._root), (sidecar, self._root / ".metadata")):
                    _prune(path.parent, top)

    def _forget_times(self, *paths: Path) -> None:
        """Clear the times of the files and of the folders above them: readers of the store must learn no true time."""
        depth = len(self._root.parts)
        forget_time(*paths, *{above for path in paths for above in path.parents[:-depth]}, self._root)

    def _take_in(self, path: Path, target: Path, check: Callable[[], None]) -> None:
        linked = not path.stat().st_mode & _OTHERS and self._link(path, target)
        if not linked:
            self._copy(path, target, check)

    def _link(self, path: Path, target: Path) -> bool:
        """Store by a hard link. Returns False if the file system cannot; an object of a racing put is left as it is."""
        try:
            with self._lock():
                os.link(path, target)
        except FileExistsError:
            return True
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            return False
        return True

    def _copy(self, path: Path, target: Path, check: Callable[[], None]) -> None:
        with self._draft() as draft:
            with path.open("rb") as source:
                while block := source.read(READ_BYTES):
                    check()
                    draft.write(block)
            draft.flush()
            os.fsync(draft.fileno())  # before the rename: a half-written object would be a conflict for ever
            if _crc32c_if_same(path, Path(draft.name)) is None:
                raise ServiceDown("NotVerified", subject="object store")
            with self._lock():
                if not target.exists():
                    os.rename(draft.name, target)

    def _describe(self, sidecar: Path, facts: Mapping[str, object]) -> None:
        """Write the metadata, unless it is there unchanged."""
        text = json.dumps(facts, indent=1, sort_keys=True).encode() + b"\n"
        if not sidecar.exists() or sidecar.read_bytes() != text:
            with self._draft() as draft:
                draft.write(text)
                draft.flush()
                os.rename(draft.name, sidecar)

    @contextmanager
    def _draft(self) -> Iterator[BinaryIO]:
        """Open a new incoming file, locked while it is open, and remove it afterwards unless it was renamed."""
        path = self._incoming / secrets.token_hex(8)
        with self._lock():
            self._sweep()
            stream = open(path, "xb", opener=private)  # noqa: SIM115 - closed below, which also unlocks it
            fcntl.flock(stream, fcntl.LOCK_EX)
        with stream:
            try:
                yield stream
            finally:
                path.unlink(missing_ok=True)

    def _sweep(self) -> None:
        for left in self._incoming.iterdir():
            try:
                with left.open("rb") as stream:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left.unlink(missing_ok=True)
            except (BlockingIOError, FileNotFoundError):  # still in use, or removed in the meantime
                continue

    def _lock(self) -> AbstractContextManager[None]:
        """Let one put at a time name a file, so that what it has checked is still true when it renames."""
        return locked(self._root / ".lock")


def _prune(folder: Path, top: Path) -> None:
    """Remove the folder and those above it, up to `top`, as far as they are empty, and make that durable."""
    while folder != top:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:  # not empty
            break
        folder = folder.parent
    while not folder.exists():
        folder = folder.parent
    sync(folder)
    forget_time(folder)


def _crc32c_if_same(path: Path, target: Path) -> str | None:
    """Read `target` back and return its checksum, or None if its bytes are not those of `path`."""
    crc32c = 0
    with path.open("rb") as expected, target.open("rb", buffering=0) as found:
        is_linked = os.path.sameopenfile(expected.fileno(), found.fileno())
        if os.path.getsize(expected.fileno()) != os.path.getsize(found.fileno()):
            return None
        while block := found.read(CHECK_BYTES):
            if not is_linked and expected.read(len(block)) != block:
                return None
            crc32c = google_crc32c.extend(crc32c, block)
    return base64.b64encode(crc32c.to_bytes(4, "big")).decode()
