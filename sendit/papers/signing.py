"""Ed25519: the site's key that signs, and the public keys that recipients verify with.

A key is named by its fingerprint: the SHA-256 of its SubjectPublicKeyInfo (`openssl pkey -pubin -outform DER`).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from sendit.errors import Misconfigured

_BLOCK = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What a signature is verified with."""

    raw: bytes

    @property
    def key_id(self) -> str:
        """Return its fingerprint, in hexadecimal digits."""
        return hashlib.sha256(self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    @property
    def pem(self) -> str:
        """Return it as a file that recipients are given; the line before the block is for people."""
        block = self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        return f"sendit signing key, SHA-256 {self.key_id}\n{block}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Return whether its private key made the signature over exactly these bytes."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    @property
    def _key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.raw)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The site's private key."""

    seed: bytes = field(repr=False)

    @classmethod
    def of_line(cls, line: bytes) -> SigningKey:
        """Return the key in a line of `signing.key`."""
        return cls(base64.urlsafe_b64decode(line))

    @property
    def public(self) -> PublicKey:
        key = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return PublicKey(key.public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, message: bytes) -> bytes:
        """Return the signature. The same bytes always have the same one."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


def public_keys(lines: Iterable[bytes]) -> tuple[PublicKey, ...]:
    """Return the public keys of the lines of `signing.key`, in their order."""
    return tuple(SigningKey.of_line(line).public for line in lines)


def read_public_keys(path: Path) -> tuple[PublicKey, ...]:
    """Return the keys in a PEM file, of which there may be several.

    Raises
    ------
    Misconfigured
        `BadPublicKey`: it has none, or one that is not of Ed25519.
    """
    try:
        blocks = _BLOCK.findall(path.read_bytes())
        found = [load_pem_public_key(block) for block in blocks]
    except (OSError, ValueError):
        raise Misconfigured("BadPublicKey") from None
    keys = [PublicKey(one.public_bytes_raw()) for one in found if isinstance(one, Ed25519PublicKey)]
    if not keys or len(keys) < len(blocks):
        raise Misconfigured("BadPublicKey")
    return tuple(keys)
