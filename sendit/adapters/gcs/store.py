"""Google Cloud Storage: a precondition makes sure that an object is written once and never overwritten.

Access is configured on the bucket (uniform bucket-level access), so no request here names an ACL.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from sendit.adapters.checksums import crc32c_of_file
from sendit.adapters.gcs.settings import BUCKET, GcsBucket
from sendit.adapters.google_cloud import (
    Patience,
    Service,
    credentials,
    failures,
    method_of,
    reason_of,
    speaking_to,
    status_of,
)
from sendit.adapters.object_names import plain
from sendit.adapters.per_process import PerProcess
from sendit.durable import disk
from sendit.errors import Misconfigured, SenditError, ServiceDown, ServiceRefused
from sendit.ports import StoredObject, go_on

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Client

SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
CHUNK_BYTES = 2 << 20
"""How much of a file is held in memory and sent in one request; a multiple of 256 KiB."""
SERVICE = Service("object store", "StoreDown")
_GENERATION = re.compile("generation=[0-9]+&?")
"""The part of a link that tells the microsecond at which the object was made; the link works without it."""
_RETAINED = frozenset({"retentionPolicyNotMet", "objectUnderActiveHold", "retentionPeriodNotMet"})
"""Google's reasons for a removal that a policy or a hold forbids."""


