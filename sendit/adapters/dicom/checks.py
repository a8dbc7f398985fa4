"""What `sendit check` asks of a PACS."""

from __future__ import annotations

from sendit.adapters.dicom.settings import DicomPeer
from sendit.adapters.dicom.store import DicomStore


def ensure_installed() -> None:
    """It needs nothing that sendit does not bring."""


def ensure_usable(choice: DicomPeer) -> None:
    """Associate, verify (C-ECHO) and look whether queries are served.

    Raises
    ------
    Misconfigured, ServiceRefused, ServiceDown
        As for `DicomStore.put`.
    """
    DicomStore(choice).ensure_usable()
