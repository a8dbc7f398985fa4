"""The scripts and styles, served from memory under names that change with their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse

FOLDER = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
A_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file with its type and the digest in its address."""

    content: bytes
    content_type: str
    digest: str


@cache
def files() -> dict[str, StaticFile]:
    """Return all files by their name below the folder."""
    found = {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.rglob("*") if path.suffix in TYPES}
    return {name: _read(path) for name, path in found.items()}


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    return StaticFile(content, f"{TYPES[path.suffix]}; charset=utf-8", hashlib.sha256(content).hexdigest()[:12])


def address(name: str) -> str:
    """Return the path under which a file is served."""
    return f"/static/{files()[name].digest}/{name}"


def serve(request: HttpRequest, digest: str, name: str) -> HttpResponse:
    """Answer `GET /static/<digest>/<name>`."""
    file = files().get(name)
    if file is None or file.digest != digest:
        raise Http404
    return HttpResponse(file.content, content_type=file.content_type, headers={"Cache-Control": A_YEAR})
