"""Reports of storage commitment on associations of our own, for peers that have ended theirs."""

from __future__ import annotations

from collections.abc import Callable
from ssl import SSLContext

from pynetdicom import AE, build_role

from sendit.ground import events
from sendit.receiving.peers import Endpoint, Peer, Peers
from sendit.receiving.services import commitment
from sendit.receiving.services.commitment import WELL_KNOWN_INSTANCE, Report, Request
from sendit.receiving.wire.negotiation import STORAGE_COMMITMENT

ANSWER_SECONDS = 20.0
"""How long a peer may take to accept an association, and to answer."""


def report_due(peers: Peers, assess: Callable[[Request, Peer], Report], tls: SSLContext | None = None) -> None:
    """Send every report that is due to peers that say where they take it.

    Raises the database's errors, and OSError.
    """
    given_up = commitment.give_up()
    if given_up:
        events.log("listener.commitments_given_up", requests=given_up)
    for request in commitment.due():
        peer = peers.named(request.peer)
        if peer is None or peer.answers_at is None:
            commitment.postpone(request)
            continue
        report = assess(request, peer)
        if _send(peer, peer.answers_at, report, tls if peer.is_over_tls else None):
            commitment.forget(request)
            events.log("listener.committed", peer=peer.name, images=len(request.instances), kind=int(report.kind))
        else:
            commitment.postpone(request)


def _send(peer: Peer, endpoint: Endpoint, report: Report, tls: SSLContext | None) -> bool:
    """Send one report on a new association; returns whether the peer has confirmed it."""
    entity = AE(peer.called)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = ANSWER_SECONDS
    entity.add_requested_context(STORAGE_COMMITMENT)
    role = build_role(STORAGE_COMMITMENT, scp_role=True)
    protection = (tls, endpoint.host) if tls else None
    association = entity.associate(
        endpoint.host, endpoint.port, ae_title=peer.calling, ext_neg=[role], tls_args=protection
    )
    if not association.is_established:
        return False
    try:
        status, _ = association.send_n_event_report(
            report.dataset, report.kind, STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE
        )
        return int(status.get("Status", 1)) == 0
    except (ValueError, RuntimeError):  # the context was not accepted, or the association has ended
        return False
    finally:
        association.release()
