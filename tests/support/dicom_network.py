"""The DICOM network for tests: dcmtk's programs as peers, and a listener in this process or in one of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pynetdicom
from django.db import connections
from django.utils import timezone
from pydicom import dcmread
from pynetdicom import AE

from sendit.pipeline.record.models import Event
from sendit.receiving.listener import Listener, Tls
from sendit.receiving.models import Commitment
from sendit.receiving.peers import RenewedPeers
from sendit.receiving.presence import local_socket
from sendit.receiving.retrieving.puller import Pullers
from sendit.receiving.terms import Terms
from sendit.receiving.wire.tls import client_context, server_context
from tests.support.site import Site

pynetdicom._config.STORE_SEND_CHUNKED_DATASET = True

SECONDS = 60
"""How long anything may take on a machine that does other things too."""

PEERS = """
[peers.test]
called = "SENDIT"
calling = "STORESCU"
addresses = ["127.0.0.1"]
"""


def wait(fact: Callable[[], object], about: Callable[[], str] = lambda: "", seconds: float = SECONDS) -> None:
    """Wait until something is true."""
    ends_at = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < ends_at, about()
        time.sleep(0.01)


def dcmtk(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program of dcmtk, which Debian has."""
    return subprocess.run(dcmtk_command(program, *arguments), **dcmtk_options(), timeout=SECONDS)


def dcmtk_command(program: str, *arguments: object) -> list[str]:
    path = shutil.which(program)
    assert path, f"{program} is missing: apt-get install dcmtk"
    return [path, *map(str, arguments)]


def dcmtk_options() -> dict:
    environment = {**os.environ, "TCP_NODELAY": "1"}
    return {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "env": environment}


def send_as_it_is(port: int, path: Path) -> int:
    """Send the bytes of a file's dataset in its own transfer syntax; the status that is answered."""
    meta = dcmread(path, stop_before_pixels=True).file_meta
    entity = AE("STORESCU")
    entity.add_requested_context(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", port, ae_title="SENDIT")
    assert association.is_established
    try:
        return int(association.send_c_store(path).Status)
    finally:
        association.release()


class Receiving:
    """A site with a peers file, and the listener on it, in a thread of this process."""

    def __init__(self, site: Site, **settings: object) -> None:
        self.site = site
        self.port = 0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.write_peers(PEERS)
        site.set(**{"LISTENER_QUIET_SECONDS": 0.2, "LISTENER_PORT": 0, "LISTENER_MIN_FREE_MB": 1} | settings)

    def write_peers(self, text: str) -> None:
        (self.site.var / "peers.toml").write_text(text)

    def start(self) -> None:
        """Start the listener."""
        self._over.clear()
        settings = self.site.settings
        address = settings.listener_host, settings.listener_port
        tls = Tls(server_context(settings), client_context(settings))
        peers = RenewedPeers(settings)
        listener = Listener(
            peers.first,
            Terms.of(settings),
            address,
            self._over.is_set,
            tls=tls,
            local=local_socket(settings.var),
            renewed=peers,
            pull=Pullers(settings, "here").follow,
        )
        self.port = listener.port
        self._thread = threading.Thread(target=self._run, args=(listener,))
        self._thread.start()

    def _run(self, listener: Listener) -> None:
        try:
            listener.run()
        finally:
            connections.close_all()

    def stop(self) -> None:
        """Stop it in good order."""
        if self._thread:
            self._over.set()
            self._thread.join(SECONDS)
            assert not self._thread.is_alive()
            self._thread = None

    def restart(self, peers: str = PEERS) -> None:
        """Stop it, and start it with another peers file."""
        self.stop()
        self.write_peers(peers)
        self.start()

    def make_due(self) -> None:
        """Let every result of a storage commitment be due."""
        Commitment.objects.update(not_before=timezone.now())

    def events(self, name: str) -> list[Event]:
        """The events of that name in the batches' histories."""
        return list(Event.objects.filter(name=name).order_by("pk"))

    def send(self, *paths: Path, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Send files and folders by storescu."""
        where = ("-aec", "SENDIT", "-aet", "STORESCU", "127.0.0.1", self.port)
        return dcmtk("storescu", *options, *where, "+sd", "+r", *paths)

    def folders(self) -> list[str]:
        """The names of the finished folders in the data folder."""
        return sorted(path.name for path in self.site.data.iterdir() if ".tmp" not in path.name)

    def unfinished(self) -> list[str]:
        """The names of the folders that still have a temporary name, without the one for images on their way."""
        names = (path.name for path in self.site.data.iterdir())
        return sorted(name for name in names if ".tmp" in name and not name.startswith("incoming."))

    def drafts(self) -> list[Path]:
        """The images on their way."""
        return list(self.site.data.glob("incoming.tmp-sendit-*/*.part"))

    def wait_for_folders(self, number: int) -> list[str]:
        """The finished folders, once there are so many."""
        wait(lambda: len(self.folders()) >= number, lambda: f"{len(self.folders())} folders")
        return self.folders()

    def images(self, folder: str) -> list[Path]:
        """The images in a folder."""
        return sorted((self.site.data / folder).iterdir(), key=lambda path: int(path.stem))


@contextmanager
def receiving_on(site: Site, **settings: object) -> Iterator[Receiving]:
    """A listener that is stopped at the end."""
    receiving = Receiving(site, **settings)
    try:
        receiving.start()
        yield receiving
    finally:
        receiving.stop()
