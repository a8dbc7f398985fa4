"""S3: a precondition makes sure that an object is written once and never overwritten.

A small archive is one PUT, a large one a multipart upload in pieces, so a worker's memory is bounded. Both carry the
CRC32C of the whole file, and both come to be only if there is no object of that name (`If-None-Match: *`).
"""

from __future__ import annotations

import http.client
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sendit.adapters.checksums import READ_BYTES, crc32c_of, crc32c_of_file
from sendit.adapters.object_names import plain
from sendit.adapters.per_process import PerProcess
from sendit.adapters.request_patience import Patience
from sendit.adapters.s3.settings import S3Bucket
from sendit.durable import disk
from sendit.errors import Misconfigured, SenditError, ServiceDown, ServiceRefused
from sendit.ports import StoredObject, go_on

PART_BYTES = 8 << 20
"""How much of a file is held in memory and sent in one request; S3 takes no fewer than 5 MiB, and 10,000 parts."""
MOST_PARTS = 10_000
SERVICE = "object store"
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""409: another request for the same name is under way."""
_RETAINED = frozenset({"ObjectLocked", "ObjectUnderRetention", "InvalidRequestByObjectLock"})
"""S3's codes for a removal that object lock forbids."""
_BAD_CREDENTIALS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
)


class S3Store:
    """Keeps objects in a bucket.

    Parameters
    ----------
    choice : S3Bucket
    patience : Patience, optional
    """

    def __init__(self, choice: S3Bucket, patience: Patience | None = None) -> None:
        if find_spec("boto3") is None:
            raise Misconfigured("MissingExtra", subject="s3")
        self._choice, self._patience = choice, patience or Patience()
        self._client: PerProcess[Any] = PerProcess(self._make_client)

    def put(
        self, name: str, path: Path, metadata: Mapping[str, str], check: Callable[[], None] = go_on
    ) -> StoredObject:
        """Store the file's bytes under `name` once; a repeated put verifies the object that is there.

        `content_type` in `metadata` becomes the object's, the rest its user-defined metadata.

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
        key = self._key(name)
        with disk(SERVICE), speaking_to_s3():
            size, crc32c = os.path.getsize(path), crc32c_of_file(path)
            is_new = self._upload(key, path, size, crc32c, self._terms(metadata), check)
            if not self._has(key, size, crc32c):
                raise ServiceDown("NotVerified", subject=SERVICE) if is_new else ServiceRefused("ObjectConflict")
        return StoredObject(name=name, uri=f"s3://{self._choice.bucket}/{key}", size_bytes=size, crc32c=crc32c)

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Read `length` bytes from `offset` in one ranged request.

        Raises
        ------
        ServiceRefused
            `NoSuchObject`: there is no such object, or it is too short.
        """
        key = self._key(name)
        with speaking_to_s3():
            try:
                content = self._read(key, offset, length)
            except _client_error() as error:
                if _status(error) in (http.client.NOT_FOUND, http.client.REQUESTED_RANGE_NOT_SATISFIABLE):
                    raise _missing(error) from None
                raise
        if len(content) != length:
            raise ServiceRefused("NoSuchObject")
        return content

    def remove(self, name: str) -> None:
        """Remove the object with all of its versions, and uploads of it that killed workers left.

        Raises
        ------
        ServiceRefused
            `Retained`: object lock forbids it. `NoSuchBucket`, `AccessDenied`, `CredentialsRefused`, `RequestRefused`.
        ServiceDown
            `StoreDown`.
        """
        where = {"Bucket": self._choice.bucket, "Key": self._key(name)}
        with speaking_to_s3():
            client = self._client.get()
            with suppress(_client_error()):  # not every account may list them
                left = client.list_multipart_uploads(Bucket=where["Bucket"], Prefix=where["Key"]).get("Uploads", ())
                for upload in left:
                    if upload["Key"] == where["Key"]:
                        client.abort_multipart_upload(**where, UploadId=upload["UploadId"])
            try:
                if "VersionId" in client.delete_object(**where):  # the bucket has versions, which keep the bytes
                    _remove_versions(client, where)
            except _client_error() as error:
                if _code(error) in _RETAINED:
                    raise ServiceRefused("Retained") from None
                raise

    def ensure_usable(self) -> None:
        """Raise what a `put` would raise, if the bucket cannot be reached with these credentials."""
        with speaking_to_s3():
            self._client.get().head_bucket(Bucket=self._choice.bucket)

    def _upload(
        self, key: str, path: Path, size: int, crc32c: str, terms: dict[str, Any], check: Callable[[], None]
    ) -> bool:
        """Upload the file. Returns False if there is an object of that name already."""
        try:
            if size <= PART_BYTES:
                check()
                self._put({"Bucket": self._choice.bucket, "Key": key}, path.read_bytes(), crc32c, terms)
            else:
                self._put_in_parts({"Bucket": self._choice.bucket, "Key": key}, path, size, crc32c, terms, check)
        except _client_error() as error:
            if _status(error) == http.client.PRECONDITION_FAILED:
                return False
            raise
        return True

    def _put(self, where: dict[str, str], content: bytes, crc32c: str, terms: dict[str, Any]) -> None:
        self._client.get().put_object(**where, Body=content, IfNoneMatch="*", ChecksumCRC32C=crc32c, **terms)

    def _put_in_parts(
        self,
        where: dict[str, str],
        path: Path,
        size: int,
        crc32c: str,
        terms: dict[str, Any],
        check: Callable[[], None],
    ) -> None:
        """Upload piece by piece. What fails, or is stopped by `check`, leaves no upload behind."""
        whole = {"ChecksumType": "FULL_OBJECT"}
        client = self._client.get()
        upload: Any = {
            **where,
            "UploadId": client.create_multipart_upload(**where, ChecksumAlgorithm="CRC32C", **whole, **terms)[
                "UploadId"
            ],
        }
        try:
            parts = list(self._parts(upload, path, max(PART_BYTES, -(-size // MOST_PARTS)), check))
            client.complete_multipart_upload(
                **upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*", ChecksumCRC32C=crc32c, **whole
            )
        except BaseException:
            with suppress(*_failures()):
                client.abort_multipart_upload(**upload)
            raise

    def _parts(self, upload: Any, path: Path, part_bytes: int, check: Callable[[], None]) -> Iterator[Any]:
        with path.open("rb") as file:
            number = 0
            while content := file.read(part_bytes):
                check()
                number += 1
                crc32c = crc32c_of([content])
                answer = self._client.get().upload_part(
                    **upload, PartNumber=number, Body=content, ChecksumCRC32C=crc32c
                )
                yield {"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32C": crc32c}

    def _has(self, key: str, size: int, crc32c: str) -> bool:
        """Return whether the object has our bytes, by S3's own checksum, or else by reading it."""
        client, where = self._client.get(), {"Bucket": self._choice.bucket, "Key": key}
        head = client.head_object(**where, ChecksumMode="ENABLED")
        if head["ContentLength"] != size:
            return False
        known = head.get("ChecksumCRC32C")
        if known and "-" not in known:
            return str(known) == crc32c
        return crc32c_of(client.get_object(**where)["Body"].iter_chunks(READ_BYTES)) == crc32c

    def _read(self, key: str, offset: int, length: int) -> bytes:
        client, where = self._client.get(), {"Bucket": self._choice.bucket, "Key": key}
        if length:
            content: bytes = client.get_object(**where, Range=f"bytes={offset}-{offset + length - 1}")["Body"].read()
            return content
        if offset > client.head_object(**where)["ContentLength"]:
            raise ServiceRefused("NoSuchObject")
        return b""

    def _terms(self, metadata: Mapping[str, str]) -> dict[str, Any]:
        terms: dict[str, Any] = {
            "ContentType": metadata.get("content_type", "application/octet-stream"),
            "Metadata": {key: value for key, value in metadata.items() if key != "content_type"},
        }
        if self._choice.sse:
            terms["ServerSideEncryption"] = self._choice.sse
        if self._choice.kms_key:
            terms["SSEKMSKeyId"] = self._choice.kms_key
        return terms

    def _key(self, name: str) -> str:
        return self._choice.prefix + plain(name)

    def _make_client(self) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            connect_timeout=self._patience.connect_seconds,
            read_timeout=self._patience.answer_seconds,
            retries={"mode": "standard", "total_max_attempts": self._patience.attempts},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if self._choice.path_style else "auto"},
        )
        return boto3.session.Session().client(  # not the module's own session, which keeps credentials
            "s3",
            region_name=self._choice.region or None,
            endpoint_url=self._choice.endpoint or None,
            config=config,
        )


# ---------------------------------------------------------------------------------------------- errors


@contextmanager
def speaking_to_s3() -> Iterator[None]:
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
    try:
        yield
    except _failures() as error:
        raise _meaning(error) from None


def _failures() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError

    return (BotoCoreError, _client_error())


def _client_error() -> type[Exception]:
    from botocore.exceptions import ClientError

    found: type[Exception] = ClientError
    return found


def _meaning(error: Exception) -> SenditError:
    from botocore.exceptions import (
        CredentialRetrievalError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
    )

    if isinstance(error, NoCredentialsError | PartialCredentialsError | ProfileNotFound):
        return Misconfigured("NoCredentials")
    if isinstance(error, CredentialRetrievalError):
        return ServiceRefused("CredentialsRefused", subject=SERVICE)
    if not isinstance(error, _client_error()):
        return ServiceDown("StoreDown")
    status, code = _status(error), _code(error)
    if status in _PASSING or status >= http.client.INTERNAL_SERVER_ERROR:
        return ServiceDown("StoreDown")
    if code == "NoSuchBucket" or (status == http.client.NOT_FOUND and code in ("", "404")):
        return ServiceRefused("NoSuchBucket")
    if status == http.client.UNAUTHORIZED or code in _BAD_CREDENTIALS:
        return ServiceRefused("CredentialsRefused", subject=SERVICE)
    if status == http.client.FORBIDDEN:
        return ServiceRefused("AccessDenied", subject=SERVICE)
    return ServiceRefused("RequestRefused", subject=f"{SERVICE}, {status} {code}".strip())


def _missing(error: Exception) -> ServiceRefused:
    return ServiceRefused("NoSuchBucket" if _code(error) == "NoSuchBucket" else "NoSuchObject")


def _status(error: Exception) -> int:
    response: dict[str, Any] = getattr(error, "response", {})
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _remove_versions(client: Any, where: dict[str, str]) -> None:
    """Remove every version of an object, and every mark of a removal.

    Raises ServiceRefused("Retained") if object lock keeps one.
    """
    found = client.get_paginator("list_object_versions").paginate(Bucket=where["Bucket"], Prefix=where["Key"])
    versions = [one for page in found for kind in ("Versions", "DeleteMarkers") for one in page.get(kind, ())]
    is_kept = False
    for version in (one["VersionId"] for one in versions if one["Key"] == where["Key"]):
        try:
            client.delete_object(**where, VersionId=version)
        except _client_error() as error:
            if not (_code(error) in _RETAINED or _is_locked(client, {**where, "VersionId": version})):
                raise
            is_kept = True
    if is_kept:
        raise ServiceRefused("Retained")


def _is_locked(client: Any, version: dict[str, str]) -> bool:
    """Return whether object lock keeps a version; a refusal alone may also mean that a permission is missing."""
    with suppress(_client_error()):
        if client.get_object_retention(**version).get("Retention", {}).get("Mode"):
            return True
    with suppress(_client_error()):
        return bool(client.get_object_legal_hold(**version).get("LegalHold", {}).get("Status") == "ON")
    return False


def _code(error: Exception) -> str:
    """Return S3's one-word code, or "": anything longer might quote a name."""
    response: dict[str, Any] = getattr(error, "response", {})
    code = str(response.get("Error", {}).get("Code", ""))
    return code if code.isalnum() else ""
