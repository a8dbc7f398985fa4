"""Where archives go on an SFTP server, as a URL says it: `sftp://user@host:22/folder?key_file=/…&known_hosts=/…`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from sendit.errors import Misconfigured

SCHEME = "sftp"
PORT = 22
FORM = "sftp://user@host[:port]/folder?key_file=/…[&known_hosts=/…]"
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@-]*")
_FOLDER = re.compile(r"(?:/[A-Za-z0-9_-][A-Za-z0-9._ -]*)+/?")
_OPTIONS = ("key_file", "password_file", "known_hosts")


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpFolder:
    """Archives go below a folder of a host whose key is in `known_hosts`; `named_by` is the setting of an error."""

    user: str
    host: str
    port: int
    folder: str
    key_file: Path | None = None
    password_file: Path | None = None
    known_hosts: Path
    name: str = ""
    named_by: str = ""


def parse(url: str, named_by: str) -> SftpFolder:
    """Return what the URL says.

    Raises
    ------
    Misconfigured
        `BadSetting`: it is not of the form `FORM`. A password never stands in a URL, but in a file.
    """
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    try:
        port = parts.port or PORT
    except ValueError:
        port = 0
    folder = unquote(parts.path)
    is_right = (
        parts.scheme == SCHEME
        and port
        and parts.hostname
        and _USER.fullmatch(unquote(parts.username or ""))
        and parts.password is None
        and _FOLDER.fullmatch(folder)
        and set(options) <= set(_OPTIONS)
        and all(options.values())
        and ("key_file" in options or "password_file" in options)
    )
    if not is_right:
        raise Misconfigured("BadSetting", subject=f"{named_by}: {FORM}")
    return SftpFolder(
        user=unquote(parts.username or ""),
        host=parts.hostname or "",
        port=port,
        folder=folder.rstrip("/"),
        key_file=Path(options["key_file"]) if "key_file" in options else None,
        password_file=Path(options["password_file"]) if "password_file" in options else None,
        known_hosts=Path(options.get("known_hosts") or Path.home() / ".ssh" / "known_hosts"),
        name=f"{SCHEME}://{parts.hostname}{f':{port}' if port != PORT else ''}{folder.rstrip('/')}",
        named_by=named_by,
    )
