"""The listener: accepts connections, and hands studies over as they become complete."""

from __future__ import annotations

import itertools
import os
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from django.db import connections

from sendit.errors import Misconfigured
from sendit.ground import database, events
from sendit.receiving.landings import records
from sendit.receiving.landings.handing_over import hand_over_complete
from sendit.receiving.landings.zone import Zone
from sendit.receiving.peers import Peers
from sendit.receiving.presence import short_name
from sendit.receiving.retrieving.lines import progress
from sendit.receiving.services.association import LOCAL, Association, Berth, Harbour
from sendit.receiving.services.reporting import report_due
from sendit.receiving.services.storing import FreeSpace
from sendit.receiving.terms import Terms
from sendit.receiving.wire.negotiation import TOO_MANY, Rejection

LOOK_SECONDS = 0.25
"""How often the listener looks which studies are complete."""
REPORT_SECONDS = 1.0
"""How often the listener looks which results of storage commitment are due."""
FORGET_SECONDS = 3600.0
BACKLOG = 64
REFUSALS = 16
"""Connections beyond the limit that are answered with a rejection at the same time; further ones are closed."""
END_SECONDS = 10.0
"""How long associations have to finish the image that they are receiving when the listener ends."""


@dataclass(frozen=True, slots=True)
class Tls:
    """What protects the associations that peers open, and those that we open to peers that want it."""

    server: ssl.SSLContext | None = None
    client: ssl.SSLContext | None = None


NO_TLS = Tls()


