"""The site's key files: what each must look like, when one may be made, and how a key is recognised.

A key is recognised by its proof, a digest keyed with the key itself. The database keeps the proofs of the keys that its
data were made with (`pipeline.record.key_bindings`), and `Memory` keeps a copy of them in VAR, for commands that run
without a database. Nothing here replaces a key, and nothing here writes one into a message.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hmac
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from sendit.durable import draft_of, make_folder, private, sync
from sendit.errors import Misconfigured


class KeyFile(StrEnum):
    """A key file in SECRETS. Its loss or exchange would go unnoticed, were it not for the proofs."""

    PSEUDONYM = "pseudonym.key"
    """The key of UIDs and of the local identity service's answers."""
    IDENTIFIERS = "identifiers.key"
    """The keys that encrypt identifiers, one per line: the first encrypts, all decrypt."""
    DIGEST = "digest.key"
    """The key of the digests by which folders are recognised."""
    SIGNING = "signing.key"
    """The keys that sign statements of deliveries, one per line: the first signs, all are the site's."""


ALL = frozenset(KeyFile)

LEAST_BYTES = {KeyFile.PSEUDONYM: 16, KeyFile.DIGEST: 32}
LINED = frozenset({KeyFile.IDENTIFIERS, KeyFile.SIGNING})
"""Files of several keys, one per line, of which the first is in use; a new one is put on top."""
LATER = frozenset({KeyFile.SIGNING})
"""Keys that sites of earlier versions do not have. Nothing is lost where one is made beside the others."""
LINE_BYTES = 32
ANOTHER = "not the key that the data here were made with"

Lines = tuple[bytes, ...]
"""The keys in a file: all its lines for those of `LINED`, the whole content for the others."""
Proofs = tuple[str, ...]
"""One for each of a file's keys, in the order of the file."""


def refusal(file: KeyFile, why: str) -> Misconfigured:
    """Return the error that says which file is wrong, and in what way."""
    return Misconfigured("BadKey", subject=f"{file}: {why}")


def load(folder: Path, file: KeyFile) -> Lines:
    """Return the keys in a file. Raises Misconfigured("BadKey") if it is missing or does not have the form of a key."""
    try:
        content = (folder / file).read_bytes()
    except OSError:
        raise refusal(file, "cannot be read" if is_there(folder, file) else "missing") from None
    if not content.strip():
        raise refusal(file, "empty")
    if file in LINED:
        return _line_keys(file, content)
    if len(content.strip()) < LEAST_BYTES[file]:
        raise refusal(file, "too short")
    return (content,)


def _line_keys(file: KeyFile, content: bytes) -> Lines:
    lines = tuple(content.split())
    for number, line in enumerate(lines, 1):
        if not _is_line_key(line):
            raise refusal(file, f"line {number} is not a key")
    return lines


def _is_line_key(line: bytes) -> bool:
    try:
        return len(base64.b64decode(line, altchars=b"-_", validate=True)) == LINE_BYTES
    except binascii.Error:
        return False


def proofs(file: KeyFile, lines: Lines) -> Proofs:
    """Return the proofs of keys. A proof tells nothing of its key, and no other use of a key hashes a leading NUL."""
    return tuple(hmac.digest(line, b"\0sendit/keys/1\0" + file.encode(), "sha256").hex() for line in lines)


def ensure_known(file: KeyFile, lines: Lines, known: Sequence[str]) -> None:
    """Refuse keys whose proofs are not `known`. Only files of `LINED` may have new lines, above the known ones."""
    found = proofs(file, lines)
    if file not in LINED and found != tuple(known):
        raise refusal(file, ANOTHER)
    if found[-len(known) :] != tuple(known):
        raise refusal(file, "a line that was in use is gone or has moved")


def is_there(folder: Path, file: KeyFile) -> bool:
    """Return whether anything has that name, even if it cannot be read."""
    return os.path.lexists(folder / file)


def present(folder: Path) -> frozenset[KeyFile]:
    """Return the key files in a folder.

    They are looked for in the reverse of the order in which they are made, so that while another process makes them,
    none seems to be missing from a complete set.
    """
    return frozenset(file for file in reversed(KeyFile) if is_there(folder, file))


def make(folder: Path, files: Iterable[KeyFile] = ALL) -> None:
    """Make the missing key files, `pseudonym.key` first. None is ever replaced, even if processes race."""
    wanted = frozenset(files)
    for file in KeyFile:
        if file in wanted:
            secret(folder / file, _new_pseudonym_key if file is KeyFile.PSEUDONYM else _new_line_key)


