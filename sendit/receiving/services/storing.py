"""C-STORE (PS3.4 Annex B): an image goes from its PDUs straight into a file, and is acknowledged once it is kept."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum

from django.db import DatabaseError, InterfaceError

from sendit.errors import DataFault, SenditError
from sendit.ground import events
from sendit.receiving.landings.study import Outcome, StudyLanding
from sendit.receiving.landings.zone import (
    ACCESSION_NUMBER,
    HEADERS,
    SOP_CLASS_UID,
    STUDY_INSTANCE_UID,
    Zone,
)
from sendit.receiving.terms import Terms
from sendit.receiving.wire.part_ten import preamble_and_meta

FREE_SPACE_SECONDS = 1.0
"""How often the file system is asked for its free space."""

LEAST_BYTES_PER_SECOND, GRACE_SECONDS = 1024, 60.0
"""An image that comes more slowly than this, after a time of grace, ends its association."""


class StoreStatus(IntEnum):
    """The status codes of our C-STORE responses (PS3.4 table B.2-1)."""

    SUCCESS = 0x0000
    OUT_OF_RESOURCES = 0xA700
    DOES_NOT_MATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000
    INVALID_ARGUMENT = 0x0115


STORE_MEANINGS = {
    StoreStatus.SUCCESS: "the image is kept",
    StoreStatus.OUT_OF_RESOURCES: "less free space than LISTENER_MIN_FREE_MB, a disk or database that refuses, "
    "or an image larger than LISTENER_MAX_OBJECT_MB; the sender should try again later",
    StoreStatus.DOES_NOT_MATCH: "the SOP Class UID in the dataset is not that of the request",
    StoreStatus.CANNOT_UNDERSTAND: "the dataset cannot be read",
    StoreStatus.INVALID_ARGUMENT: "no valid SOP Instance UID, or a SOP class that is not that of its context",
}
"""What each status means, for docs/dicom.md."""


@dataclass(slots=True)
class FreeSpace:
    """The free space of a file system, asked for no more than once a second."""

    folder: str
    _bytes: int = 0
    _until: float = 0.0

    def bytes(self) -> int:
        """Return the number of bytes, or 0 if the folder cannot be asked."""
        now = time.monotonic()
        if now >= self._until:
            self._until = now + FREE_SPACE_SECONDS
            try:
                self._bytes = shutil.disk_usage(self.folder).free
            except OSError:
                self._bytes = 0
        return self._bytes


class Incoming:
    """An image on its way. Once it is refused, the rest of it is read and forgotten.

    Parameters
    ----------
    zone : Zone
        Where it lands.
    free_space : FreeSpace
        That of the zone's file system.
    terms : Terms
    sop_class, sop_instance : bytes
        The UIDs of the request, without padding.
    transfer_syntax : str
        That of the presentation context.
    """

    def __init__(
        self,
        zone: Zone,
        free_space: FreeSpace,
        terms: Terms,
        sop_class: bytes,
        sop_instance: bytes,
        transfer_syntax: str,
    ) -> None:
        self._zone, self._terms = zone, terms
        self._sop_class, self._sop_instance = sop_class, sop_instance
        self._draft, self._handle = "", -1
        self._bytes, self._began_at = 0, time.monotonic()
        self.refusal: StoreStatus | None = None
        if free_space.bytes() < terms.min_free_bytes:
            self.refuse(StoreStatus.OUT_OF_RESOURCES, "NoSpace")
        else:
            self._begin(preamble_and_meta(sop_class, sop_instance, transfer_syntax))

    def _begin(self, meta: bytes) -> None:
        try:
            draft = self._zone.draft()
            self._handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            self._draft = draft
            write_all(self._handle, memoryview(meta))
        except (OSError, DatabaseError, InterfaceError, SenditError) as error:
            self.refuse(StoreStatus.OUT_OF_RESOURCES, _code_of(error))

    def refuse(self, status: StoreStatus, code: str) -> None:
        """Refuse the image, for whatever came first; its file goes."""
        if self.refusal is None:
            self.refusal = status
            events.log("listener.refused", status=f"{status:04X}", code=code)
        self.discard()

    def discard(self) -> None:
        """Remove what is there of the image."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        if self._draft:
            with suppress(OSError):
                os.unlink(self._draft)
            self._draft = ""

    def write(self, data: memoryview) -> None:
        """Write the next bytes of the dataset."""
        self._bytes += len(data)
        if self._handle < 0:
            return
        if self._bytes > self._terms.max_object_bytes:
            self.refuse(StoreStatus.OUT_OF_RESOURCES, "TooLarge")
            return
        try:
            write_all(self._handle, data)
        except OSError as error:
            self.refuse(StoreStatus.OUT_OF_RESOURCES, _code_of(error))

    def is_dripping(self) -> bool:
        """Return whether the image comes too slowly to be meant."""
        seconds = time.monotonic() - self._began_at - GRACE_SECONDS
        return seconds > 0 and self._bytes < seconds * LEAST_BYTES_PER_SECOND

    def keep(self, bringer: int) -> StoreStatus:
        """Move the complete image into its study's folder, make it durable, and return the status to answer."""
        if self.refusal is None:
            try:
                self._keep(bringer)
            except DataFault as fault:
                self.refuse(StoreStatus.CANNOT_UNDERSTAND, fault.code)
            except (OSError, DatabaseError, InterfaceError, SenditError) as error:
                self.refuse(StoreStatus.OUT_OF_RESOURCES, _code_of(error))
        return StoreStatus.SUCCESS if self.refusal is None else self.refusal

    def _keep(self, bringer: int) -> None:
        header = HEADERS.read(self._draft)
        accession = header.raw(ACCESSION_NUMBER)
        study = header.raw(STUDY_INSTANCE_UID).strip(b"\0 ") or without_study(accession, self._sop_instance)
        if header.raw(SOP_CLASS_UID).rstrip(b"\0 ") != self._sop_class:
            self.refuse(StoreStatus.DOES_NOT_MATCH, "DoesNotMatch")
        else:
            with self._zone.study(study.decode("latin-1"), accession, bringer) as landing:
                self._move_into(landing)

    def _move_into(self, landing: StudyLanding) -> None:
        """Move the image; its bytes are on the disk before its name is."""
        if self._terms.syncs_each_image:
            os.fdatasync(self._handle)
        outcome, number = landing.add(self._sop_instance, self._draft)
        self._draft = ""
        if self._terms.syncs_each_image:
            if outcome is Outcome.COPY:
                landing.sync_image(number)
            landing.sync_names()
        self.discard()


def without_study(accession: bytes, sop_instance: bytes) -> bytes:
    """Return what stands for a missing Study Instance UID: the pipeline will say what is missing, image by image."""
    return b"unidentified-" + (accession.strip(b"\0 ") or sop_instance)


def write_all(handle: int, data: memoryview) -> None:
    """Write all bytes; a disk that is nearly full may take only some at a time."""
    while data:
        data = data[os.write(handle, data) :]


def _code_of(error: Exception) -> str:
    """Return a word for the log."""
    if isinstance(error, SenditError):
        return error.code
    return "DiskRefused" if isinstance(error, OSError) else "DatabaseDown"
