"""Associations that a hostile peer may send, byte by byte: what must hold after each."""

from __future__ import annotations

import re
import socket
import threading
import time

from pydicom import dcmread

from sendit.projects.project import default_project
from sendit.receiving.landings.zone import Zone
from sendit.receiving.peers import load_peers
from sendit.receiving.services.association import Association, Berth, Harbour
from sendit.receiving.services.storing import FreeSpace
from sendit.receiving.terms import Terms
from tests.support.dicom_network import PEERS
from tests.support.site import Site

SECONDS = 20.0
"""How long an association may live after its peer has closed the connection."""
OURS = re.compile(r".+\.tmp-sendit-[0-9a-f]{16}/(\d+\.dcm)?")


class Victim:
    """The listener's part of associations, without the network: each is given a stream of bytes, and must end."""

    def __init__(self, site: Site) -> None:
        (site.var / "peers.toml").write_text(PEERS)
        self._data = site.data
        folders = [folder.path for folder in default_project(site.settings).data_folders]
        peers = load_peers(site.var / "peers.toml", site.data, folders)
        self._zone = Zone(site.data)
        berth = Berth(self._zone, FreeSpace(self._zone.data_folder))
        berths = {str(folder): berth for folder in folders}
        self._harbour = Harbour(peers, Terms.of(site.settings), berths, lambda: None)

    def suffer(self, stream: bytes, number: int) -> None:
        """Take one association, and check what it has left."""
        ours, theirs = socket.socketpair()
        talking = threading.Thread(target=_talk, args=(theirs, stream), daemon=True)
        talking.start()
        began_at = time.monotonic()
        association = Association(ours, "127.0.0.1", self._harbour, number)
        association.run()
        assert time.monotonic() - began_at < SECONDS, f"association {number} did not end"
        talking.join(SECONDS)
        theirs.close()
        self._check(number)

    def _check(self, number: int) -> None:
        names = [f"{path.relative_to(self._data)}{'/' * path.is_dir()}" for path in self._data.rglob("*")]
        strange = [name for name in names if not OURS.fullmatch(name)]
        assert not strange, f"association {number} left {len(strange)} files where none belong"

    def survived(self) -> int:
        """The number of images that have landed; each must be readable to its end."""
        landed = list(self._data.rglob("*.dcm"))
        assert all(dcmread(path).file_meta.TransferSyntaxUID for path in landed)
        return len(landed)


def _talk(connection: socket.socket, stream: bytes) -> None:
    """Send the stream, and read what is answered until the end."""
    reading = threading.Thread(target=_drain, args=(connection,), daemon=True)
    reading.start()
    try:
        connection.sendall(stream)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    reading.join(SECONDS)


def _drain(connection: socket.socket) -> None:
    try:
        while connection.recv(65536):
            pass
    except OSError:
        pass
