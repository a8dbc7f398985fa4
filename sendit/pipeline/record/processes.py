"""Who holds a lease, as a word; and whether that process is known to be dead. Knows nothing of batches.

`machine.namespace.pid.start.nonce`: a pid alone is not enough, for pids come again and containers have their own.
"""

from __future__ import annotations

import os
import secrets
import socket
import zlib
from functools import cache
from pathlib import Path


def new_token() -> str:
    """A token of this process that no other lease carries."""
    return f"{_here()}.{_this_process(os.getpid())}.{secrets.token_hex(8)}"


def is_known_dead(token: str) -> bool:
    """Whether the token's process ran on this machine and does not any more; False where that cannot be known."""
    here, pid, started, _ = token.rsplit(".", 3)
    return here == _here() and _started(int(pid)) != int(started)


@cache
def _this_process(pid: int) -> str:
    """Its pid and start, read once: by pid, for a fork has its own."""
    return f"{pid}.{_started(pid)}"


@cache
def _here() -> str:
    """This boot of this machine and this pid namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().replace("-", "")[:12]
        namespace = str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:  # no Linux
        boot, namespace = f"{zlib.crc32(socket.gethostname().encode()):08x}", "0"
    return f"{boot}.{namespace}"


def _started(pid: int) -> int:
    """When a process started, in ticks since boot; 0 where only its life can be told, -1 when it is dead."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return -1 if Path("/proc/self").exists() or not _lives(pid) else 0
    state, *fields = text.rpartition(")")[2].split()
    return -1 if state in "ZX" else int(fields[18])


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
