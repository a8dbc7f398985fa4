"""What `sendit check` asks of a container in Azure Blob Storage."""

from __future__ import annotations

from importlib.util import find_spec

from sendit.adapters.azure.settings import AzureContainer
from sendit.adapters.azure.store import AzureStore
from sendit.errors import Misconfigured


def ensure_installed() -> None:
    """Raise Misconfigured `MissingExtra` if Azure's library is not installed."""
    if find_spec("azure") is None or find_spec("azure.storage.blob") is None:
        raise Misconfigured("MissingExtra", subject="azure")


def ensure_usable(choice: AzureContainer) -> None:
    """Ask for the container.

    Raises
    ------
    Misconfigured, ServiceRefused, ServiceDown
        As for `AzureStore.put`.
    """
    AzureStore(choice).ensure_usable()
