"""Images to a PACS by C-STORE, over several associations; an archive is there once a query (C-FIND) finds all images.

An image that the PACS has already is no error: whether it keeps its own or takes ours is the PACS's choice.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

from sendit.adapters.archived_images import ArchivedImage, Confirmed, files_of, images_of
from sendit.adapters.checksums import crc32c_of_file
from sendit.adapters.dicom.settings import DicomPeer
from sendit.durable import disk
from sendit.errors import Misconfigured, SenditError, ServiceDown, ServiceRefused
from sendit.ports import StoredObject, go_on

if TYPE_CHECKING:
    from pynetdicom.association import Association

SERVICE = "PACS"
VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 60.0
MOST_CONTEXTS = 128
SEEN_SECONDS, LOOK_SECONDS = 60.0, 0.5
"""How long an image that was confirmed may take to be found, and how often it is looked for."""
SUCCESS, DUPLICATE = 0x0000, 0x0111
_WARNINGS = (0xB000, 0xB006, 0xB007)
"""Stored, though with elements coerced or discarded, or not of the SOP class's form (PS3.4 Table B.2-1)."""
_PENDING = (0xFF00, 0xFF01)


class DicomStore:
    """Sends the images of archives to an application entity.

    Parameters
    ----------
    choice : DicomPeer
    """

    def __init__(self, choice: DicomPeer) -> None:
        self._choice = choice

    def put(
        self, name: str, path: Path, metadata: Mapping[str, str], check: Callable[[], None] = go_on
    ) -> StoredObject:
        """Send the images of an archive that the PACS has not confirmed yet, and look whether it has all of them.

        Raises
        ------
        ServiceRefused
            `PacsRefused`: it takes no association, or not such images.
        ServiceDown
            `PacsDown`; `NotVerified`: images that it has confirmed are not found. `NoSpace`, `DiskRefused`.
        Misconfigured
            `BadSetting`: certificates cannot be read.
        """
        with disk("object store"):
            images, confirmed = images_of(path), Confirmed(path, self._choice.name)
            left = [image for image in images if image.sop_instance not in confirmed]
            if left:
                self._send(path, left, confirmed, check)
            self._ensure_found(images, confirmed, check)
            size_bytes, crc32c = path.stat().st_size, crc32c_of_file(path)
        return StoredObject(name, f"{self._choice.name}/{images[0].study}", size_bytes, crc32c)

    def remove(self, name: str) -> None:
        """DICOM has no service that removes. Raises ServiceRefused("NotRemovable")."""
        raise ServiceRefused("NotRemovable", subject=self._choice.name)

    def ensure_usable(self) -> None:
        """Raise what a `put` would raise, if the PACS takes no association, or neither verification nor queries."""
        with self._associated([(VERIFICATION, ()), (STUDY_ROOT_FIND, ())]) as association:
            if len(association.accepted_contexts) < 2:
                raise ServiceRefused("PacsRefused", subject="queries")
            _ensure_well(association.send_c_echo())

    # ------------------------------------------------------------------------------------------ sending

    def _send(
        self, path: Path, images: Sequence[ArchivedImage], confirmed: Confirmed, check: Callable[[], None]
    ) -> None:
        by_member = {image.member: image for image in images}
        contexts = _contexts(images)
        number = min(self._choice.associations, len(images))
        with ExitStack() as stack:
            files = stack.enter_context(files_of(path, set(by_member)))
            idle: Queue[Association] = Queue()
            for _ in range(number):
                idle.put(stack.enter_context(self._associated(contexts)))
            pool = stack.enter_context(ThreadPoolExecutor(number, "C-STORE"))
            sending: set[Future[str]] = set()
            for member, file in files:
                association = _next(idle, check)
                _confirm(sending, confirmed)
                sending.add(pool.submit(_store, association, file, by_member[member], idle))
            while sending:
                check()
                _confirm(sending, confirmed)
                time.sleep(0.005)

    def _ensure_found(self, images: Sequence[ArchivedImage], confirmed: Confirmed, check: Callable[[], None]) -> None:
        wanted = {image.sop_instance for image in images}
        patience = time.monotonic() + SEEN_SECONDS
        while missing := wanted - self._found(images, check):
            if time.monotonic() > patience:
                confirmed.forget()
                raise ServiceDown("NotVerified", subject=f"{SERVICE}: {len(missing)} of {len(wanted)} images")
            check()
            time.sleep(LOOK_SECONDS)

    def _found(self, images: Sequence[ArchivedImage], check: Callable[[], None]) -> set[str]:
        found: set[str] = set()
        with self._associated([(STUDY_ROOT_FIND, ())]) as association:
            for study, series in sorted({(image.study, image.series) for image in images}):
                check()
                keys = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": ""}
                found |= set(_query(association, keys))
        return found

    # ------------------------------------------------------------------------------------------ associations

    @contextmanager
    def _associated(self, contexts: Sequence[tuple[str, Sequence[str]]]) -> Iterator[Association]:
        from pynetdicom import AE, _config

        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # its messages hold values
        _config.STORE_SEND_CHUNKED_DATASET = True  # bytes as they are, and not all of them in memory
        entity = AE(self._choice.calling)
        entity.connection_timeout = entity.acse_timeout = CONNECT_SECONDS
        entity.dimse_timeout = entity.network_timeout = ANSWER_SECONDS
        for sop_class, syntaxes in contexts:
            entity.add_requested_context(sop_class, list(syntaxes) or None)
        tls = (self._tls(), self._choice.host) if self._choice.tls else None
        called, host, port = self._choice.called, self._choice.host, self._choice.port
        association = entity.associate(host, port, ae_title=called, tls_args=tls)
        if not association.is_established:
            raise _refusal(association, contexts)
        try:
            yield association
        finally:
            if association.is_established:
                association.release()

    def _tls(self) -> ssl.SSLContext:
        choice = self._choice
        try:
            context = ssl.create_default_context(cafile=choice.ca_file)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if choice.certificate_file:
                context.load_cert_chain(choice.certificate_file, choice.key_file)
        except (OSError, ValueError):  # an SSLError is an OSError
            raise Misconfigured("BadSetting", subject=f"{choice.named_by}: certificates that can be read") from None
        return context


