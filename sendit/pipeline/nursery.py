"""The nursery: a process with everything imported and nothing open, from which workers are forked in milliseconds.

It has one thread and no connection, so what it forks is as good as a process of its own. All it has of its pool is a
socket: a socket that comes in on it is a worker wanted, and its end is the nursery's.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
from contextlib import suppress

from django.db import connections

from sendit.pipeline import worker


def run(control: socket.socket) -> None:
    """Fork a worker for each socket that comes in; tell `pid status` of each worker that ended."""
    worker.close_standard_streams()
    gc.collect()
    gc.freeze()  # what is there by now stays, and its pages are shared
    heard, woken = socket.socketpair()
    woken.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(woken.fileno())
    while True:
        ready, _, _ = select.select([control, heard], [], [])
        if heard in ready:
            heard.recv(4096)
            _tell_ends(control)
        if control in ready:
            _, handles, _, _ = socket.recv_fds(control, 1, 1)
            if not handles:
                return
            _fork(handles[0], (control, heard, woken))


def _tell_ends(control: socket.socket) -> None:
    with suppress(ChildProcessError, BrokenPipeError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            control.sendall(b"%d %d\n" % (ended[0], os.waitstatus_to_exitcode(ended[1])))


def _fork(handle: int, ours: tuple[socket.socket, ...]) -> None:
    if os.fork():
        os.close(handle)
        return
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for inherited in ours:
        inherited.close()
    worker.work(socket.socket(fileno=handle))
    connections.close_all()
    os._exit(0)
