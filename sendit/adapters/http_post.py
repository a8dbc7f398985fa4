"""One HTTP exchange with one deadline for connection, headers and body together, however slowly the bytes arrive.

It follows no redirect, reads no environment (proxies, .netrc), keeps no cookie and decompresses nothing. Failures are
returned as members of `NoAnswer`, because the library's exceptions hold the request and so the identifiers in it.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

import httpcore

from sendit.phi import Phi

MOST_BYTES = 4_000_000
"""The most bytes of an answer that are read; a thousand items take less than a tenth of it."""


@dataclass(frozen=True, slots=True, repr=False)
class HttpAnswer:
    """An HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    untrusted_body: bytes


class NoAnswer(Enum):
    """Why there is no answer."""

    DOWN = "refused, unreachable, reset, too slow, or not HTTP"
    UNTRUSTED = "its certificate is not trusted"


def post_json(url: str, body: Phi[bytes], headers: Mapping[str, str], seconds: float) -> HttpAnswer | NoAnswer:
    """POST a JSON body. The call ends after `seconds` at the latest, not counting the time of the name resolver."""
    try:
        return _exchanged(url, body, {"Content-Type": "application/json", **headers}, _Deadline(seconds))
    except ssl.SSLCertVerificationError:
        return NoAnswer.UNTRUSTED
    except (OSError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol):
        return NoAnswer.DOWN


def _exchanged(url: str, body: Phi[bytes], headers: Mapping[str, str], deadline: _Deadline) -> HttpAnswer:
    asks_for = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "sendit", **headers}
    with (
        httpcore.ConnectionPool(ssl_context=_trust(), network_backend=_Network(deadline)) as pool,
        pool.stream("POST", url, headers=list(asks_for.items()), content=body.reveal()) as response,
    ):
        received = bytearray()
        for chunk in response.iter_stream():
            received += chunk
            if len(received) > MOST_BYTES:
                break
        answered = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return HttpAnswer(response.status, answered, bytes(received))


@cache
def _trust() -> ssl.SSLContext:
    """Trust the certificate authorities that this machine trusts, which may include the hospital's own."""
    return ssl.create_default_context()


# ------------------------------------------------------------------------------------------ the deadline


class _Deadline:
    """The moment at which the whole exchange must have ended."""

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds

    def hold(self, connection: socket.socket) -> socket.socket:
        """Return the socket with a timeout for its next call. Raises TimeoutError if no time is left."""
        left_seconds = self._ends_at - time.monotonic()
        if left_seconds <= 0:
            raise TimeoutError
        connection.settimeout(left_seconds)
        return connection


class _Network(httpcore.NetworkBackend):
    """Connections under one deadline. httpcore's own timeouts are ignored: each covers only one read or write."""

    def __init__(self, deadline: _Deadline) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            connection = socket.socket(family, kind, protocol)
            try:
                self._deadline.hold(connection).connect(address)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                connection.close()
                failure = error
            else:
                return _Stream(connection, self._deadline)
        raise failure or ConnectionError


class _Stream(httpcore.NetworkStream):
    def __init__(self, connection: socket.socket, deadline: _Deadline) -> None:
        self._connection, self._deadline = connection, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._deadline.hold(self._connection).recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            while buffer:
                sent = self._deadline.hold(self._connection).send(buffer)
                buffer = buffer[sent:]
        except OSError as error:
            raise httpcore.WriteError from error  # there may be an answer nevertheless, and httpcore looks for it

    def close(self) -> None:
        self._connection.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        plain = self._deadline.hold(self._connection)
        return _Stream(ssl_context.wrap_socket(plain, server_hostname=server_hostname), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._connection if info == "ssl_object" and isinstance(self._connection, ssl.SSLSocket) else None
