"""Tells a service manager such as systemd that this process is ready and lives (sd_notify(3)); nobody else is told."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

READY, ALIVE = "READY=1", "WATCHDOG=1"


def notify(state: str, address: str | None = None) -> None:
    """Send a state to the socket that the service manager named; nothing where there is none."""
    address = os.environ.get("NOTIFY_SOCKET") if address is None else address
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        sender.sendall(state.encode())
