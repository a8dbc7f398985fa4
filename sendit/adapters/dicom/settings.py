"""A PACS that takes images by C-STORE, as a URL says it: `dicom://AET@host:104?calling=SENDIT`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from sendit.errors import Misconfigured

SCHEME = "dicom"
FORM = "dicom://AET@host:port[?calling=SENDIT&associations=4&tls=true&ca_file=/…&certificate_file=/…&key_file=/…]"
CALLING = "SENDIT"
ASSOCIATIONS, MOST_ASSOCIATIONS = 4, 32
_TITLE = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?")
"""An AE title: at most 16 printable characters, none of them a backslash (PS3.5 6.2)."""
_OPTIONS = ("calling", "associations", "tls", "ca_file", "certificate_file", "key_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomPeer:
    """Images go to an application entity; `named_by` is the setting that an error names."""

    called: str
    host: str
    port: int
    calling: str = CALLING
    associations: int = ASSOCIATIONS
    tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    name: str = ""
    named_by: str = ""


def parse(url: str, named_by: str) -> DicomPeer:
    """Return what the URL says.

    Raises
    ------
    Misconfigured
        `BadSetting`: it is not of the form `FORM`.
    """
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    called, calling = unquote(parts.username or ""), options.get("calling", CALLING)
    associations, tls = options.get("associations", str(ASSOCIATIONS)), options.get("tls", "false")
    is_right = (
        parts.scheme == SCHEME
        and parts.path in ("", "/")
        and parts.password is None
        and parts.hostname
        and _port(url)
        and _TITLE.fullmatch(called)
        and _TITLE.fullmatch(calling)
        and set(options) <= set(_OPTIONS)
        and all(options.values())
        and re.fullmatch(r"[0-9]{1,2}", associations)
        and 1 <= int(associations) <= MOST_ASSOCIATIONS
        and tls in ("true", "false")
    )
    if not is_right:
        raise Misconfigured("BadSetting", subject=f"{named_by}: {FORM}")
    files = {name: Path(options[name]) for name in ("ca_file", "certificate_file", "key_file") if name in options}
    return DicomPeer(
        called=called,
        host=parts.hostname or "",
        port=_port(url),
        calling=calling,
        associations=int(associations),
        tls=tls == "true",
        name=f"{SCHEME}://{called.replace(' ', '_')}@{parts.hostname}:{_port(url)}",
        named_by=named_by,
        **files,
    )


def _port(url: str) -> int:
    """The port, or 0 where there is none."""
    try:
        return urlsplit(url).port or 0
    except ValueError:
        return 0
