"""Images to a PACS by STOW-RS; an archive is there once a query (QIDO-RS) finds all images (PS3.18 10.5, 10.6).

An image that the PACS has already is no error: whether it keeps its own or takes ours is the PACS's choice.
"""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sendit.adapters.archived_images import ArchivedImage, Confirmed, files_of, images_of
from sendit.adapters.checksums import READ_BYTES, crc32c_of_file
from sendit.adapters.dicomweb.settings import DicomwebService
from sendit.durable import disk
from sendit.errors import Misconfigured, SenditError, ServiceDown, ServiceRefused
from sendit.ports import StoredObject, go_on

SERVICE = "DICOMweb service"
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 120.0
AT_ONCE, AT_ONCE_BYTES = 20, 32 << 20
"""Images, and their bytes, that go with one request; an image that is larger goes alone."""
SEEN_SECONDS, LOOK_SECONDS = 60.0, 0.5
"""How long an image that was stored may take to be found, and how often it is looked for."""
PAGE = 1000
"""Matches that are asked for at once."""
MOST_BYTES = 16 << 20
"""The most bytes of an answer that are read."""
DUPLICATE = 0x0111
_FAILED_SOPS, _STORED_SOPS = "00081198", "00081199"
_REASON, _SOP_INSTANCE, _REFERENCED = "00081197", "00080018", "00081155"
_PASSING = (408, 425, 429)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    untrusted_body: bytes


class DicomwebStore:
    """Sends the images of archives to a DICOMweb service.

    Parameters
    ----------
    choice : DicomwebService
    """

    def __init__(self, choice: DicomwebService) -> None:
        self._choice = choice

    def put(
        self, name: str, path: Path, metadata: Mapping[str, str], check: Callable[[], None] = go_on
    ) -> StoredObject:
        """Send the images of an archive that the service has not confirmed yet, and look whether it has all of them.

        Raises
        ------
        ServiceRefused
            `PacsRefused`: it takes no such images. `AccessDenied`, `CredentialsRefused`.
        ServiceDown
            `PacsDown`; `NotVerified`: images that it has stored are not found. `NoSpace`, `DiskRefused`.
        Misconfigured
            `BadSetting`: the token or the certificates cannot be read.
        """
        with disk("object store"):
            images, confirmed = images_of(path), Confirmed(path, self._choice.name)
            by_member = {image.member: image for image in images if image.sop_instance not in confirmed}
            if by_member:
                with files_of(path, set(by_member)) as files:
                    for group in _groups(files):
                        check()
                        self._send([(by_member[member], file) for member, file in group], confirmed)
            self._ensure_found(images, confirmed, check)
            size_bytes, crc32c = path.stat().st_size, crc32c_of_file(path)
        return StoredObject(name, self._uri(images[0].study), size_bytes, crc32c)

    def remove(self, name: str) -> None:
        """DICOMweb has no service that removes. Raises ServiceRefused("NotRemovable")."""
        raise ServiceRefused("NotRemovable", subject=self._choice.name)

    def ensure_usable(self) -> None:
        """Raise what a `put` would raise, if the service cannot be asked with the token that is there."""
        self._get("/studies?limit=1")

    # ------------------------------------------------------------------------------------------ sending

    def _send(self, group: Sequence[tuple[ArchivedImage, Path]], confirmed: Confirmed) -> None:
        boundary = secrets.token_hex(16)
        pieces = list(_pieces([file for _, file in group], boundary))
        length = sum(piece.stat().st_size if isinstance(piece, Path) else len(piece) for piece in pieces)
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Content-Length": str(length),
        }
        answer = self._exchange("POST", "/studies", headers, _blocks(pieces))
        for _, file in group:
            file.unlink(missing_ok=True)
        sent = [image.sop_instance for image, _ in group]
        failed = _failed(answer)
        confirmed.add(*(one for one in sent if one not in failed))
        if failed:
            raise ServiceRefused("PacsRefused", subject=f"reason {sorted(failed.values())[0]:04X}")

    def _ensure_found(self, images: Sequence[ArchivedImage], confirmed: Confirmed, check: Callable[[], None]) -> None:
        wanted = {image.sop_instance for image in images}
        series = sorted({(image.study, image.series) for image in images})
        patience = time.monotonic() + SEEN_SECONDS
        while missing := wanted - {one for each in series for one in self._found(*each, check)}:
            if time.monotonic() > patience:
                confirmed.forget()
                raise ServiceDown("NotVerified", subject=f"{SERVICE}: {len(missing)} of {len(wanted)} images")
            check()
            time.sleep(LOOK_SECONDS)

    def _found(self, study: str, series: str, check: Callable[[], None]) -> set[str]:
        """The SOP Instance UIDs of a series; a service that ignores `offset` answers the same page twice."""
        found: set[str] = set()
        while True:
            check()
            way = f"/studies/{quote(study)}/series/{quote(series)}/instances?limit={PAGE}&offset={len(found)}"
            page = {_uid(match, _SOP_INSTANCE) for match in self._get(way)} - {""}
            if page <= found:
                return found
            found |= page

    def _get(self, way: str) -> list[Any]:
        answer = self._exchange("GET", way, {"Accept": "application/dicom+json"})
        if answer.status in (204, 404):  # nothing matches; of services that say so by 404
            return []
        if answer.status != 200:
            raise _refusal(answer.status)
        matches = _json(answer.untrusted_body)
        return matches if isinstance(matches, list) else []

    # ------------------------------------------------------------------------------------------ requests

    def _exchange(self, method: str, way: str, headers: Mapping[str, str], body: Iterable[bytes] = ()) -> _Answer:
        """One request with its answer. Raises ServiceDown("PacsDown")."""
        said = {"Accept": "application/dicom+json", "User-Agent": "sendit", **headers, **self._authorization()}
        connection = self._connection()
        try:
            connection.request(method, self._choice.path + way, body=iter(body) if body else None, headers=said)
            response = connection.getresponse()
            return _Answer(response.status, response.read(MOST_BYTES))
        except ssl.SSLCertVerificationError:
            raise ServiceRefused("PacsRefused", subject="its certificate is not trusted") from None
        except (OSError, http.client.HTTPException):
            raise ServiceDown("PacsDown") from None
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        choice = self._choice
        if not choice.is_encrypted:
            return http.client.HTTPConnection(choice.host, choice.port, timeout=ANSWER_SECONDS)
        try:
            context = ssl.create_default_context(cafile=choice.ca_file)
        except (OSError, ValueError):
            raise Misconfigured("BadSetting", subject=f"{choice.named_by}: ca_file that can be read") from None
        return http.client.HTTPSConnection(choice.host, choice.port, timeout=ANSWER_SECONDS, context=context)

    def _authorization(self) -> dict[str, str]:
        if self._choice.token_file is None:
            return {}
        try:
            token = self._choice.token_file.read_text().strip()
        except (OSError, UnicodeDecodeError):
            token = ""
        if not (token and token.isascii() and token.isprintable()):
            raise Misconfigured("BadSetting", subject=f"{self._choice.named_by}: token_file that holds a token")
        return {"Authorization": f"Bearer {token}"}

    def _uri(self, study: str) -> str:
        return f"{self._choice.name.partition('+')[2]}/studies/{study}"