class Listener:
    """Receives until it must stop.

    Parameters
    ----------
    peers : Peers
    terms : Terms
    address : tuple
        Host and port; port 0 is any free one.
    must_stop : callable
        Asked every round.
    beat : callable
        Called every round: the listener lives.
    tls : Tls
        What associations are protected with.
    local : Path, optional
        Where other processes of this host hand images over.
    renewed : callable
        Asked every round for the peers, if they are others than before; associations that are open keep theirs.
    pull : callable
        Told the peers, at first and when they change: retrieves from them until the event is set.
    """

    def __init__(
        self,
        peers: Peers,
        terms: Terms,
        address: tuple[str, int],
        must_stop: Callable[[], bool],
        beat: Callable[[], None] = lambda: None,
        tls: Tls = NO_TLS,
        local: Path | None = None,
        renewed: Callable[[], Peers | None] = lambda: None,
        pull: Callable[[Peers, threading.Event], None] = lambda peers, over: None,
    ) -> None:
        self._terms, self._must_stop, self._beat, self._renewed = terms, must_stop, beat, renewed
        self._woken, self._over = threading.Event(), threading.Event()
        self._harbour = Harbour(peers, terms, _berths(peers), self._woken.set, tls.server)
        self._tls, self._pull = tls, pull
        self._associations: set[Association] = set()
        self._guard = threading.Lock()
        self._numbers = itertools.count(1)
        self._troubles: set[str] = set()
        self._socket = _listening(address)
        self._local = _listening_locally(local) if local else None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._socket.getsockname()[1])

    @property
    def _listening(self) -> list[socket.socket]:
        return [self._socket, self._local] if self._local else [self._socket]

    @property
    def _zones(self) -> list[Zone]:
        return [berth.zone for berth in self._harbour.berths.values()]

    def run(self) -> None:
        """Receive; returns when it must stop and every association has ended."""
        self._take_up()
        for listening in self._listening:
            threading.Thread(target=self._accept, args=(listening,), name="accepting", daemon=True).start()
        reporting = threading.Thread(target=self._report, name="reporting", daemon=True)
        reporting.start()
        self._pull(self._harbour.peers, self._over)
        events.log("listener.started", pid=os.getpid(), port=self.port, folders=len(self._zones))
        try:
            while not self._must_stop():
                self._round()
        finally:
            self._over.set()
            for listening in self._listening:
                listening.shutdown(socket.SHUT_RDWR)
                listening.close()
            self._end_associations()
            for zone in self._zones:
                zone.remove_staging()
            events.log("listener.stopped", pid=os.getpid())

    def _take_up(self) -> None:
        """Take up the folders that an earlier listener was filling."""
        by_folder = {zone.data_folder: zone for zone in self._zones}
        taken = 0
        for opened in list(records.all_open()):
            zone = by_folder.get(os.path.dirname(opened.path))
            if zone:  # the peers file may have lost the data folder; the folder waits for its return
                zone.take_up(opened)
                taken += bool(opened.study)
        if taken:
            events.log("listener.taken_up", folders=taken)

    def _round(self) -> None:
        self._beat()
        self._renew()
        for zone in self._zones:
            self._hand_over(zone)
        self._woken.wait(LOOK_SECONDS)
        self._woken.clear()

    def _renew(self) -> None:
        """Serve the peers as they are now; while their file or a project's is wrong, as they were."""
        try:
            peers = self._renewed()
        except Misconfigured as error:
            self._say(error.code, False)
            return
        if peers:
            self._say("BadPeers", True)
            self._say("BadProject", True)
            berths = {**_berths(peers), **self._harbour.berths}
            self._harbour = replace(self._harbour, peers=peers, berths=berths)
            self._pull(peers, self._over)

    def _hand_over(self, zone: Zone) -> None:
        try:
            hand_over_complete(zone, self._terms, progress)
            self._say("DiskRefused", True)
            self._say("DatabaseDown", True)
        except OSError:
            self._say("DiskRefused", False)
        except database.AWAY:
            database.reconnect()
            self._say("DatabaseDown", False)

    def _report(self) -> None:
        """Send the results of storage commitments that are due, and forget what is old."""
        forgets_at = 0.0
        while not self._over.is_set():
            try:
                report_due(self._harbour.peers, self._harbour.assess, self._tls.client)
                if time.monotonic() >= forgets_at:
                    records.forget_old_instances()
                    forgets_at = time.monotonic() + FORGET_SECONDS
            except (OSError, *database.AWAY):
                database.reconnect()
            self._over.wait(REPORT_SECONDS)
        connections.close_all()

    def _say(self, code: str, is_well: bool) -> None:
        """Log a trouble when it begins and when it is over."""
        if is_well and code in self._troubles:
            self._troubles.discard(code)
            events.log("listener.sees", code=code)
        elif not is_well and code not in self._troubles:
            self._troubles.add(code)
            events.log("listener.blind", code=code)

    # ------------------------------------------------------------------------------------------ connections

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, address = listening.accept()
            except OSError:
                if self._must_stop() or listening.fileno() < 0:
                    return
                time.sleep(0.1)  # out of file descriptors
                continue
            self._admit(connection, str(address[0]) if address else LOCAL)

    def _admit(self, connection: socket.socket, address: str) -> None:
        """Start an association, which is rejected at once if there are too many."""
        with self._guard:
            alive = {one for one in self._associations if one.is_alive()}
            self._associations = alive
        if len(alive) >= self._terms.max_associations + REFUSALS:
            connection.close()
            return
        if address != LOCAL:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        association = _InThread(connection, address, self._harbour, next(self._numbers), self._refusal(alive, address))
        association.start()
        with self._guard:
            self._associations.add(association)

    def _refusal(self, alive: Iterable[Association], address: str) -> Rejection | None:
        by_address = Counter(one.address for one in alive)
        is_full = by_address.total() >= self._terms.max_associations
        return TOO_MANY if is_full or by_address[address] >= self._terms.max_associations_per_address else None

    def _end_associations(self) -> None:
        ends_at = time.monotonic() + END_SECONDS
        with self._guard:
            associations = list(self._associations)
        for association in associations:
            association.stop()
        for association in associations:
            association.join(max(0.0, ends_at - time.monotonic()))


def _berths(peers: Peers) -> dict[str, Berth]:
    zones = {str(folder): Zone(folder) for folder in peers.data_folders}
    return {folder: Berth(zone, FreeSpace(zone.data_folder)) for folder, zone in zones.items()}


class _InThread(Association):
    """An association that closes its thread's database connection at its end."""

    def run(self) -> None:
        try:
            super().run()
        finally:
            connections.close_all()


def _listening(address: tuple[str, int]) -> socket.socket:
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise Misconfigured("PortTaken", subject="SENDIT_LISTENER_HOST, SENDIT_LISTENER_PORT") from None
    listening.listen(BACKLOG)
    return listening


def _listening_locally(path: Path) -> socket.socket:
    """Listen on a socket of the file system, for processes of our own user only."""
    path.unlink(missing_ok=True)  # of a listener that was killed; the pid file says that none runs
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with short_name(path) as name:
            listening.bind(name)
    except OSError:
        listening.close()
        raise Misconfigured("PortTaken", subject="SENDIT_VAR: listener.sock") from None
    finally:
        os.umask(before)
    listening.listen(BACKLOG)
    return listening