def _new_pseudonym_key() -> bytes:
    return secrets.token_hex(32).encode()


def _new_line_key() -> bytes:
    return base64.urlsafe_b64encode(secrets.token_bytes(LINE_BYTES))


def secret(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the secret in a 0600 file, made on first use. If processes race, the first to link its file wins."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(path, make(), os.link)
    return path.read_bytes()


def _write(path: Path, content: bytes, put: Callable[[Path, Path], object]) -> None:
    """Write a file for its owner only; it is there as a whole or not at all."""
    draft = draft_of(path)
    try:
        with open(draft, "xb", opener=private) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            put(draft, path)
        sync(path.parent)  # a key that is bound and then lost in a power cut could never be restored
    finally:
        draft.unlink(missing_ok=True)


MEMORY = "bound-keys.json"
DATABASE = "sendit.sqlite3"
"""The database of a site that names none, in VAR."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a VAR remembers of its keys, in `VAR/bound-keys.json`."""

    proofs: Mapping[KeyFile, Proofs] = field(default_factory=dict)
    databases: frozenset[str] = frozenset()
    """The databases in which the keys were bound, by `key_bindings.place`."""

    @classmethod
    def read(cls, var: Path) -> Memory:
        """Read the file. A missing or damaged one counts as empty, because the database has the proofs, too."""
        try:
            stored = json.loads((var / MEMORY).read_bytes())
            known = {KeyFile(file): tuple(map(str, found)) for file, found in stored["proofs"].items() if found}
            return cls(known, frozenset(map(str, stored["databases"])))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def write(self, var: Path) -> None:
        """Replace the file if anything has changed."""
        if self == Memory.read(var):
            return
        stored = {"proofs": dict(self.proofs), "databases": sorted(self.databases)}
        _write(var / MEMORY, json.dumps(stored, indent=1).encode() + b"\n", os.replace)

    def ensure_known(self, file: KeyFile, lines: Lines) -> None:
        """Refuse keys other than those remembered; if none is remembered, accept any."""
        if known := self.proofs.get(file):
            ensure_known(file, lines, known)


def load_known(folder: Path, file: KeyFile, var: Path) -> Lines:
    """Return the keys in a file, if they are those that this VAR remembers."""
    lines = load(folder, file)
    Memory.read(var).ensure_known(file, lines)
    return lines


def ensure_made(folder: Path, var: Path, looked: object) -> None:
    """Refuse a VAR for which nobody has made keys; `looked` says where its settings were looked for.

    If a key or the memory of one is there, the site is an old one, and what is missing is `BadKey`.

    Raises
    ------
    Misconfigured
        `NotInitialised`, `FolderRefused`: the folder may not be looked into.
    """
    if not (present(folder) or Memory.read(var).proofs or (var / DATABASE).exists()):
        raise Misconfigured("NotInitialised", subject=f"no keys in {folder}, {looked}")


def make_for_new_site(folder: Path, var: Path) -> None:
    """Make the keys of a new site. A site may begin with a copy of another's `pseudonym.key`.

    Raises
    ------
    Misconfigured
        `BadKey`: a key is missing that this site had.
    """
    with _alone_in(folder):  # another process's keys are all there, or none but the first is
        memory = Memory.read(var)
        if present(folder) - {KeyFile.PSEUDONYM} or memory.proofs or (var / DATABASE).exists():
            for file in KeyFile:
                if file not in LATER or file in memory.proofs or is_there(folder, file):
                    load(folder, file)
        make(folder)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder itself, where it can be made and its file system has locks."""
    with ExitStack() as stack:
        with suppress(OSError):
            make_folder(folder)
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def fingerprint(folder: Path) -> str:
    """Return what tells one site's keys from another's, such as `3f2a-91bc-77de`; sites with one have the same
    pseudonyms. It is of `pseudonym.key` and tells nothing of it."""
    (proof,) = proofs(KeyFile.PSEUDONYM, load(folder, KeyFile.PSEUDONYM))
    return "-".join(proof[at : at + 4] for at in (0, 4, 8))


def open_to_others(folder: Path) -> list[str]:
    """Return the key files, and `.` for the folder, that users other than their owner may read or change.

    A secrets folder that a container runtime mounts belongs to root and may be listed; there only writing matters.
    """
    return [name for name in (".", *KeyFile) if _is_open(folder / name)]


def _is_open(path: Path) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    is_mounted = path.is_dir() and found.st_uid != os.geteuid()
    return bool(found.st_mode & (0o022 if is_mounted else 0o077))