class GcsStore:
    """Keeps objects in a bucket.

    Parameters
    ----------
    choice : GcsBucket
    patience : Patience, optional
    """

    def __init__(self, choice: GcsBucket, patience: Patience | None = None) -> None:
        if not BUCKET.fullmatch(choice.bucket):
            raise Misconfigured("BadSetting", subject=f"{choice.named_by}: a bucket's name")
        self._choice = choice
        self._patience = patience or Patience()
        self._client: PerProcess[Client] = PerProcess(self._make_client)

    def put(
        self, name: str, path: Path, metadata: Mapping[str, str], check: Callable[[], None] = go_on
    ) -> StoredObject:
        """Store the file's bytes under `name` once; a repeated put verifies the object that is there.

        `content_type` in `metadata` becomes the object's, the rest its custom metadata. The file is sent in chunks,
        each repeated until the service has it or `patience` ends. The service compares the whole object with the CRC32C
        that the first request announces.

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
        plain(name)
        with disk("object store"), speaking_to(SERVICE):
            blob, crc32c = self._blob(name), crc32c_of_file(path)
            if not self._upload(blob, path, crc32c, metadata, check):
                self._ensure_same(blob, path, crc32c)
            if (blob.size, blob.crc32c) != (os.path.getsize(path), crc32c):
                raise ServiceDown("NotVerified", subject=SERVICE.name)
        return StoredObject(
            name=name,
            uri=f"gs://{self._choice.bucket}/{name}",
            size_bytes=int(blob.size),
            crc32c=str(blob.crc32c),
            generation=str(blob.generation),
            download_link=_GENERATION.sub("", str(blob.media_link)),
            metadata_link=str(blob.self_link),
        )

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Read `length` bytes from `offset` in one ranged request.

        Raises
        ------
        ServiceRefused
            `NoSuchObject`: there is no such object, or it is too short.
        """
        plain(name)
        with speaking_to(SERVICE):
            try:
                content = self._read(self._blob(name), offset, length)
            except failures() as error:
                if status_of(error) in (http.client.NOT_FOUND, http.client.REQUESTED_RANGE_NOT_SATISFIABLE):
                    raise ServiceRefused("NoSuchObject") from None
                raise
        if len(content) != length:
            raise ServiceRefused("NoSuchObject")
        return content

    def remove(self, name: str) -> None:
        """Remove the object; a bucket with versions or soft deletion keeps the bytes for as long as it is set to.

        Raises
        ------
        ServiceRefused
            `Retained`: a retention policy or a hold forbids it. `AccessDenied`, `CredentialsRefused`, `RequestRefused`.
        ServiceDown
            `StoreDown`.
        """
        plain(name)
        with speaking_to(SERVICE):
            try:
                self._blob(name).delete(**self._patience.terms)
            except failures() as error:
                if status_of(error) == http.client.NOT_FOUND:
                    return
                if status_of(error) == http.client.FORBIDDEN and reason_of(error) in _RETAINED:
                    raise ServiceRefused("Retained") from None
                raise

    def ensure_usable(self) -> None:
        """Raise what a `put` would raise, if Google refuses these credentials; a missing bucket is not told here."""
        with speaking_to(SERVICE):
            self._blob("sendit").exists(**self._patience.terms)

    def _upload(
        self, blob: Blob, path: Path, crc32c: str, metadata: Mapping[str, str], check: Callable[[], None]
    ) -> bool:
        """Upload the file. Returns False if there is an object of that name already."""
        blob.metadata = {key: value for key, value in metadata.items() if key != "content_type"}
        try:
            with path.open("rb") as file:
                blob.upload_from_file(  # without a size argument it is always a resumable upload
                    _Checked(file, check),
                    content_type=metadata.get("content_type", "application/octet-stream"),
                    if_generation_match=0,
                    crc32c_checksum_value=crc32c,
                    checksum=None,  # else the library deletes an object that it takes for corrupt, even another's
                    **self._patience.terms,
                )
        except failures() as error:
            if status_of(error) == http.client.PRECONDITION_FAILED or self._is_in_the_way(blob, error):
                return False
            raise _refusal(error) or error from None
        except ValueError:  # the service kept only part of a chunk, and the library lost its position
            raise ServiceDown(SERVICE.down) from None
        return True

    def _is_in_the_way(self, blob: Blob, error: Exception) -> bool:
        """Return whether a 403 means that the object exists: IAM may refuse to replace it before the precondition."""
        return status_of(error) == http.client.FORBIDDEN and bool(blob.exists(**self._patience.terms))

    def _ensure_same(self, blob: Blob, path: Path, crc32c: str) -> None:
        """Refuse an object with other bytes. MD5 is compared too, because CRC32C has only 32 bits.

        The object has our bytes when the answer to an earlier upload was lost, or when another process was faster.
        """
        blob.reload(**self._patience.terms)
        is_same = (blob.size, blob.crc32c) == (os.path.getsize(path), crc32c)
        if not is_same or blob.md5_hash not in (None, _md5(path)):
            raise ServiceRefused("ObjectConflict")

    def _read(self, blob: Blob, offset: int, length: int) -> bytes:
        terms = self._patience.terms
        if length:
            end = offset + length - 1
            content: bytes = blob.download_as_bytes(start=offset, end=end, raw_download=True, checksum=None, **terms)
            return content
        blob.reload(**terms)
        if offset > int(blob.size):
            raise ServiceRefused("NoSuchObject")
        return b""

    def _blob(self, name: str) -> Blob:
        return self._client.get().bucket(self._choice.bucket).blob(name, chunk_size=CHUNK_BYTES)

    def _make_client(self) -> Client:
        from google.cloud.storage import Client

        found, _ = credentials(SCOPE, self._choice.is_anonymous)
        options = {"api_endpoint": self._choice.endpoint} if self._choice.endpoint else None
        return Client(project=None, credentials=found, client_options=options)


class _Checked:
    """A file that calls `check` before every chunk is read; what `check` raises ends the upload."""

    def __init__(self, file: BinaryIO, check: Callable[[], None]) -> None:
        self._file, self._check = file, check
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        self._check()
        return self._file.read(size)


def _refusal(error: Exception) -> SenditError | None:
    """Map errors that mean something special in an upload, or return None.

    A 404 to the first request says that the bucket is missing; a later one, that the upload session has expired.
    """
    if status_of(error) == http.client.NOT_FOUND and method_of(error) == "POST":
        return ServiceRefused("NoSuchBucket")
    if status_of(error) in (http.client.NOT_FOUND, http.client.GONE):
        return ServiceDown(SERVICE.down)
    if status_of(error) == http.client.BAD_REQUEST and "crc32c" in str(error).lower():
        return ServiceDown("NotVerified", subject=SERVICE.name)
    return None


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return base64.b64encode(hashlib.file_digest(file, _new_md5).digest()).decode()


def _new_md5() -> Any:
    return hashlib.md5(usedforsecurity=False)
