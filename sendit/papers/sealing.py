"""Encryption to a recipient's public key: age, or CMS (S/MIME) to an RSA key or certificate in PEM."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key, pkcs7
from cryptography.x509.oid import NameOID

from sendit.errors import Misconfigured

LEAST_RSA_BITS = 2048


class Recipient(Protocol):
    """Whose private key alone opens what is sealed."""

    @property
    def words(self) -> str:
        """Return which key it is, in a few characters that can be compared by telephone."""
        ...

    def seal(self, content: bytes) -> bytes:
        """Return the content, encrypted."""
        ...


def recipient(text: str) -> Recipient:
    """Return the recipient of an `age1…` key, or of the content of a PEM file.

    Raises
    ------
    Misconfigured
        `BadRecipient`: it is neither; `MissingPackage`: age is not installed.
    """
    if text.strip().startswith("age1"):
        return _AgeRecipient(_checked_age(text.strip()))
    return _CmsRecipient(_certificate(text.encode()))


@dataclass(frozen=True, slots=True)
class _AgeRecipient:
    key: str

    @property
    def words(self) -> str:
        return f"{self.key[:12]}…{self.key[-6:]}"

    def seal(self, content: bytes) -> bytes:
        import pyrage

        sealed: bytes = pyrage.encrypt(content, [pyrage.x25519.Recipient.from_str(self.key)])
        return sealed


def _checked_age(key: str) -> str:
    try:
        import pyrage
    except ImportError:
        raise Misconfigured("MissingPackage", subject="--to age1…: sendit[age]") from None
    try:
        pyrage.x25519.Recipient.from_str(key)
    except pyrage.RecipientError:
        raise Misconfigured("BadRecipient", subject="--to") from None
    return key


@dataclass(frozen=True, slots=True)
class _CmsRecipient:
    certificate: x509.Certificate

    @property
    def words(self) -> str:
        spki = self.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"RSA {hashlib.sha256(spki).hexdigest()[:16]}"

    def seal(self, content: bytes) -> bytes:
        builder = pkcs7.PKCS7EnvelopeBuilder().set_data(content).add_recipient(self.certificate)
        sealed = builder.set_content_encryption_algorithm(AES256)
        return sealed.encrypt(Encoding.PEM, [pkcs7.PKCS7Options.Binary])


def _certificate(pem: bytes) -> x509.Certificate:
    try:
        is_certificate = b"BEGIN CERTIFICATE" in pem
        certificate = x509.load_pem_x509_certificate(pem) if is_certificate else None
        key = certificate.public_key() if certificate else load_pem_public_key(pem)
    except ValueError:
        raise Misconfigured("BadRecipient", subject="--to") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < LEAST_RSA_BITS:
        raise Misconfigured("BadRecipient", subject="--to: an RSA key of 2048 bits or more")
    return certificate or _wrapped(key)


def _wrapped(key: RSAPublicKey) -> x509.Certificate:
    """Return a certificate of a bare key: CMS names the recipient by one. Nobody has to trust it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "recipient")])
    begin = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key)
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    builder = builder.serial_number(int.from_bytes(hashlib.sha256(spki).digest()[:8], "big") | 1)
    builder = builder.not_valid_before(begin).not_valid_after(begin.replace(year=2100))
    return builder.sign(Ed25519PrivateKey.generate(), None)
