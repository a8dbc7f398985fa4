"""Azurite as Azure Blob Storage, which keeps preconditions, checksums and secrets: one a session, a prefix a test."""

from __future__ import annotations

import base64
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import AzureError, ResourceExistsError
from azure.storage.blob import ContainerClient

from sendit.adapters.azure.settings import AzureContainer
from sendit.adapters.azure.store import AzureStore
from sendit.adapters.request_patience import Patience
from tests.support.servers import Server

ACCOUNT, CONTAINER = "senditaccount", "archives"
KEY = base64.b64encode(b"a secret for tests only, of 64 bytes or not").decode()
QUICK = Patience(connect_seconds=5, answer_seconds=20, attempts=3)
ONE_WORKER = pytest.mark.xdist_group("azurite")
PACKAGES = Path(__file__).parent / "azurite"
_NUMBERS = count(1)


def installed() -> Path:
    """Azurite's program, installed once from the lock file beside this module."""
    folder = Path(__file__).parents[2] / "build" / "azurite"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "node_modules" / ".bin" / "azurite-blob"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            npm = shutil.which("npm")
            assert npm, "npm is missing: apt-get install npm"
            for name in ("package.json", "package-lock.json"):
                shutil.copy(PACKAGES / name, folder / name)
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)
            assert done.returncode == 0, done.stderr[-2000:]
    return program


class Azurite(Server):
    """Its blob service, with an account of the tests' own."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    def command(self) -> list[str]:
        here = ["--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--location", str(self.folder / "blobs")]
        return [str(installed()), *here, "--skipApiVersionCheck", "--silent", "--disableTelemetry"]

    def options(self) -> Mapping[str, Any]:
        return {"env": {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}}

    def container(self) -> ContainerClient:
        """A client of Azure's own."""
        return ContainerClient(self.url, CONTAINER, credential=KEY, retry_total=0)

    def answers(self) -> bool:
        try:
            self.container().create_container()
        except ResourceExistsError:
            return True
        except AzureError:
            return False
        return True

    @property
    def key_file(self) -> Path:
        path = self.folder / "key"
        path.write_text(KEY + "\n")
        return path

    def place(self) -> AzureContainer:
        """A place of its own in the container."""
        prefix = f"test-{os.getpid()}-{next(_NUMBERS)}/"
        return AzureContainer(
            account=ACCOUNT, container=CONTAINER, prefix=prefix, key_file=str(self.key_file), endpoint=self.url
        )


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    server = Azurite()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def azure_container(azurite: Azurite) -> AzureContainer:
    return azurite.place()


@pytest.fixture
def azure_store(azure_container: AzureContainer) -> AzureStore:
    return AzureStore(azure_container, QUICK)
