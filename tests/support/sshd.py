"""OpenSSH's own server for SFTP, on loopback, with keys of its own; one for a session, a folder for a test."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from sendit.adapters.sftp.settings import SftpFolder
from sendit.adapters.sftp.store import Patience, SftpStore
from tests.support.servers import Server
from topology.families import descendants_of, kill

SSHD = Path("/usr/sbin/sshd")
QUICK = Patience(connect_seconds=20, answer_seconds=20)
ONE_WORKER = pytest.mark.xdist_group("sshd")
_NUMBERS = count(1)


class Sshd(Server):
    """sshd with one host key, one user (who runs the tests), and nothing but SFTP."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        assert SSHD.exists(), "install openssh-server, as .ci/run does"
        for name in ("host", "user", "stranger"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name], check=True)
        kind, key, *_ = (self.folder / "host.pub").read_text().split()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")
        _, other, *_ = (self.folder / "stranger.pub").read_text().split()
        (self.folder / "other_hosts").write_text(f"[127.0.0.1]:{self.port} {kind} {other}\n")
        (self.folder / "no_hosts").write_text("")
        settings = {
            "ListenAddress": f"127.0.0.1:{self.port}",
            "HostKey": self.folder / "host",
            "AuthorizedKeysFile": self.folder / "user.pub",
            "PidFile": "none",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
            "StrictModes": "no",
            "MaxStartups": "100",
            "Subsystem": "sftp internal-sftp",
        }
        (self.folder / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)

    def command(self) -> list[str]:
        return [str(SSHD), "-D", "-e", "-f", str(self.folder / "config")]

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def end_all(self) -> None:
        """Kill it with its sessions, which are processes of their own."""
        for pid in descendants_of(self.pid):
            kill(pid)
        self.end()

    def place(self) -> SftpFolder:
        """A folder of its own."""
        folder = self.folder / "data" / str(next(_NUMBERS))
        folder.mkdir(parents=True)
        return SftpFolder(
            user=getpass.getuser(),
            host="127.0.0.1",
            port=self.port,
            folder=str(folder),
            key_file=self.folder / "user",
            known_hosts=self.folder / "known_hosts",
            named_by="SENDIT_STORE",
        )


@pytest.fixture(scope="session")
def sshd() -> Iterator[Sshd]:
    server = Sshd()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def sftp_folder(sshd: Sshd) -> SftpFolder:
    return sshd.place()


@pytest.fixture
def sftp_store(sftp_folder: SftpFolder) -> SftpStore:
    return SftpStore(sftp_folder, QUICK)
