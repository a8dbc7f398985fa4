"""Peers that break the protocol: bounded, without a file that is not whole, and without harm to others."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.fuzz.associations import Victim
from tests.support import dicom_wire
from tests.support.dicom_network import Receiving, receiving_on, wait
from tests.support.phantoms import accession_number, make_study
from tests.support.site import Site


@pytest.fixture
def receiving(site: Site) -> Iterator[Receiving]:
    with receiving_on(site) as receiving:
        yield receiving


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return make_study(tmp_path / "out", number=1, images=2)


def connect(receiving: Receiving) -> socket.socket:
    return socket.create_connection(("127.0.0.1", receiving.port), timeout=60)


def answers(connection: socket.socket) -> bytes:
    """Everything that is answered until the listener closes the connection."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def kinds(received: bytes) -> list[int]:
    """The types of the PDUs."""
    return [pdu[0] for pdu in dicom_wire.split(received)]


@pytest.mark.timeout(0)
def test_mutated_associations_leave_nothing_that_is_not_whole(
    site: Site, images: list[Path], request: pytest.FixtureRequest
) -> None:
    """With `--associations 50000` as many are sent; each must end within seconds, whatever it is."""
    site.set(LISTENER_MIN_FREE_MB=1)
    victim = Victim(site)
    number = request.config.getoption("--associations")
    for count, stream in enumerate(islice(dicom_wire.streams(images, 20261128), number)):
        victim.suffer(stream, count)
    assert victim.survived() > 0


def test_half_an_image_is_never_kept(receiving: Receiving, images: list[Path]) -> None:
    connection = connect(receiving)
    connection.sendall(b"".join([dicom_wire.request(), *dicom_wire.store(images[0])[:-1]]))
    wait(lambda: receiving.drafts())
    connection.close()
    wait(lambda: not receiving.drafts())
    assert receiving.folders() == receiving.unfinished() == []


def test_a_peer_that_says_nothing_keeps_nobody_waiting(receiving: Receiving, images: list[Path]) -> None:
    silent = [connect(receiving) for _ in range(5)]
    silent[0].sendall(dicom_wire.request()[:20])
    assert receiving.send(images[0]).returncode == 0
    assert receiving.wait_for_folders(1) == [accession_number(1)]
    for connection in silent:
        connection.close()


def test_a_pdu_that_drips_ends(receiving: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sendit.receiving.wire.pdus.PDU_SECONDS", 0.3)
    monkeypatch.setattr("sendit.receiving.wire.pdus.TICK_SECONDS", 0.1)
    connection = connect(receiving)
    connection.sendall(dicom_wire.request())
    pdu = dicom_wire.echo()[0]
    ended_at = None
    for byte in pdu:
        try:
            connection.sendall(bytes([byte]))
        except OSError:
            ended_at = time.monotonic()
            break
        time.sleep(0.05)
    assert ended_at is not None


@pytest.mark.parametrize(
    "wrong",
    [
        struct.pack(">BxI", 4, 0x7FFFFFFF),
        struct.pack(">BxI", 4, 131_073),
        struct.pack(">BxI", 99, 4) + bytes(4),
        struct.pack(">BxI", 2, 4) + bytes(4),
        struct.pack(">BxI", 4, 6) + struct.pack(">IBB", 2, 77, 3),
        struct.pack(">BxI", 4, 6) + struct.pack(">IBB", 99, 1, 3),
        struct.pack(">BxI", 4, 6) + struct.pack(">IBB", 2, dicom_wire.STORE, 2),
        dicom_wire.request(),
    ],
    ids=["huge", "too long", "unknown", "unexpected", "context", "item", "data before its command", "a second request"],
)
def test_what_breaks_the_protocol_is_answered_with_an_abort(receiving: Receiving, wrong: bytes) -> None:
    connection = connect(receiving)
    connection.sendall(dicom_wire.request() + wrong)
    connection.shutdown(socket.SHUT_WR)
    assert kinds(answers(connection)) == [2, 7]


def test_beyond_the_limit_associations_are_rejected_for_now(site: Site) -> None:
    with receiving_on(site, LISTENER_MAX_ASSOCIATIONS_PER_ADDRESS=2) as receiving:
        held = [connect(receiving) for _ in range(2)]
        for connection in held:
            connection.sendall(dicom_wire.request())
            assert connection.recv(1) == b"\2"
        connection = connect(receiving)
        connection.sendall(dicom_wire.request())
        answer = answers(connection)
        assert answer[0] == 3 and answer[7:10] == bytes((2, 3, 2))
        for connection in held:
            connection.close()

        def is_accepted() -> bool:
            with connect(receiving) as again:
                again.sendall(dicom_wire.request())
                return again.recv(1) == b"\2"

        wait(is_accepted)
