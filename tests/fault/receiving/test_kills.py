"""kill -9 of senders and of the listener at random moments: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.support.dicom_network import PEERS, wait
from tests.support.phantoms import make_study
from tests.support.site import Site
from topology.servers import free_ports

IMAGES = 25
SENDERS = 3


class Storm:
    """A listener and senders, of which some are killed."""

    def __init__(self, site: Site, folder: Path, port: int) -> None:
        self.site, self.folder, self.port = site, folder, port
        self._listener: subprocess.Popen[str] | None = None

    def listen(self) -> None:
        """Start the listener."""
        with (self.site.var / "stderr").open("a") as stderr:
            self._listener = self.site.start("start_listener", "--foreground", stderr=stderr)
        started = f"listener.started pid={self._listener.pid}"
        wait(lambda: started in (self.site.var / "stderr").read_text())

    def kill_listener(self) -> None:
        assert self._listener is not None
        self._listener.kill()
        self._listener.wait(60)

    def senders(self, number: int, paths: list[Path]) -> list[subprocess.Popen[bytes]]:
        """Let several senders send the same images, each in an order of its own."""
        luck = random.Random(number)
        processes = []
        for sender in range(SENDERS):
            command = [sys.executable, "-m", "tests.support.dicom_sender", str(self.port)]
            order = luck.sample(paths, len(paths))
            log = self.folder / f"acknowledged-{number}-{sender}"
            processes.append(subprocess.Popen([*command, str(log), *map(str, order)], stderr=subprocess.DEVNULL))
        return processes

    def acknowledged(self) -> set[str]:
        """The images that any sender was told are kept."""
        return {uid for path in self.folder.glob("acknowledged-*") for uid in path.read_text().split()}

    def landed(self) -> Counter[str]:
        """How often each image is in a finished folder; each must be whole."""
        folders = [path for path in self.site.data.iterdir() if ".tmp" not in path.name]
        datasets = [dcmread(path) for folder in folders for path in folder.iterdir()]
        assert all(len(ds.PixelData) == ds.Rows * ds.Columns * 2 for ds in datasets)
        return Counter(str(ds.SOPInstanceUID) for ds in datasets)

    def finish(self) -> None:
        """Wait until every study that is being filled is handed over."""
        wait(lambda: all(path.name.startswith("incoming.") for path in self.site.data.glob("*.tmp*")))


@pytest.fixture
def storm(site: Site, tmp_path: Path) -> Iterator[Storm]:
    (port,) = free_ports(1)
    (site.var / "peers.toml").write_text(PEERS)
    site.set(LISTENER_PORT=port, LISTENER_MIN_FREE_MB=1, LISTENER_QUIET_SECONDS=3600)
    yield Storm(site, tmp_path, port)


@pytest.mark.timeout(0)
def test_whoever_is_killed_nothing_acknowledged_is_lost_and_nothing_is_doubled(
    storm: Storm, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """With `--kills 100` as many are killed."""
    luck = random.Random(17)
    for number in range(request.config.getoption("--kills")):
        paths = make_study(tmp_path / "out" / str(number), number=number, images=IMAGES)
        storm.listen()
        senders = storm.senders(number, paths)
        wait(lambda before=number: len(storm.acknowledged()) > before * IMAGES + luck.randrange(3))
        time.sleep(luck.random() * 0.2)
        victims = luck.choice(("sender", "listener", "both"))
        if victims != "listener":
            senders[0].kill()
        if victims != "sender":
            storm.kill_listener()
            storm.listen()
        for sender in senders:
            sender.wait(120)
        (again, *_) = storm.senders(1000 + number, paths)
        assert again.wait(120) == 0
        for sender in _:
            sender.wait(120)
        storm.kill_listener()
    storm.site.set(LISTENER_QUIET_SECONDS=0.2)
    storm.listen()
    storm.finish()
    landed = storm.landed()
    assert storm.acknowledged() <= set(landed)
    assert set(landed.values()) == {1}
