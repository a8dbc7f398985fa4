"""C-STORE in: the listener against pynetdicom alone, both fed by dcmtk's storescu over loopback, in turns."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import studies
from bench.measure import Bar, Section, Size
from bench.studies import Study
from sendit import keys
from topology.servers import free_ports

PATIENCE_SECONDS = 60
PAUSE_SECONDS = 1.0
"""After each round, so that the listener has handed over what came, and the next round brings no copies."""
PEERS = '[peers.bench]\ncalled = "*"\ncalling = "*"\naddresses = ["127.0.0.1"]\n'
BARS = {("MR", 1): 400, ("CT", 1): 350, ("MR", 4): 800, ("CT", 4): 600}
"""Images a second, by kind and number of associations."""

ALONE = """
import os, socket, sys
from pynetdicom import AE, StoragePresentationContexts, build_context, evt
count = 0
def store(event):
    global count
    count += 1
    with open(f"{sys.argv[2]}/{count}.dcm", "wb") as file:
        file.write(event.encoded_dataset())
    return 0
def opened(event):
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
entity = AE("ALONE")
entity.maximum_pdu_size = 131072
entity.supported_contexts = [*StoragePresentationContexts, build_context('1.2.840.10008.1.1')]
handlers = [(evt.EVT_C_STORE, store), (evt.EVT_CONN_OPEN, opened)]
entity.start_server(("127.0.0.1", int(sys.argv[1])), evt_handlers=handlers)
"""
"""pynetdicom writes the bytes as they come, and does nothing else."""


def run(scratch: Path, size: Size) -> Section:
    """Images a second, the best of several rounds."""
    header = ("study", "associations", "sendit images/s", "pynetdicom alone images/s", "ratio")
    section = Section("C-STORE in", header=header)
    if not shutil.which("storescu"):
        section.notes.append("storescu is missing (apt-get install dcmtk), so nothing was sent.")
        return section
    ours, alone = free_ports(2)
    kinds = {"MR": studies.mr, "CT": studies.ct}
    images = {"MR": size.mr_images // 2, "CT": size.ct_images}
    sent = {kind: [make(scratch / f"{kind}{n}", images[kind]) for n in range(4)] for kind, make in kinds.items()}
    with _listener(scratch, ours), _alone(scratch, alone):
        for (kind, associations), bound in BARS.items():
            best = _best(sent[kind][:associations], {"sendit": ours, "alone": alone}, size.rounds)
            ratio = best["sendit"] / best["alone"]
            figures = (f"{best['sendit']:,.0f}", f"{best['alone']:,.0f}", f"{ratio:.1f}")
            section.rows.append((kind, str(associations), *figures))
            what = f"{kind}, {associations} association{'s' * (associations > 1)}"
            section.bars.append(Bar(what, best["sendit"], bound, "images/s"))
    return section


def _best(sent: list[Study], ports: dict[str, int], rounds: int) -> dict[str, float]:
    best = dict.fromkeys(ports, 0.0)
    for _ in range(rounds):
        for name, port in ports.items():
            best[name] = max(best[name], _rate(sent, port))
    return best


def _rate(sent: list[Study], port: int) -> float:
    """Send every study on an association of its own, at the same time."""
    command = ["storescu", "-pdu", "131072", "127.0.0.1", str(port), "+sd"]
    environment = {**os.environ, "TCP_NODELAY": "1"}
    began_at = time.perf_counter()
    senders = [subprocess.Popen([*command, study.folder], env=environment) for study in sent]
    failed = sum(sender.wait() != 0 for sender in senders)
    if failed:
        raise RuntimeError("storescu failed")
    rate = sum(len(study.files) for study in sent) / (time.perf_counter() - began_at)
    time.sleep(PAUSE_SECONDS)
    return rate


@contextmanager
def _listener(scratch: Path, port: int) -> Iterator[None]:
    var, data = scratch / "var", scratch / "data"
    for folder in (var, data):
        folder.mkdir()
    keys.make(var / "secrets")
    (var / "peers.toml").write_text(PEERS)
    listener = {"LISTENER_PORT": port, "LISTENER_QUIET_SECONDS": 0.2, "LISTENER_MIN_FREE_MB": 1}
    settings = {"VAR": var, "DATA_BASE": data, **listener}
    environment = {**os.environ, **{f"SENDIT_{name}": str(value) for name, value in settings.items()}}
    command = [sys.executable, "-m", "sendit", "start_listener", "--foreground"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    with _ended(process, port):
        yield


@contextmanager
def _alone(scratch: Path, port: int) -> Iterator[None]:
    (scratch / "alone").mkdir()
    process = subprocess.Popen([sys.executable, "-c", ALONE, str(port), str(scratch / "alone")])
    with _ended(process, port):
        yield


@contextmanager
def _ended(process: subprocess.Popen[bytes], port: int) -> Iterator[None]:
    """Wait until a server answers, and end it afterwards."""
    try:
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while subprocess.run(["echoscu", "127.0.0.1", str(port)], stderr=subprocess.DEVNULL).returncode:
            if time.monotonic() > ends_at:
                raise RuntimeError("a server does not answer")
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)
