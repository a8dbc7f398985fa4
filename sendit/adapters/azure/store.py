"""Azure Blob Storage: a precondition makes sure that a blob is written once and never overwritten.

A file goes up in blocks, and Azure compares the MD5 digest of each. A block's ID is its number and that digest, so the
list of a blob's blocks says what bytes it has, and a put that is repeated is verified without reading the blob.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sendit.adapters.azure.settings import AzureContainer
from sendit.adapters.checksums import crc32c_of, crc32c_of_file
from sendit.adapters.object_names import plain
from sendit.adapters.per_process import PerProcess
from sendit.adapters.request_patience import Patience
from sendit.durable import disk
from sendit.errors import Misconfigured, SenditError, ServiceDown, ServiceRefused
from sendit.ports import StoredObject, go_on

BLOCK_BYTES = 8 << 20
"""How much of a file is held in memory and sent in one request."""
MOST_BLOCKS = 50_000
SERVICE = "object store"
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_TAKEN = frozenset({"BlobAlreadyExists", "ConditionNotMet", "UnauthorizedBlobOverwrite", "BlobImmutableDueToPolicy"})
"""Azure's codes where there is a blob of that name."""
_LOST_BLOCKS = frozenset({"InvalidBlockList", "InvalidBlobOrBlock"})
"""Another worker has completed a blob of that name, and the blocks that were waiting are gone."""
_RETAINED = frozenset({"BlobImmutableDueToPolicy", "SnapshotsPresent", "LeaseIdMissing"})
_NO_CONTAINER = frozenset({"ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled"})
_BAD_CREDENTIALS = frozenset({"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"})


class AzureStore:
    """Keeps objects in a container.

    Parameters
    ----------
    choice : AzureContainer
    patience : Patience, optional
    """

    def __init__(self, choice: AzureContainer, patience: Patience | None = None) -> None:
        self._choice, self._patience = choice, patience or Patience()
        try:
            import azure.storage.blob  # noqa: F401
        except ImportError:
            raise Misconfigured("MissingExtra", subject="azure") from None
        self._client: PerProcess[Any] = PerProcess(self._make_client)

    def put(
        self, name: str, path: Path, metadata: Mapping[str, str], check: Callable[[], None] = go_on
    ) -> StoredObject:
        """Store the file's bytes under `name` once; a repeated put verifies the object that is there.

        `content_type` in `metadata` becomes the blob's, the rest its metadata.

        Raises
        ------
        ServiceRefused
            `ObjectConflict`: the name is taken by other bytes. `NoSuchBucket`, `AccessDenied`, `CredentialsRefused`,
            `RequestRefused`.
        ServiceDown
            `StoreDown`; `NotVerified`: what arrived is not what was sent. `NoSpace`, `DiskRefused`: the file cannot be
            read.
        BrokenPromise
            `ObjectName`: the name is not a relative path of plain parts.
        """
        key = self._choice.prefix + plain(name)
        with disk(SERVICE), speaking_to_azure():
            blob, size, crc32c = self._blob(key), os.path.getsize(path), crc32c_of_file(path)
            blocks, is_new = self._upload(blob, path, size, self._terms(metadata), check)
            if not _has(blob, size, crc32c, blocks):
                raise ServiceDown("NotVerified", subject=SERVICE) if is_new else ServiceRefused("ObjectConflict")
        uri = f"az://{self._choice.account}/{self._choice.container}/{key}"
        return StoredObject(name=name, uri=uri, size_bytes=size, crc32c=crc32c)

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Read `length` bytes from `offset` in one ranged request.

        Raises
        ------
        ServiceRefused
            `NoSuchObject`: there is no such object, or it is too short.
        """
        with speaking_to_azure():
            blob = self._blob(self._choice.prefix + plain(name))
            try:
                if not length:
                    is_within = offset <= blob.get_blob_properties().size
                    content = b"" if is_within else None
                else:
                    content = blob.download_blob(offset=offset, length=length, max_concurrency=1).readall()
            except _http_error() as error:
                missing = (http.client.NOT_FOUND, http.client.REQUESTED_RANGE_NOT_SATISFIABLE)
                if _status(error) in missing and _code(error) not in _NO_CONTAINER:
                    raise ServiceRefused("NoSuchObject") from None
                raise
        if content is None or len(content) != length:
            raise ServiceRefused("NoSuchObject")
        return bytes(content)

    def remove(self, name: str) -> None:
        """Remove the object with its snapshots; a container with versions or soft delete keeps the bytes for a while.

        Raises
        ------
        ServiceRefused
            `Retained`: a policy or a lease forbids it. `NoSuchBucket`, `AccessDenied`, `CredentialsRefused`,
            `RequestRefused`.
        ServiceDown
            `StoreDown`.
        """
        with speaking_to_azure():
            try:
                self._blob(self._choice.prefix + plain(name)).delete_blob(delete_snapshots="include")
            except _http_error() as error:
                if _code(error) in _RETAINED:
                    raise ServiceRefused("Retained") from None
                if _status(error) != http.client.NOT_FOUND or _code(error) in _NO_CONTAINER:
                    raise

    def ensure_usable(self) -> None:
        """Raise what a `put` would raise, if the container cannot be reached with these credentials."""
        with speaking_to_azure():
            self._client.get().get_container_properties()

    def _blob(self, key: str) -> Any:
        return self._client.get().get_blob_client(key)

    def _upload(
        self, blob: Any, path: Path, size: int, terms: dict[str, Any], check: Callable[[], None]
    ) -> tuple[list[str], bool]:
        """Upload the file; returns the IDs of its blocks, and False if there is a blob of that name already."""
        from azure.core import MatchConditions
        from azure.storage.blob import BlobBlock

        blocks: list[str] = []
        try:
            for number, content in enumerate(_blocks_of(path, max(BLOCK_BYTES, -(-size // MOST_BLOCKS)))):
                check()
                blocks.append(_block_id(number, content))
                blob.stage_block(blocks[-1], content, validate_content=True)
            names = [BlobBlock(one) for one in blocks]
            blob.commit_block_list(names, match_condition=MatchConditions.IfMissing, **terms)
        except _http_error() as error:
            if _code(error) in _TAKEN or _status(error) == http.client.PRECONDITION_FAILED:
                return blocks or list(_ids_of(path, size)), False
            if _code(error) in _LOST_BLOCKS and blob.exists():
                return blocks, False
            raise
        return blocks, True

    def _terms(self, metadata: Mapping[str, str]) -> dict[str, Any]:
        from azure.storage.blob import ContentSettings

        kind = metadata.get("content_type", "application/octet-stream")
        return {
            "content_settings": ContentSettings(content_type=kind),
            "metadata": {key: value for key, value in metadata.items() if key != "content_type"},
        }

    def _make_client(self) -> Any:
        from azure.storage.blob import ContainerClient

        return ContainerClient(
            self._choice.url,
            self._choice.container,
            credential=_credential(self._choice.key_file),
            connection_timeout=self._patience.connect_seconds,
            read_timeout=self._patience.answer_seconds,
            retry_total=self._patience.attempts - 1,
            max_single_get_size=BLOCK_BYTES,
            max_chunk_get_size=BLOCK_BYTES,
        )


def _credential(key_file: str) -> Any:
    """Return the account's key or a shared access signature, or else what Azure's tools find.

    Raises Misconfigured("NoCredentials") where the file cannot be read.
    """
    if key_file:
        try:
            return Path(key_file).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            raise Misconfigured("NoCredentials") from None
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


def _blocks_of(path: Path, block_bytes: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while content := file.read(block_bytes):
            yield content


def _block_id(number: int, content: bytes) -> str:
    """Name a block by its number and its bytes; all IDs of a blob must have one length."""
    return f"{number:05d}-{hashlib.md5(content, usedforsecurity=False).hexdigest()}"


def _ids_of(path: Path, size: int) -> Iterator[str]:
    for number, content in enumerate(_blocks_of(path, max(BLOCK_BYTES, -(-size // MOST_BLOCKS)))):
        yield _block_id(number, content)


def _has(blob: Any, size: int, crc32c: str, blocks: list[str]) -> bool:
    """Return whether the blob has our bytes: by its blocks, or, where it was not made of these, by reading it."""
    if blob.get_blob_properties().size != size:
        return False
    committed, _ = blob.get_block_list("committed")
    if [_plain_id(one.id) for one in committed] == blocks:
        return True
    return crc32c_of(blob.download_blob(max_concurrency=1).chunks()) == crc32c


def _plain_id(block_id: str) -> str:
    """Return a block's ID as it was given; the library may return it in base64, as it is sent."""
    if "-" in block_id:
        return block_id
    try:
        return base64.b64decode(block_id, validate=True).decode("ascii")
    except ValueError:
        return block_id


