"""The secret key of a project: the site's own, or one that HKDF (RFC 5869) derives from it.

With a derived key everything keyed differs, so nothing that two projects deliver of one patient matches.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from enum import StrEnum

SALT = b"sendit/projects/1"
SHARED_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class KeyKind(StrEnum):
    """Whose key a project has."""

    OWN = "own"
    """Derived from the site's key and the project's name."""
    SITE = "site"
    """The site's key itself, as the project `default` has it."""
    SHARED = "shared"
    """Derived from the site's key and a name, which several projects may give."""


@dataclass(frozen=True, slots=True)
class ProjectKey:
    """Which key a project has; `name` is the project's, or the name that is shared, or empty."""

    kind: KeyKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.kind is KeyKind.SHARED else str(self.kind)

    @classmethod
    def parse(cls, text: str, project: str) -> ProjectKey:
        """Read `own`, `site` or `shared:NAME`. Raises ValueError."""
        kind, _, name = text.partition(":")
        if text == KeyKind.OWN:
            return cls(KeyKind.OWN, project)
        if text == KeyKind.SITE:
            return cls(KeyKind.SITE)
        if kind == KeyKind.SHARED and SHARED_NAME.fullmatch(name):
            return cls(KeyKind.SHARED, name)
        raise ValueError(text)

    def of(self, site_key: bytes) -> bytes:
        """Return the project's key."""
        if self.kind is KeyKind.SITE:
            return site_key
        return hkdf(site_key, SALT, f"{self.kind}\0{self.name}".encode())


SITE_KEY = ProjectKey(KeyKind.SITE)


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    """Return one block of HKDF-SHA256 (RFC 5869, 2.2 and 2.3), which is 32 bytes."""
    extracted = hmac.digest(salt, key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def proof(key: bytes) -> str:
    """Return what tells a project's key from another without telling anything of it."""
    return hmac.digest(key, b"\0sendit/projects/1\0proof", "sha256").hex()
