"""What `sendit check` asks of an SFTP server."""

from __future__ import annotations

from importlib.util import find_spec

from sendit.adapters.sftp.settings import SftpFolder
from sendit.adapters.sftp.store import SftpStore
from sendit.errors import Misconfigured


def ensure_installed() -> None:
    """Raise Misconfigured `MissingExtra` if paramiko is not installed."""
    if find_spec("paramiko") is None:
        raise Misconfigured("MissingExtra", subject="sftp")


def ensure_usable(choice: SftpFolder) -> None:
    """Sign in and look for the folder.

    Raises
    ------
    Misconfigured, ServiceRefused, ServiceDown
        As for `SftpStore.put`.
    """
    SftpStore(choice).ensure_usable()
