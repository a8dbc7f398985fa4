"""SFTP: an archive is written under a name of its own, made durable, and renamed; a rename never replaces a file.

SFTP has no checksums and no conditional writes. What it has is enough: its rename (version 3, as OpenSSH serves it)
refuses a name that is taken, and whatever was written is read back and compared before it gets its name.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sendit.adapters.checksums import crc32c_of_file
from sendit.adapters.object_names import plain
from sendit.adapters.per_process import PerProcess
from sendit.adapters.sftp.settings import SftpFolder
from sendit.durable import disk
from sendit.errors import Misconfigured, SenditError, ServiceDown, ServiceRefused
from sendit.ports import StoredObject, go_on

BLOCK_BYTES = 1 << 20
PIECE_BYTES = 32 << 10
"""What every server answers in one message."""
LEFT_SECONDS = 86_400
"""A part that nobody has written to for so long, by the server's clock, was left by a killed worker."""
SERVICE = "object store"
_EXTENDED = 200


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a worker waits for the server before it puts the batch back."""

    connect_seconds: float = 15
    answer_seconds: float = 60


class SftpStore:
    """Keeps objects as files below a folder of a host.

    Parameters
    ----------
    choice : SftpFolder
    patience : Patience, optional
    """

    def __init__(self, choice: SftpFolder, patience: Patience | None = None) -> None:
        if find_spec("paramiko") is None:
            raise Misconfigured("MissingExtra", subject="sftp")
        self._choice, self._patience = choice, patience or Patience()
        self._connection = PerProcess(lambda: Connection(self._choice, self._patience))

    def put(
        self, name: str, path: Path, metadata: Mapping[str, str], check: Callable[[], None] = go_on
    ) -> StoredObject:
        """Store the file's bytes under `name` once; a repeated put verifies the object that is there.

        SFTP has no place for metadata, so none is kept.

        Raises
        ------
        ServiceRefused
            `ObjectConflict`: the name is taken by other bytes. `AccessDenied`, `CredentialsRefused`, `HostKeyRefused`.
        ServiceDown
            `StoreDown`; `NotVerified`: what was read back is not what was written. `NoSpace`, `DiskRefused`: the file
            cannot be read.
        BrokenPromise
            `ObjectName`: the name is not a relative path of plain parts.
        """
        target = f"{self._choice.folder}/{plain(name)}"
        with disk(SERVICE), self._connection.get().open() as sftp:
            if not _is_there(sftp, target):
                _make_folders(sftp, self._choice.folder, target)
                _sweep(sftp, target)
                _write(sftp, target, path, check)
            if not _is_same(sftp, target, path):
                raise ServiceRefused("ObjectConflict")
        uri = f"sftp://{self._choice.host}{target}"
        return StoredObject(name=name, uri=uri, size_bytes=os.path.getsize(path), crc32c=crc32c_of_file(path))

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Read `length` bytes from `offset`.

        Raises
        ------
        ServiceRefused
            `NoSuchObject`: there is no such object, or it is too short.
        """
        target = f"{self._choice.folder}/{plain(name)}"
        with self._connection.get().open() as sftp:
            if _file_size(sftp, target) < offset + length:
                raise ServiceRefused("NoSuchObject")
            with sftp.open(target, "rb") as file:
                pieces = [
                    (begin, min(PIECE_BYTES, offset + length - begin))
                    for begin in range(offset, offset + length, PIECE_BYTES)
                ]
                content = b"".join(file.readv(pieces))
        if len(content) != length:
            raise ServiceRefused("NoSuchObject")
        return content

    def remove(self, name: str) -> None:
        """Remove the object, parts of it that killed workers left, and folders that are empty then.

        Raises
        ------
        ServiceRefused
            `Retained`: the server does not let it go. `CredentialsRefused`, `HostKeyRefused`.
        ServiceDown
            `StoreDown`.
        """
        target = f"{self._choice.folder}/{plain(name)}"
        folder, _, last = target.rpartition("/")
        with self._connection.get().open() as sftp:
            if not _is_there(sftp, folder):
                return
            try:
                for entry in sftp.listdir(folder):
                    if entry == last or (entry.startswith(f".{last}.") and entry.endswith(".part")):
                        with suppress(FileNotFoundError):
                            sftp.remove(f"{folder}/{entry}")
            except PermissionError:
                raise ServiceRefused("Retained") from None
            while folder != self._choice.folder:
                with suppress(OSError):  # not empty, or gone
                    sftp.rmdir(folder)
                folder = folder.rpartition("/")[0]

    def ensure_usable(self) -> None:
        """Raise what a `put` would raise, if the folder cannot be reached."""
        with self._connection.get().open() as sftp:
            if not stat.S_ISDIR(sftp.stat(self._choice.folder).st_mode):
                raise ServiceRefused("AccessDenied", subject=SERVICE)


# ---------------------------------------------------------------------------------------------- files


