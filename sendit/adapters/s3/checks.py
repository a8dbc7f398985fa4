"""What `sendit check` asks of a bucket in S3."""

from __future__ import annotations

from importlib.util import find_spec

from sendit.adapters.s3.settings import S3Bucket
from sendit.adapters.s3.store import S3Store
from sendit.errors import Misconfigured


def ensure_installed() -> None:
    """Raise Misconfigured `MissingExtra` if Amazon's library is not installed."""
    if find_spec("boto3") is None:
        raise Misconfigured("MissingExtra", subject="s3")


def ensure_usable(choice: S3Bucket) -> None:
    """Ask for the bucket.

    Raises
    ------
    Misconfigured, ServiceRefused, ServiceDown
        As for `S3Store.put`.
    """
    S3Store(choice).ensure_usable()
