"""SeaweedFS as an S3 server, which keeps preconditions, checksums and secrets: one for a session, a prefix a test."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from sendit.adapters.request_patience import Patience
from sendit.adapters.s3.settings import S3Bucket
from sendit.adapters.s3.store import S3Store
from tests.support.servers import Server
from topology.servers import free_ports

BUCKET = "archives"
KEY_ID, SECRET = "sendit-tests", "a-secret-for-tests-only"
QUICK = Patience(connect_seconds=5, answer_seconds=20, attempts=3)
ONE_WORKER = pytest.mark.xdist_group("seaweed")
_NUMBERS = count(1)


class SeaweedFS(Server):
    """Master, volumes, filer and S3 in one process."""

    STOP = signal.SIGKILL
    """It takes longer to end in good order than a test should wait, and nothing of it is needed afterwards."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self._ports = free_ports(9)
        identity = {"name": "tests", "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}], "actions": ["Admin"]}
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        names = (
            "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
            "s3.port.grpc",
        )  # fmt: skip
        ports = [f"-{name}={port}" for name, port in zip(names, self._ports, strict=False)]
        here = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={self.folder}", f"-s3.config={self.folder}/s3.json"]
        off = ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false", "-master.volumeSizeLimitMB=64"]
        weed = Path(sys.executable).with_name("weed")
        return [str(weed), "server", "-s3", f"-s3.port={self.port}", "-volume.max=50", *ports, *here, *off]

    def options(self) -> dict[str, Any]:
        return {"env": {"PATH": os.environ["PATH"], "HOME": str(self.folder), "GOMAXPROCS": "2"}}

    def client(self) -> Any:
        """A client of Amazon's own."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )

    def answers(self) -> bool:
        """It answers long before it can write."""
        try:
            self.client().create_bucket(Bucket=BUCKET)
            self.client().put_object(Bucket=BUCKET, Key="ready", Body=b"1")
        except (BotoCoreError, ClientError):
            return False
        return True

    def place(self) -> S3Bucket:
        """A place of its own in the bucket; each bucket costs SeaweedFS seven volumes."""
        prefix = f"test-{os.getpid()}-{next(_NUMBERS)}/"
        return S3Bucket(bucket=BUCKET, region="us-east-1", endpoint=self.url, path_style=True, prefix=prefix)


@pytest.fixture(scope="session")
def seaweed() -> Iterator[SeaweedFS]:
    server = SeaweedFS()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def s3_bucket(seaweed: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> S3Bucket:
    """A place in a bucket, and the credentials where Amazon's tools look for them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return seaweed.place()


@pytest.fixture
def s3_store(s3_bucket: S3Bucket) -> S3Store:
    return S3Store(s3_bucket, QUICK)