def _contexts(images: Sequence[ArchivedImage]) -> list[tuple[str, tuple[str, ...]]]:
    """One for each SOP class and transfer syntax: what a peer accepts for one image it need not take for another."""
    kinds = sorted({(image.sop_class, image.transfer_syntax) for image in images})
    if len(kinds) > MOST_CONTEXTS:
        raise ServiceRefused("PacsRefused", subject=f"{len(kinds)} kinds of images in one archive")
    return [(sop_class, (syntax,)) for sop_class, syntax in kinds]


def _next(idle: Queue[Association], check: Callable[[], None]) -> Association:
    """An association that sends nothing."""
    while True:
        check()
        with suppress(Empty):
            return idle.get(timeout=0.2)


def _confirm(sending: set[Future[str]], confirmed: Confirmed) -> None:
    """Remember what has come to its end. Raises why one of them did not."""
    done = {future for future in sending if future.done()}
    sending -= done
    failures = [failure for future in done if (failure := future.exception())]
    confirmed.add(*(future.result() for future in done if not future.exception()))
    if failures:
        raise failures[0]


def _store(association: Association, file: Path, image: ArchivedImage, idle: Queue[Association]) -> str:
    """Send one image; returns its SOP Instance UID."""
    try:
        status = association.send_c_store(file)
    except ValueError:  # no context was accepted for it
        raise ServiceRefused("PacsRefused", subject=_kind(image.sop_class, image.transfer_syntax)) from None
    except (RuntimeError, OSError):
        raise ServiceDown("PacsDown") from None
    finally:
        file.unlink(missing_ok=True)
        idle.put(association)
    _ensure_well(status)
    return image.sop_instance


def _ensure_well(status: Any) -> None:
    """Out of resources may pass; every other failure will not."""
    code = status.get("Status")
    if code is None or code >> 8 == 0xA7:
        raise ServiceDown("PacsDown")
    if code not in (SUCCESS, DUPLICATE, *_WARNINGS):
        raise ServiceRefused("PacsRefused", subject=f"status {code:04X}")


def _query(association: Association, keys: Mapping[str, str]) -> Iterator[str]:
    """The SOP Instance UIDs of the images that match."""
    from pydicom import Dataset

    ds = Dataset()
    ds.QueryRetrieveLevel = "IMAGE"
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    try:
        answers = association.send_c_find(ds, STUDY_ROOT_FIND)
    except ValueError:
        raise ServiceRefused("PacsRefused", subject="queries") from None
    except RuntimeError:
        raise ServiceDown("PacsDown") from None
    for status, found in answers:
        if status.get("Status") not in _PENDING:
            _ensure_well(status)
        elif found is not None and found.get("SOPInstanceUID"):
            yield str(found.SOPInstanceUID)


def _refusal(association: Association, contexts: Sequence[tuple[str, Sequence[str]]]) -> SenditError:
    """Permanent rejections are the operator's business, and so is a peer that takes nothing; the rest may pass."""
    answer = association.acceptor.primitive
    if association.is_rejected and answer is not None and answer.result == 1:
        return ServiceRefused("PacsRefused", subject="association")
    if association.rejected_contexts and not association.accepted_contexts:
        sop_class, syntaxes = contexts[0]
        return ServiceRefused("PacsRefused", subject=f"{_kind(sop_class, *syntaxes)}")
    return ServiceDown("PacsDown")


def _kind(sop_class: str, *syntaxes: str) -> str:
    return " ".join((f"SOP class {sop_class}", *(f"in transfer syntax {syntax}" for syntax in syntaxes)))