# ---------------------------------------------------------------------------------------------- errors


@contextmanager
def speaking_to_azure() -> Iterator[None]:
    """Turn the library's exceptions into our errors, without their messages, which quote names.

    Raises
    ------
    Misconfigured
        `NoCredentials`.
    ServiceDown
        `StoreDown`: the request may succeed later.
    ServiceRefused
        `NoSuchBucket`, `AccessDenied`, `CredentialsRefused`, `RequestRefused`.
    """
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise _meaning(error) from None
    except ValueError:  # a key that is not base64
        raise ServiceRefused("CredentialsRefused", subject=SERVICE) from None


def _http_error() -> type[Exception]:
    from azure.core.exceptions import HttpResponseError

    found: type[Exception] = HttpResponseError
    return found


def _meaning(error: Exception) -> SenditError:
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import CredentialUnavailableError

    if isinstance(error, CredentialUnavailableError):
        return Misconfigured("NoCredentials")
    status, code = _status(error), _code(error)
    if status == 0 and not isinstance(error, ClientAuthenticationError):
        return ServiceDown("StoreDown")
    if status in _PASSING or status >= http.client.INTERNAL_SERVER_ERROR:
        return ServiceDown("StoreDown")
    if code in _LOST_BLOCKS:
        return ServiceDown("StoreDown")
    if code in _NO_CONTAINER or (status == http.client.NOT_FOUND and not code):
        return ServiceRefused("NoSuchBucket")
    if isinstance(error, ClientAuthenticationError) or code in _BAD_CREDENTIALS:
        return ServiceRefused("CredentialsRefused", subject=SERVICE)
    if status == http.client.FORBIDDEN:
        return ServiceRefused("AccessDenied", subject=SERVICE)
    return ServiceRefused("RequestRefused", subject=f"{SERVICE}, {status} {code}".strip())


def _status(error: Exception) -> int:
    return int(getattr(error, "status_code", None) or 0)


def _code(error: Exception) -> str:
    """Return Azure's one-word code, or "": anything longer might quote a name."""
    code = str(getattr(getattr(error, "error_code", None), "value", getattr(error, "error_code", None)) or "")
    return code if code.isalnum() else ""
