"""A PACS that takes images by STOW-RS, as a URL says it: `dicomweb+https://host/dicom-web?token_file=/…`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sendit.errors import Misconfigured

SCHEME, SCHEME_WITHOUT_TLS = "dicomweb+https", "dicomweb+http"
FORM = "dicomweb+https://host[:port]/path[?token_file=/…&ca_file=/…]"
_PATH = re.compile(r"(?:/[A-Za-z0-9._~%-]+)*/?")
_OPTIONS = ("token_file", "ca_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomwebService:
    """Images go to a DICOMweb service; `named_by` is the setting that an error names.

    Attributes
    ----------
    path : str
        Behind which `/studies` stands.
    token_file : Path or None
        Holds the token that is sent as `Authorization: Bearer …`; it is read again for each archive.
    """

    is_encrypted: bool
    host: str
    port: int
    path: str
    token_file: Path | None = None
    ca_file: Path | None = None
    name: str = ""
    named_by: str = ""


def parse(url: str, named_by: str) -> DicomwebService:
    """Return what the URL says.

    Raises
    ------
    Misconfigured
        `BadSetting`: it is not of the form `FORM`. A password never stands in a URL, but a token in a file.
    """
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    is_encrypted = parts.scheme == SCHEME
    try:
        port = parts.port or (443 if is_encrypted else 80)
    except ValueError:
        port = 0
    is_right = (
        parts.scheme in (SCHEME, SCHEME_WITHOUT_TLS)
        and parts.hostname
        and "@" not in parts.netloc
        and port
        and _PATH.fullmatch(parts.path)
        and set(options) <= set(_OPTIONS)
        and all(options.values())
    )
    if not is_right:
        raise Misconfigured("BadSetting", subject=f"{named_by}: {FORM}")
    path = parts.path.rstrip("/")
    return DicomwebService(
        is_encrypted=is_encrypted,
        host=parts.hostname or "",
        port=port,
        path=path,
        token_file=Path(options["token_file"]) if "token_file" in options else None,
        ca_file=Path(options["ca_file"]) if "ca_file" in options else None,
        name=f"{parts.scheme}://{parts.netloc}{path}",
        named_by=named_by,
    )
