"""What `sendit check` asks of a DICOMweb service."""

from __future__ import annotations

from sendit.adapters.dicomweb.settings import DicomwebService
from sendit.adapters.dicomweb.store import DicomwebStore


def ensure_installed() -> None:
    """It needs nothing that sendit does not bring."""


def ensure_usable(choice: DicomwebService) -> None:
    """Ask for one study.

    Raises
    ------
    Misconfigured, ServiceRefused, ServiceDown
        As for `DicomwebStore.put`.
    """
    DicomwebStore(choice).ensure_usable()
