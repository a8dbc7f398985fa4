"""Archives in a folder, as a URL says it: `file:///mnt/archives`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sendit.errors import Misconfigured

SCHEME = "file"
FORM = "file:///folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFolder:
    """Archives go into a folder."""

    path: Path
    name: str = ""
    named_by: str = ""


def parse(url: str, named_by: str) -> StoreFolder:
    """Return what the URL says.

    Raises
    ------
    Misconfigured
        `BadSetting`: it is not of the form `FORM`.
    """
    parts, path = urlsplit(url), Path(unquote(urlsplit(url).path))
    if parts.scheme != SCHEME or parts.netloc or parts.query or not path.is_absolute() or path == Path("/"):
        raise Misconfigured("BadSetting", subject=f"{named_by}: {FORM}")
    return StoreFolder(path=path, name=f"{SCHEME}://{path}", named_by=named_by)