def _write(sftp: Any, target: str, path: Path, check: Callable[[], None]) -> None:
    """Write the file beside its target, and rename it unless another was faster."""
    folder, _, name = target.rpartition("/")
    part = f"{folder}/.{name}.{secrets.token_hex(8)}.part"
    try:
        with path.open("rb") as source, sftp.open(part, "wx") as file:
            file.chmod(0o600)
            file.set_pipelined(True)
            while block := source.read(BLOCK_BYTES):
                check()
                file.write(block)
            file.set_pipelined(False)
            file.flush()
            _fsync(sftp, file)
        if not _is_same(sftp, part, path):
            raise ServiceDown("NotVerified", subject=SERVICE)
        try:
            sftp.rename(part, target)
        except OSError:
            if not _is_there(sftp, target):
                raise
    finally:
        with suppress(OSError):
            sftp.remove(part)


def _fsync(sftp: Any, file: Any) -> None:
    """Make the bytes durable where the server can; it says so if it cannot."""
    with suppress(OSError):
        sftp._request(_EXTENDED, "fsync@openssh.com", file.handle)


def _sweep(sftp: Any, target: str) -> None:
    """Remove parts of this object that killed workers left, by the times of the server's own clock."""
    folder, _, name = target.rpartition("/")
    parts = [entry for entry in sftp.listdir_attr(folder) if entry.filename.startswith(f".{name}.")]
    newest = max((entry.st_mtime for entry in parts), default=0)
    for entry in parts:
        if entry.st_mtime < newest - LEFT_SECONDS:
            with suppress(FileNotFoundError):
                sftp.remove(f"{folder}/{entry.filename}")


def _make_folders(sftp: Any, root: str, target: str) -> None:
    """Create the folders between the root, which has to be there, and the target."""
    above = target.rpartition("/")[0]
    if _is_there(sftp, above):
        return
    if above != root:
        _make_folders(sftp, root, above)
        try:
            sftp.mkdir(above, 0o700)
        except OSError:
            if not _is_there(sftp, above):
                raise


def _is_there(sftp: Any, path: str) -> bool:
    try:
        sftp.stat(path)
    except FileNotFoundError:
        return False
    return True


def _file_size(sftp: Any, target: str) -> int:
    """Return the size of a file, or -1 where there is none."""
    try:
        found = sftp.stat(target)
    except FileNotFoundError:
        return -1
    return int(found.st_size) if stat.S_ISREG(found.st_mode) else -1


def _is_same(sftp: Any, target: str, path: Path) -> bool:
    """Read the target back and compare."""
    size = os.path.getsize(path)
    if _file_size(sftp, target) != size:
        return False
    with path.open("rb") as expected, sftp.open(target, "rb") as found:
        found.prefetch(size)
        while block := expected.read(BLOCK_BYTES):
            if found.read(len(block)) != block:
                return False
    return True


# ---------------------------------------------------------------------------------------------- the connection


class Connection:
    """One connection of a process, used by one thread at a time, and made again after it broke."""

    def __init__(self, choice: SftpFolder, patience: Patience) -> None:
        self._choice, self._patience = choice, patience
        self._lock = threading.Lock()
        self._client: Any = None
        self._sftp: Any = None

    @contextmanager
    def open(self) -> Iterator[Any]:
        """Give the SFTP client. Its errors become ours, without their messages, which quote paths.

        Raises
        ------
        ServiceRefused
            `CredentialsRefused`, `HostKeyRefused`, `AccessDenied`.
        ServiceDown
            `StoreDown`: it may succeed later.
        """
        from paramiko import SSHException

        with self._lock:
            try:
                yield self._connected()
            except SenditError:
                raise
            except (SSHException, EOFError, OSError) as error:
                self._drop()
                raise _meaning(error) from None
            except BaseException:
                self._drop()  # the answers of what was under way would be taken for those of the next request
                raise

    def _connected(self) -> Any:
        if self._sftp is None or not self._client.get_transport().is_active():
            self._drop()
            self._client = self._connect()
            self._sftp = self._client.open_sftp()
            self._sftp.get_channel().settimeout(self._patience.answer_seconds)
        return self._sftp

    def _connect(self) -> Any:
        from paramiko import RejectPolicy, SSHClient

        client, choice = SSHClient(), self._choice
        try:
            client.load_host_keys(str(choice.known_hosts))
        except OSError:
            raise Misconfigured("BadSetting", subject=f"{choice.named_by}: known_hosts cannot be read") from None
        client.set_missing_host_key_policy(RejectPolicy())
        try:
            password = choice.password_file.read_text().strip() if choice.password_file else None
            client.connect(
                choice.host,
                choice.port,
                choice.user,
                password=password,
                key_filename=str(choice.key_file) if choice.key_file else None,
                allow_agent=False,
                look_for_keys=False,
                timeout=self._patience.connect_seconds,
                banner_timeout=self._patience.connect_seconds,
                auth_timeout=self._patience.connect_seconds,
            )
        except BaseException:
            client.close()
            raise
        return client

    def _drop(self) -> None:
        client, self._client, self._sftp = self._client, None, None
        if client is not None:
            with suppress(OSError, EOFError):
                client.close()


def _meaning(error: Exception) -> SenditError:
    from paramiko import AuthenticationException, BadHostKeyException, SSHException

    if isinstance(error, AuthenticationException):
        return ServiceRefused("CredentialsRefused", subject=SERVICE)
    if isinstance(error, BadHostKeyException) or (isinstance(error, SSHException) and "known_hosts" in str(error)):
        return ServiceRefused("HostKeyRefused")
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.ENOENT):
        return ServiceRefused("AccessDenied", subject=SERVICE)
    return ServiceDown("StoreDown")
