"""Requests whose bodies never come: others are answered meanwhile, and they themselves are not waited for for ever."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.identity_server import IdentityServer

CLIENTS = 24
"""Three for each thread of the server."""
PATIENCE = 60


@pytest.fixture
def secrets(identity_server: IdentityServer, tmp_path: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(identity_server.client(f"slow-{tmp_path.name}"[:64], tmp_path).read_text())
    return found


@pytest.fixture
def silent(identity_server: IdentityServer, secrets: dict[str, str]) -> Iterator[list[socket.socket]]:
    """Connections that have said everything but their body."""
    head = (
        "POST /identifiers/api/v1/uid/irb1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {secrets['accessToken']}\r\nContent-Length: 100\r\n\r\n"
    )
    with ExitStack() as opened:
        connections = []
        for _ in range(CLIENTS):
            connection = socket.create_connection(("127.0.0.1", identity_server.port), timeout=PATIENCE)
            connections.append(opened.enter_context(connection))
            connection.sendall(head.encode() + b'{"')
        yield connections


def test_health_is_answered_while_bodies_do_not_come(
    identity_server: IdentityServer, silent: list[socket.socket]
) -> None:
    for _ in range(5):
        with urllib.request.urlopen(f"{identity_server.origin}/healthz", timeout=PATIENCE) as answer:
            assert answer.status == 200


def test_each_is_refused_in_the_end(identity_server: IdentityServer, silent: list[socket.socket]) -> None:
    answers = {connection.recv(65536).split(b"\r\n")[0] for connection in silent}
    assert answers <= {b"HTTP/1.1 400 Bad Request", b"HTTP/1.1 503 Service Unavailable"}
    assert b"HTTP/1.1 400 Bad Request" in answers


def test_a_refusal_does_not_wait_for_the_body(identity_server: IdentityServer) -> None:
    """Of a call that does not exist nothing is read. If each held a thread for 5 s, this would last a minute."""
    with ExitStack() as opened:
        for _ in range(5 * CLIENTS):
            connection = socket.create_connection(("127.0.0.1", identity_server.port), timeout=PATIENCE)
            opened.enter_context(connection)
            connection.sendall(b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
        with urllib.request.urlopen(f"{identity_server.origin}/healthz", timeout=PATIENCE) as answer:
            assert answer.status == 200


def test_a_body_that_drips_is_not_waited_for_longer(identity_server: IdentityServer, secrets: dict[str, str]) -> None:
    with socket.create_connection(("127.0.0.1", identity_server.port), timeout=PATIENCE) as connection:
        connection.sendall(
            b"POST /identifiers/api/v1/uid/irb1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer " + secrets["accessToken"].encode() + b"\r\nContent-Length: 1000\r\n\r\n"
        )
        connection.settimeout(0.2)
        for _ in range(5 * PATIENCE):
            try:
                connection.sendall(b" ")
                assert connection.recv(65536).startswith(b"HTTP/1.1 400")
            except TimeoutError:
                continue
            return
    pytest.fail("it is waited for")
