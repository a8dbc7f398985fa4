"""Where archives go in S3, as a URL says it: `s3://bucket/prefix?region=eu-central-1&endpoint=https://…`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from sendit.errors import Misconfigured

SCHEME = "s3"
FORM = "s3://bucket[/prefix][?region=…&endpoint=https://…&path_style=true&sse=AES256|aws:kms&kms_key=…]"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/?)*")
_OPTIONS = ("region", "endpoint", "path_style", "sse", "kms_key")
_ENCRYPTIONS = ("", "AES256", "aws:kms", "aws:kms:dsse")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Bucket:
    """Archives go into a bucket; `named_by` is the setting that an error names.

    Credentials are those that Amazon's tools find: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, a role.
    """

    bucket: str
    prefix: str = ""
    region: str = ""
    endpoint: str = ""
    path_style: bool = False
    sse: str = ""
    kms_key: str = ""
    name: str = ""
    named_by: str = ""


def parse(url: str, named_by: str) -> S3Bucket:
    """Return what the URL says.

    Raises
    ------
    Misconfigured
        `BadSetting`: it is not of the form `FORM`.
    """
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    prefix = parts.path.strip("/")
    path_style = options.get("path_style", "false")
    is_right = (
        parts.scheme == SCHEME
        and _BUCKET.fullmatch(parts.netloc)
        and _PREFIX.fullmatch(prefix)
        and set(options) <= set(_OPTIONS)
        and path_style in ("true", "false")
        and options.get("sse", "") in _ENCRYPTIONS
        and urlsplit(options.get("endpoint", "https://")).scheme in ("http", "https")
    )
    if not is_right:
        raise Misconfigured("BadSetting", subject=f"{named_by}: {FORM}")
    return S3Bucket(
        bucket=parts.netloc,
        prefix=f"{prefix}/" if prefix else "",
        region=options.get("region", ""),
        endpoint=options.get("endpoint", ""),
        path_style=path_style == "true",
        sse=options.get("sse", ""),
        kms_key=options.get("kms_key", ""),
        name=_name(parts.netloc, prefix, options.get("endpoint", "")),
        named_by=named_by,
    )


def _name(bucket: str, prefix: str, endpoint: str) -> str:
    """The place alone: two servers may have a bucket of one name."""
    host = f"@{urlsplit(endpoint).netloc.rpartition('@')[2]}" if endpoint else ""
    return f"{SCHEME}://{'/'.join(filter(None, (bucket, prefix)))}{host}"
