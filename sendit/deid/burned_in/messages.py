"""Messages between a worker and its detector: a JSON object and bytes, over a pipe. Nothing in them is executed."""

from __future__ import annotations

import json
import os
import select
import struct
import time
from enum import StrEnum
from typing import Any, NamedTuple

_HEAD = struct.Struct("<IQ")
MOST_JSON = 16 * 1024 * 1024


class Aim(StrEnum):
    """What the frames of one round are given to the detector for."""

    FIND = "find"
    """All that may be text."""
    READ = "read"
    """Only that in which letters or digits can be read: what is around blanked text often looks like text."""
    COMPARE = "compare"
    """Nothing is looked for: frames are only compared with what they were."""


class Message(NamedTuple):
    """What is said, and the bytes that belong to it."""

    said: dict[str, Any]
    data: bytes = b""


class Ended(Exception):
    """The other side is gone, or it does not answer in time."""


def send(handle: int, message: Message, seconds: float | None = None) -> None:
    """Write a message. Raises Ended where the other side does not take it in time."""
    said = json.dumps(message.said).encode()
    deadline = None if seconds is None else time.monotonic() + seconds
    for part in (_HEAD.pack(len(said), len(message.data)) + said, message.data):
        view = memoryview(part)
        while view:
            _wait(handle, deadline, writing=True)
            try:
                view = view[os.write(handle, view[: 1 << 20]) :]
            except BlockingIOError:
                continue
            except OSError:
                raise Ended from None


def receive(handle: int, seconds: float | None = None) -> Message:
    """Read a message. Raises Ended at the end of the pipe, and where none comes in time."""
    deadline = None if seconds is None else time.monotonic() + seconds
    said, data = _HEAD.unpack(_exactly(handle, _HEAD.size, deadline))
    if said > MOST_JSON:
        raise Ended
    return Message(json.loads(_exactly(handle, said, deadline)), _exactly(handle, data, deadline))


def _exactly(handle: int, length: int, deadline: float | None) -> bytes:
    parts = []
    while length:
        _wait(handle, deadline, writing=False)
        try:
            part = os.read(handle, min(length, 1 << 20))
        except BlockingIOError:
            continue
        except OSError:
            raise Ended from None
        if not part:
            raise Ended
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _wait(handle: int, deadline: float | None, *, writing: bool) -> None:
    poll = select.poll()
    poll.register(handle, select.POLLOUT if writing else select.POLLIN)
    if not poll.poll(None if deadline is None else max(deadline - time.monotonic(), 0) * 1000):
        raise Ended
