"""TLS by the BCP 195 profiles of PS3.15 Annex B.9: TLS 1.2 or later, ephemeral keys, authenticated encryption."""

from __future__ import annotations

import ssl

from sendit.errors import Misconfigured
from sendit.projects.site import Site

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2; those of TLS 1.3 are all acceptable."""


def server_context(site: Site) -> ssl.SSLContext | None:
    """Return what the listener protects its associations with; None without a certificate.

    Raises Misconfigured("BadCertificate").
    """
    if not site.listener_tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, site)
    if site.listener_tls_clients:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(site: Site) -> ssl.SSLContext | None:
    """Return what associations of our own are protected with, to peers that want it; None without a certificate."""
    if not site.listener_tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load(context, site)
    if not site.listener_tls_clients:
        context.load_default_certs()
    return context


def _load(context: ssl.SSLContext, site: Site) -> None:
    """Load our certificate and the authorities of our peers'."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    try:
        context.load_cert_chain(site.listener_tls_certificate, site.listener_tls_key or None)
    except (OSError, ValueError):  # an SSLError is an OSError
        raise Misconfigured("BadCertificate", subject="SENDIT_LISTENER_TLS_CERTIFICATE") from None
    if site.listener_tls_clients:
        try:
            context.load_verify_locations(site.listener_tls_clients)
        except (OSError, ValueError):
            raise Misconfigured("BadCertificate", subject="SENDIT_LISTENER_TLS_CLIENTS") from None
