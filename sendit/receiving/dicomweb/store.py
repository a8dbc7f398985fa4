"""The store transaction of DICOMweb (PS3.18 section 10.5): parts of a request become images; the answer says which."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pydicom import Dataset

from sendit.deid.stream.part_ten import open_part_ten
from sendit.errors import DataFault, ServiceDown
from sendit.receiving.dicomweb.forwarding import Forwarder
from sendit.receiving.dicomweb.multipart import BadMultipart, Body, media_type
from sendit.receiving.peers import Peer, Peers

DICOM = "application/dicom"
MEDIA_STORAGE_SOP_CLASS_UID, MEDIA_STORAGE_SOP_INSTANCE_UID, TRANSFER_SYNTAX_UID = 0x00020002, 0x00020003, 0x00020010
META_BEGINS = 132
LONGEST_META = 256 * 1024
"""Bytes of a part in which its File Meta Information must end."""

PROCESSING_FAILURE, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0110, 0xA700, 0xC000


class BadRequest(Exception):
    """The request cannot be answered image by image; `status` is its HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True)
class Stored:
    """What became of the images of a request: SOP Class UID, SOP Instance UID and status of each."""

    kept: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str, int]] = field(default_factory=list)

    def note(self, sop_class: str, sop_instance: str, status: int) -> None:
        """Note an image."""
        if status == 0:
            self.kept.append((sop_class, sop_instance))
        else:
            self.failed.append((sop_class, sop_instance, status))

    @property
    def http_status(self) -> int:
        """Return the status of the answer (PS3.18 table 10.5.3-1)."""
        if not self.failed:
            return 200 if self.kept else 400
        if self.kept:
            return 202
        return 503 if all(status == OUT_OF_RESOURCES for *_, status in self.failed) else 409

    def dataset(self) -> Dataset:
        """Return the payload of the answer (PS3.18 section 10.5.3.2)."""
        ds = Dataset()
        ds.RetrieveURL = ""
        if self.kept:
            ds.ReferencedSOPSequence = [_item(*one) for one in self.kept]
        if self.failed:
            ds.FailedSOPSequence = [_item(sop_class, instance) for sop_class, instance, _ in self.failed]
            for item, (*_, status) in zip(ds.FailedSOPSequence, self.failed, strict=True):
                item.FailureReason = status
        return ds


def _item(sop_class: str, sop_instance: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
    return item


def sender_of(peers: Peers, authorization: str) -> Peer | None:
    """Return the peer whose token an Authorization header bears (RFC 6750), or None."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return None
    digest = hashlib.sha256(token.strip().encode()).hexdigest()
    found = [peer for peer in peers.known if hmac.compare_digest(peer.token_sha256, digest)]
    return found[0] if found else None


def store(content_type: str, read: Callable[[int], bytes], forwarder: Forwarder) -> Stored:
    """Store every part of a request.

    Raises
    ------
    BadRequest
        It is no multipart request, or is broken off.
    ServiceDown
        `ListenerDown`, before any image was stored.
    """
    kind, parameters = media_type(content_type)
    if kind != "multipart/related" or parameters.get("type", DICOM).lower() != DICOM:
        raise BadRequest(415)
    stored = Stored()
    try:
        for header, pieces in Body(read, parameters.get("boundary", "")).parts():
            if media_type(header.get("content-type", DICOM))[0] != DICOM:
                raise BadRequest(415)
            _store_part(pieces, forwarder, stored)
    except BadMultipart:
        raise BadRequest(400) from None
    return stored


def _store_part(pieces: Iterator[bytes], forwarder: Forwarder, stored: Stored) -> None:
    try:
        meta, pieces = _file_meta(pieces)
    except DataFault:
        stored.note("", "", CANNOT_UNDERSTAND)
        return
    sop_class, sop_instance, syntax = (
        meta.get(tag, b"").rstrip(b"\0 ").decode("ascii", "replace")
        for tag in (MEDIA_STORAGE_SOP_CLASS_UID, MEDIA_STORAGE_SOP_INSTANCE_UID, TRANSFER_SYNTAX_UID)
    )
    try:
        stored.note(sop_class, sop_instance, forwarder.store(sop_class, sop_instance, syntax, pieces))
    except ServiceDown:
        if not stored.kept and not stored.failed:
            raise
        stored.note(sop_class, sop_instance, OUT_OF_RESOURCES)


def _file_meta(pieces: Iterator[bytes]) -> tuple[dict[int, bytes], Iterator[bytes]]:
    """Return the File Meta Information of a part, and the pieces of its dataset. Raises DataFault."""
    held = b""
    while len(held) < LONGEST_META and (piece := next(pieces, b"")):
        held += piece
    if held[128:META_BEGINS] != b"DICM":
        raise DataFault("NotDicom")
    part_ten = open_part_ten(held)
    return part_ten.meta, _chained(held[META_BEGINS + len(part_ten.meta_bytes) :], pieces)


def _chained(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from pieces
