"""A server on loopback that answers as no server should: raw bytes on a socket, by a script.

A play answers one connection; the script's last play is repeated for ever.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """What came in."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.line.split()[1]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Play = Callable[[Request, socket.socket], None]


@dataclass
class HostileServer:
    """Listens while its context lasts; `requests` is what it was asked, and when."""

    plays: list[Play]
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if self.tls else "http"
        self.origin = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _answer(self, plain: socket.socket) -> None:
        with (
            plain,
            suppress(OSError),
            self.tls.wrap_socket(plain, server_side=True) if self.tls else plain as connection,
        ):
            request = _read(connection)
            play = self.plays[min(len(self.requests), len(self.plays) - 1)]
            self.requests.append(request)
            self.asked_at.append(time.monotonic())
            play(request, connection)


@contextmanager
def hostile(*plays: Play, tls: ssl.SSLContext | None = None) -> Iterator[HostileServer]:
    """A server that plays them in turn."""
    server = HostileServer(list(plays), tls)
    threading.Thread(target=server.serve, daemon=True).start()
    try:
        yield server
    finally:
        server.close()


def _read(connection: socket.socket) -> Request:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in fields)}
    while len(body) < int(headers["content-length"]):
        body += _more(connection)
    return Request(line, headers, body)


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise ConnectionResetError
    return data


# ------------------------------------------------------------------------------------------------- plays


def says(status: int, body: bytes = b"", kind: str = "application/json", **headers: str) -> Play:
    """A whole answer."""

    def play(request: Request, connection: socket.socket) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.sendall(_head(status, {"Content-Type": kind, "Content-Length": str(len(body)), **named}) + body)

    return play


def says_json(value: object, status: int = 200) -> Play:
    """A whole answer in JSON."""
    return says(status, json.dumps(value).encode())


def answers(change: Callable[[Any], object] = lambda results: None) -> Play:
    """The right answer, but for one change made to its `results`."""

    def play(request: Request, connection: socket.socket) -> None:
        content = right_answer(request.json)
        change(content["results"])
        says_json(content)(request, connection)

    return play


def by_path(**plays: Play) -> Play:
    """One play for questions (`uid`), another for tokens (`token`)."""

    def play(request: Request, connection: socket.socket) -> None:
        plays["token" if request.path.startswith("/token/") else "uid"](request, connection)

    return play


def bytes_then_end(raw: bytes) -> Play:
    """Just these bytes, and the end of the connection."""
    return lambda request, connection: connection.sendall(raw)


def drips(first: bytes, drop: bytes, seconds: float) -> Play:
    """One drop after another for ever, none of them late."""

    def play(request: Request, connection: socket.socket) -> None:
        connection.sendall(first)
        while True:
            time.sleep(seconds)
            connection.sendall(drop)

    return play


def hangs(request: Request, connection: socket.socket) -> None:
    """Says nothing, and keeps the line."""
    connection.recv(1)


def resets(request: Request, connection: socket.socket) -> None:
    """RST in place of an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} So", *(f"{name}: {value}" for name, value in headers.items()), "Connection: close"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def right_answer(question: Any) -> Any:
    """As WIRE 1 says, in the form of its example: every date five days later, an offset without a colon."""
    (entity,) = question["identifiers"]
    items = [_answered(item, f"s{number}") for number, item in enumerate(entity.get("items", []))]
    return {"results": [_answered(entity, "p0") | {"items": items}]}


def _answered(asked: Any, suid: str) -> dict[str, Any]:
    answer = {"id": asked["id"], "id_source": asked["id_source"], "suid": suid, "jitter": 5}
    if "id_timestamp" in asked:
        answer["jittered_timestamp"] = _five_days_later(asked["id_timestamp"])
    return answer


def _five_days_later(instant: str) -> str:
    assert int(instant[8:10]) <= 23, "keep the tests' dates where this is enough"
    return f"{instant[:8]}{int(instant[8:10]) + 5:02}T00:00:00-0800"
