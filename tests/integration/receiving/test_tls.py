"""DICOM over TLS, with dcmtk's storescu: only what BCP 195 allows, and only from peers with a certificate."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sendit.errors import Misconfigured
from tests.support.dicom_network import Receiving, dcmtk, receiving_on
from tests.support.phantoms import accession_number, make_study
from tests.support.site import Site


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.path = folder / f"{name}.pem"
        certificate = self._sign(self._name, self._key, is_authority=True)
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> tuple[Path, Path]:
        """A certificate of the authority, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate, path = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        certificate.write_bytes(self._sign(subject, key).public_bytes(serialization.Encoding.PEM))
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
        path.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
        return certificate, path

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, is_authority: bool = False
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        return builder.add_extension(names, critical=False).sign(self._key, hashes.SHA256())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "hospital")


@pytest.fixture
def receiving(site: Site, authority: Authority) -> Iterator[Receiving]:
    certificate, key = authority.issue("listener")
    settings = {"CERTIFICATE": certificate, "KEY": key, "CLIENTS": authority.path}
    with receiving_on(site, **{f"LISTENER_TLS_{name}": path for name, path in settings.items()}) as receiving:
        yield receiving


def send(receiving: Receiving, authority: Authority, own: tuple[Path, Path], image: Path) -> tuple[int, str]:
    certificate, key = own
    where = ("-aec", "SENDIT", "-aet", "STORESCU", "127.0.0.1", receiving.port)
    done = dcmtk("storescu", "+tls", key, certificate, "+cf", authority.path, *where, image)
    return done.returncode, done.stdout


def test_images_come_over_tls(receiving: Receiving, authority: Authority, tmp_path: Path) -> None:
    paths = make_study(tmp_path / "out", number=1, images=1)
    code, said = send(receiving, authority, authority.issue("modality"), paths[0])
    assert code == 0, said
    assert receiving.wait_for_folders(1) == [accession_number(1)]


def test_a_certificate_of_another_authority_is_refused(
    receiving: Receiving, authority: Authority, tmp_path: Path
) -> None:
    paths = make_study(tmp_path / "out", number=1, images=1)
    stranger = Authority(tmp_path, "stranger").issue("modality")
    assert send(receiving, authority, stranger, paths[0])[0] != 0
    assert receiving.folders() == receiving.unfinished() == []


def test_an_association_without_tls_is_refused(receiving: Receiving) -> None:
    done = dcmtk("echoscu", "-aec", "SENDIT", "-aet", "STORESCU", "127.0.0.1", receiving.port)
    assert done.returncode != 0


@pytest.mark.parametrize(
    ("version", "ciphers"), [(ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"), (ssl.TLSVersion.TLSv1_2, "AES256-SHA256")]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_and_keys_that_are_not_ephemeral_are_refused(
    receiving: Receiving, authority: Authority, version: ssl.TLSVersion, ciphers: str
) -> None:
    context = ssl.create_default_context(cafile=str(authority.path))
    context.load_cert_chain(*authority.issue("modality"))
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(ciphers)
    with socket.create_connection(("127.0.0.1", receiving.port), timeout=30) as plain, pytest.raises(OSError):
        context.wrap_socket(plain, server_hostname="localhost").recv(1)


def test_a_certificate_that_cannot_be_used_is_said(site: Site, tmp_path: Path) -> None:
    with (
        pytest.raises(Misconfigured, match="BadCertificate"),
        receiving_on(site, LISTENER_TLS_CERTIFICATE=tmp_path / "missing.pem"),
    ):
        pass
