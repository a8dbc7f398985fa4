"""What `sendit check` asks of a bucket in Google Cloud Storage."""

from __future__ import annotations

from importlib.util import find_spec

from sendit.adapters.gcs.settings import GcsBucket
from sendit.adapters.gcs.store import GcsStore
from sendit.adapters.google_cloud import Patience
from sendit.errors import Misconfigured

QUICK = Patience(answer_seconds=10, retry_seconds=10)
"""A person waits for the answer."""


def ensure_installed() -> None:
    """Raise Misconfigured `MissingExtra` if Google's libraries are not installed."""
    try:
        is_there = find_spec("google.cloud.storage") is not None
    except ModuleNotFoundError:  # nor is what it is in
        is_there = False
    if not is_there:
        raise Misconfigured("MissingExtra", subject="google")


def ensure_usable(choice: GcsBucket) -> None:
    """Ask for an object that is not there, which needs no right but to read objects.

    Raises
    ------
    Misconfigured, ServiceRefused, ServiceDown
        As for `GcsStore.put`.
    """
    GcsStore(choice, QUICK).ensure_usable()
