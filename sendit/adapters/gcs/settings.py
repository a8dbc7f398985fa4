"""Where archives go in Google Cloud Storage, as a URL says it: `gs://bucket`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sendit.errors import Misconfigured

SCHEME = "gs"
FORM = "gs://bucket"
BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class GcsBucket:
    """Archives go into a bucket; `named_by` is the setting that an error names.

    Attributes
    ----------
    endpoint : str
        An emulator's URL; if empty, Google.
    is_anonymous : bool
        Send no credentials, for emulators.
    """

    bucket: str
    endpoint: str = ""
    is_anonymous: bool = False
    name: str = ""
    named_by: str = ""


def parse(url: str, named_by: str) -> GcsBucket:
    """Return what the URL says.

    Raises
    ------
    Misconfigured
        `BadSetting`: it is not of the form `FORM`.
    """
    scheme, _, bucket = url.partition("://")
    if scheme != SCHEME or not BUCKET.fullmatch(bucket):
        raise Misconfigured("BadSetting", subject=f"{named_by}: {FORM}")
    return GcsBucket(bucket=bucket, name=url, named_by=named_by)
