"""The sources that the peers file names."""

from __future__ import annotations

import ssl

from sendit.errors import Misconfigured
from sendit.projects.site import Site
from sendit.receiving.dicomweb.forwarding import Forwarder
from sendit.receiving.peers import Peer, Peers, WebService
from sendit.receiving.presence import local_socket
from sendit.receiving.retrieving.pacs import Pacs
from sendit.receiving.retrieving.source import Source
from sendit.receiving.wire.tls import client_context


def source_of(site: Site, peers: Peers, peer: Peer) -> Source:
    """Return the PACS that a peer is; it has `retrieve_from`.

    Raises
    ------
    Misconfigured
        `MissingPackage`: it is a web service, and the extra with the HTTP client is not installed.
    """
    forwarder = Forwarder(local_socket(site.var), peers, peer)
    if isinstance(peer.retrieve_from, WebService):
        try:
            from sendit.receiving.retrieving.web_service import WebPacs
        except ImportError:
            raise Misconfigured("MissingPackage", subject=f"retrieve_from of {peer.name}: sendit[dasher]") from None
        return WebPacs(peer.retrieve_from, forwarder, client_context(site) or ssl.create_default_context())
    return Pacs(peer, forwarder, client_context(site) if peer.is_over_tls else None)
