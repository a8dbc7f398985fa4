"""The threads of the listener that retrieve for pulls, one for each peer, so that one that is away delays no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from django.db import connections

from sendit.errors import Misconfigured, SenditError
from sendit.ground import database, events
from sendit.projects.site import Site
from sendit.receiving.models import Pull, PullState
from sendit.receiving.peers import Peers
from sendit.receiving.retrieving import pulls
from sendit.receiving.retrieving.hours import ALWAYS, Hours, Pace
from sendit.receiving.retrieving.runs import Run
from sendit.receiving.retrieving.source import Source
from sendit.receiving.retrieving.sources import source_of

LOOK_SECONDS = 2.0
"""How often a thread looks whether a pull was asked for, or stopped."""


class Ended(Exception):
    """The pull, or the listener, has stopped."""


class Puller(threading.Thread):
    """Retrieves for the pulls from one peer, one after another.

    Parameters
    ----------
    peer : str
        The peer's name in the peers file.
    source : callable
        Returns the PACS; called once for each pull.
    host : str
        What this host is called in the database.
    over : threading.Event
        Set when the listener ends.
    """

    def __init__(self, peer: str, source: Callable[[], Source], host: str, over: threading.Event) -> None:
        super().__init__(name=f"pulling from {peer}", daemon=True)
        self._peer, self._source, self._host, self._over = peer, source, host, over

    def run(self) -> None:
        """Retrieve until the listener ends."""
        while not self._over.is_set():
            try:
                pull = pulls.take(self._peer, self._host)
                if pull:
                    self._work_on(pull)
            except Ended:
                pass
            except database.AWAY:
                database.reconnect()
            self._over.wait(LOOK_SECONDS)
        connections.close_all()

    def _work_on(self, pull: Pull) -> None:
        """Retrieve the lines of a pull, until none is left or the PACS refuses for good."""
        try:
            run = self._run(pull)
            while line := pulls.next_line(pull):
                self._ensure_it_runs(pull)
                run.retrieve(line)
            pulls.end(pull, PullState.DONE)
        except SenditError as error:
            events.log("retrieval.stopped", code=error.code)
            pulls.end(pull, PullState.STOPPED, error.code)

    def _run(self, pull: Pull) -> Run:
        hours = Hours.parse(pull.hours) if pull.hours else ALWAYS
        return Run(
            self._source(),
            hours,
            Pace(pull.per_hour),
            lambda word: pulls.say(pull, word),
            lambda seconds: self._sleep(pull, seconds),
        )

    def _sleep(self, pull: Pull, seconds: float) -> None:
        """Sleep, and wake when the pull or the listener stops. Raises Ended."""
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            if self._over.wait(min(left, LOOK_SECONDS)):
                raise Ended
            self._ensure_it_runs(pull)

    def _ensure_it_runs(self, pull: Pull) -> None:
        """Raise Ended where a person has stopped the pull, another host has it, or the listener ends."""
        if self._over.is_set() or not pulls.hold(pull, self._host):
            raise Ended


class Pullers:
    """The threads of one listener; a peer that is new in the peers file gets one.

    Parameters
    ----------
    site : Site
    host : str
        What this host is called in the database.
    """

    def __init__(self, site: Site, host: str) -> None:
        self._site, self._host = site, host
        self._peers = Peers(())
        self._pulled_from: set[str] = set()

    def follow(self, peers: Peers, over: threading.Event) -> None:
        """Retrieve from these peers, as they are now, until the event is set."""
        self._peers = peers
        for peer in peers.known:
            if peer.retrieve_from and peer.name not in self._pulled_from:
                self._pulled_from.add(peer.name)
                Puller(peer.name, partial(self._source, peer.name), self._host, over).start()

    def _source(self, name: str) -> Source:
        """Return the PACS that the peers file names now. Raises Misconfigured("BadPeers")."""
        for peer in self._peers.known:
            if peer.name == name and peer.retrieve_from:
                return source_of(self._site, self._peers, peer)
        raise Misconfigured("BadPeers", subject=f"{name}: retrieve_from is missing")
