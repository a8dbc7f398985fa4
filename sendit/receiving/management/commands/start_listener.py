"""`start_listener`: takes images over the DICOM network, and makes study folders of them."""

from __future__ import annotations

import socket
from collections.abc import Callable

from django.conf import settings

from sendit.ground.daemon import PidFile
from sendit.ground.service import ServiceCommand
from sendit.projects.site import Site
from sendit.receiving.listener import Listener, Tls
from sendit.receiving.peers import RenewedPeers
from sendit.receiving.presence import listener_pid_file, local_socket
from sendit.receiving.retrieving.puller import Pullers
from sendit.receiving.terms import Terms
from sendit.receiving.wire.tls import client_context, server_context


class Command(ServiceCommand):
    """Listen for DICOM associations in the background, until stop_listener."""

    service = "listener"
    help = (
        "Take images that peers send (C-STORE), and put each study into the data folder once it is complete, in the "
        "background, until stop_listener. Logs: VAR/logs/listener.log."
    )

    def pid_file(self) -> PidFile:
        """Return that of the listener of this VAR."""
        return listener_pid_file(settings.SITE.var)

    def make(self, must_stop: Callable[[], bool], beat: Callable[[], None]) -> Listener:
        """Make the listener; a bad peers file or a port in use is refused now."""
        site: Site = settings.SITE
        address = site.listener_host, site.listener_port
        tls = Tls(server_context(site), client_context(site))
        peers, pullers = RenewedPeers(site), Pullers(site, _place(site))
        return Listener(
            peers.first,
            Terms.of(site),
            address,
            must_stop,
            beat,
            tls,
            local_socket(site.var),
            peers,
            pullers.follow,
        )


def _place(site: Site) -> str:
    """Name the place of the listener, of which there is one in each VAR, in at most 64 characters."""
    return site.host or f"{socket.gethostname()} {site.var.resolve()}"[-64:]
