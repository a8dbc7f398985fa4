"""Where an image is in its archive."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One image in the archive: `length` bytes from `offset` are its gzip member; the rest is the image's own."""

    name: str
    offset: int
    length: int
    sha256: str
    size_bytes: int