def _groups(files: Iterable[tuple[str, Path]]) -> Iterator[list[tuple[str, Path]]]:
    """So many files as go with one request."""
    group: list[tuple[str, Path]] = []
    size_bytes = 0
    for member, file in files:
        more_bytes = file.stat().st_size
        if group and (len(group) == AT_ONCE or size_bytes + more_bytes > AT_ONCE_BYTES):
            yield group
            group, size_bytes = [], 0
        group.append((member, file))
        size_bytes += more_bytes
    if group:
        yield group


def _pieces(files: Sequence[Path], boundary: str) -> Iterator[bytes | Path]:
    """A multipart body, the files in it by name."""
    for file in files:
        yield f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        yield file
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _blocks(pieces: Iterable[bytes | Path]) -> Iterator[bytes]:
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            with piece.open("rb") as file:
                yield from iter(lambda: file.read(READ_BYTES), b"")


def _failed(answer: _Answer) -> dict[str, int]:
    """The images that were not stored, and why, by the answer (PS3.18 10.5.3). Raises ServiceDown where it may pass."""
    if answer.status not in (200, 202, 409):
        raise _refusal(answer.status)
    said = _json(answer.untrusted_body)
    failed = said.get(_FAILED_SOPS, {}).get("Value", []) if isinstance(said, dict) else []
    reasons = {_uid(item, _REFERENCED): _reason(item) for item in failed if isinstance(item, dict)}
    if any(reason >> 8 == 0xA7 for reason in reasons.values()):
        raise ServiceDown("PacsDown")
    if answer.status == 409 and not reasons:
        raise ServiceRefused("PacsRefused", subject="409")
    return {uid: reason for uid, reason in reasons.items() if reason != DUPLICATE}


def _reason(item: Mapping[str, Any]) -> int:
    values = item.get(_REASON, {}).get("Value") or [0x0110]  # processing failure
    return int(values[0]) if isinstance(values[0], int) else 0x0110


def _uid(item: Any, tag: str) -> str:
    values = item.get(tag, {}).get("Value") if isinstance(item, dict) else None
    return str(values[0]) if values else ""


def _json(untrusted: bytes) -> Any:
    try:
        return json.loads(untrusted or b"null")
    except ValueError:
        raise ServiceRefused("PacsRefused", subject="an answer that is not JSON") from None


def _refusal(status: int) -> SenditError:
    if status in _PASSING or status >= 500:
        return ServiceDown("PacsDown")
    if status == 401:
        return ServiceRefused("CredentialsRefused", subject=SERVICE)
    if status == 403:
        return ServiceRefused("AccessDenied", subject=SERVICE)
    return ServiceRefused("PacsRefused", subject=str(status))
