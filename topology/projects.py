"""Three projects, each with a data folder, an AE title and a destination of its own, and the servers of two of them.

Knows nothing of sendit but what a project's file says.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SSHD = Path("/usr/sbin/sshd")
KEY_ID, SECRET = "topology", "a-secret-for-loopback-only"
BUCKET = "archives"
WEED_PORTS = (
    "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
    "s3.port.grpc",
)  # fmt: skip
"""SeaweedFS's other ports, by the options that set them."""

FILE = """\
title = "{title}"
key = "own"
identity_service = "local"
data_folders = ["{data}"]
called_ae_titles = ["{ae_title}"]
destinations = ["{destination}"]
warehouse = "{warehouse}"
"""


@dataclass(frozen=True, slots=True)
class Example:
    """A project of the topology."""

    name: str
    title: str
    destination: str
    warehouse: str

    @property
    def ae_title(self) -> str:
        """The AE title under which images are sent to it."""
        return self.name.upper()


def examples(folder: Path, bucket: str, s3: str, sftp_port: int) -> list[Example]:
    """Return the projects; the one that needs OpenSSH's server only where that is installed."""
    found = [
        Example("heart", "To Cloud Storage and BigQuery", f"gs://{bucket}", "bigquery://"),
        Example("lung", "To S3", f"s3://{BUCKET}?endpoint={s3}&path_style=true&region=us-east-1", "parquet"),
    ]
    if SSHD.exists():
        keys = f"key_file={folder}/sftp/user&known_hosts={folder}/sftp/known_hosts"
        place = f"sftp://{getpass.getuser()}@127.0.0.1:{sftp_port}{folder}/sftp/archives?{keys}"
        found.append(Example("brain", "By SFTP", place, "parquet"))
    return found


def write_files(examples: list[Example], files: Path, data: Path) -> None:
    """Make the data folders, and write the files that are missing."""
    files.mkdir(parents=True, exist_ok=True)
    for one in examples:
        own = data / one.name
        own.mkdir(parents=True, exist_ok=True)
        path = files / f"{one.name}.toml"
        if not path.exists():
            said = {"title": one.title, "data": own, "ae_title": one.ae_title}
            path.write_text(FILE.format(**said, destination=one.destination, warehouse=one.warehouse))


# ------------------------------------------------------------------------------------------ SeaweedFS, as S3


def make_s3(folder: Path) -> None:
    """Write what SeaweedFS is started with."""
    folder.mkdir(parents=True, exist_ok=True)
    identity = {"name": "sendit", "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))


def s3_command(folder: Path, port: int, first_other: int) -> list[str]:
    """Return the command of master, volumes, filer and S3 in one process."""
    others = [f"-{name}={first_other + number}" for number, name in enumerate(WEED_PORTS)]
    here = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", f"-s3.config={folder}/s3.json"]
    off = ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false", "-master.volumeSizeLimitMB=64"]
    weed = Path(sys.executable).with_name("weed")
    return [str(weed), "server", "-s3", f"-s3.port={port}", "-volume.max=50", *others, *here, *off]


def s3_is_ready(endpoint: str) -> bool:
    """Return whether the bucket can be written to: SeaweedFS answers long before it can write."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    quick = Config(connect_timeout=2, read_timeout=5, retries={"max_attempts": 1})
    own = {"aws_access_key_id": KEY_ID, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=endpoint, config=quick, **own)
    try:
        if BUCKET not in {one["Name"] for one in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="ready", Body=b"1")
    except (BotoCoreError, ClientError):
        return False
    return True


# ------------------------------------------------------------------------------------------ OpenSSH, for SFTP


def make_sftp(folder: Path, port: int) -> None:
    """Make the keys of the host and of the user, and write what sshd is started with."""
    (folder / "archives").mkdir(parents=True, exist_ok=True)
    for name in ("host", "user"):
        if not (folder / name).exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    kind, key, *_ = (folder / "host.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "PidFile": "none",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "StrictModes": "no",
        "MaxStartups": "100",
        "Subsystem": "sftp internal-sftp",
    }
    (folder / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)


def sftp_command(folder: Path) -> list[str]:
    """Return the command of sshd."""
    return [str(SSHD), "-D", "-e", "-f", str(folder / "config")]


def sftp_is_ready(port: int) -> bool:
    """Return whether sshd greets."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
