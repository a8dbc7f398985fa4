"""The landing zone of one data folder: its studies that are being filled, and the images on their way.

Images arrive in a staging folder of ours under a name with `.part`, and are moved into their study's folder when their
last byte is there. Both are on the data folder's file system, so moving is renaming.
"""

from __future__ import annotations

import itertools
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sendit.deid.stream.header import HeaderReader
from sendit.deid.stream.part_ten import open_part_ten
from sendit.errors import DataFault
from sendit.receiving.landings import records
from sendit.receiving.landings.names import folder_name, temporary_name
from sendit.receiving.landings.records import Evidence, Opened
from sendit.receiving.landings.study import StudyLanding, numbers_in

STAGING = "incoming"
MOST_NOTICES = 1000
"""Notices that are remembered; beyond that, the oldest are forgotten."""
SOP_CLASS_UID, STUDY_INSTANCE_UID, ACCESSION_NUMBER = 0x00080016, 0x0020000D, 0x00080050
MEDIA_STORAGE_SOP_INSTANCE_UID = 0x00020003

HEADERS = HeaderReader((SOP_CLASS_UID, STUDY_INSTANCE_UID, ACCESSION_NUMBER))


class Zone:
    """Where the studies of one data folder land.

    Parameters
    ----------
    data_folder : Path
    """

    def __init__(self, data_folder: Path) -> None:
        self.data_folder = os.path.realpath(data_folder)
        self._lock = threading.Lock()
        self._studies: dict[str, StudyLanding] = {}
        self._complete: list[StudyLanding] = []
        self._expected: deque[frozenset[bytes]] = deque(maxlen=MOST_NOTICES)
        self._staging: Opened | None = None
        self._numbers = itertools.count(1)

    def draft(self) -> str:
        """Return a path for an image on its way; its folder is made if it is not there."""
        staging = self._staging or self._make_staging()
        return os.path.join(staging.path, f"{next(self._numbers)}.part")

    def _make_staging(self) -> Opened:
        with self._lock:
            if self._staging is None:
                self._staging = self._make(STAGING, "")
            return self._staging

    def _make(self, name: str, study: str) -> Opened:
        """Record a folder and make it; its name is durable when this returns."""
        opened = records.open_folder(os.path.join(self.data_folder, temporary_name(name)), study)
        try:
            os.mkdir(opened.path, 0o750)
            sync_folder(self.data_folder)
        except OSError:
            records.close_folder(opened)
            raise
        return opened

    @contextmanager
    def study(self, study: str, accession: bytes, bringer: int) -> Iterator[StudyLanding]:
        """Hold the folder of a study open while an image is moved into it; it is made if there is none.

        Parameters
        ----------
        study : str
            The Study Instance UID.
        accession : bytes
            The Accession Number as it was sent.
        bringer : int
            The association that brings the image.
        """
        with self._lock:
            landing = self._studies.get(study)
            if landing is None:
                name = folder_name(accession)
                opened = self._make(name or folder_name(study.encode()), study)
                landing = self._studies[study] = StudyLanding(opened, name, time.monotonic())
            landing.name = landing.name or folder_name(accession)
            landing.under_way += 1
            landing.bringers.add(bringer)
        try:
            yield landing
        finally:
            with self._lock:
                landing.under_way -= 1
                landing.quiet_since = time.monotonic()

    def leave(self, bringer: int) -> None:
        """Note that an association has ended; from now on its studies may count as quiet."""
        now = time.monotonic()
        with self._lock:
            for landing in self._studies.values():
                if bringer in landing.bringers:
                    landing.bringers.discard(bringer)
                    landing.quiet_since = max(landing.quiet_since, now)

    def studies(self) -> list[StudyLanding]:
        """Return the studies that are being filled."""
        with self._lock:
            return list(self._studies.values())

    def expect(self, names: frozenset[bytes]) -> None:
        """Note that a peer has named these images as those of a whole. A restart forgets it; time then decides."""
        with self._lock:
            self._expected.append(names)

    def look_for_expected(self) -> None:
        """Note in each study what was named in it, as far as all of that is here."""
        with self._lock:
            expected = list(self._expected)
        for names in expected:
            for landing in self.studies():
                if landing.named(set(names)) == names and landing.note(set(names), Evidence.NOTIFICATION, 0):
                    with self._lock, suppress(ValueError):
                        self._expected.remove(names)

    def close(self, landing: StudyLanding) -> bool:
        """Let no further image into a study's folder; False while one is being moved into it."""
        with self._lock:
            if landing.under_way:
                return False
            del self._studies[landing.opened.study]
            self._complete.append(landing)
        return True

    def complete(self) -> list[StudyLanding]:
        """Return the studies that are complete and have not been handed over yet."""
        with self._lock:
            return list(self._complete)

    def forget(self, landing: StudyLanding) -> None:
        """Note that a complete study was handed over."""
        landing.close()
        with self._lock:
            self._complete.remove(landing)

    def take_up(self, opened: Opened) -> None:
        """Take up a folder that an earlier process of ours was filling; what was on its way is discarded."""
        if not opened.study or not os.path.isdir(opened.path):
            shutil.rmtree(opened.path, ignore_errors=True)
            records.close_folder(opened)
            return
        if opened.target:
            records.take_back(opened)
        landing = StudyLanding(opened, "", time.monotonic())
        landing.evidence = Evidence(opened.evidence) if opened.evidence else None
        for number in sorted(numbers_in(opened.path)):
            self._take_up_image(landing, number)
        with self._lock:
            if landing.evidence or self._studies.setdefault(opened.study, landing) is not landing:
                landing.evidence = landing.evidence or Evidence.QUIET
                self._complete.append(landing)

    def _take_up_image(self, landing: StudyLanding, number: int) -> None:
        try:
            part_ten = open_part_ten(landing.path(number))
            header, sop_instance = HEADERS.of(part_ten), part_ten.meta[MEDIA_STORAGE_SOP_INSTANCE_UID]
            part_ten.source.close()
        except (DataFault, OSError, KeyError):  # power loss with LISTENER_SYNC=study; it was never committed to
            with suppress(OSError):
                os.unlink(landing.path(number))
            return
        landing.name = landing.name or folder_name(header.raw(ACCESSION_NUMBER))
        landing.take_up(sop_instance.rstrip(b"\0 "), number)

    def remove_staging(self) -> None:
        """Remove the staging folder, with what is in it."""
        with self._lock:
            opened, self._staging = self._staging, None
        if opened:
            shutil.rmtree(opened.path, ignore_errors=True)
            records.close_folder(opened)


def sync_folder(path: str) -> None:
    """Make the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
