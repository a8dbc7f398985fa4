"""Hands images to the listener over its local socket, so that all images land in one way. A small user of C-STORE."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import build_context

from sendit.errors import ServiceDown
from sendit.receiving.peers import Peer, Peers
from sendit.receiving.presence import short_name
from sendit.receiving.wire import command_set
from sendit.receiving.wire.command_set import Command, Field
from sendit.receiving.wire.negotiation import UNDECODABLE, user_information
from sendit.receiving.wire.pdus import (
    LONGEST_PDU,
    PduReader,
    PduType,
    PeerGone,
    PeerMisbehaves,
    data_pdus,
    fragments,
    last_data_pdu,
    next_data_pdu,
)

SECONDS = 120.0
CONTEXT = 1
MOST_OPEN = 16
"""Associations of a forwarder that are open at a time, one for each SOP class and transfer syntax."""
RELEASE = struct.pack(">BxI", PduType.RELEASE_RQ, 4) + bytes(4)


class Forwarder:
    """Associations with the listener on behalf of a peer.

    Parameters
    ----------
    path : Path
        The listener's local socket.
    peers : Peers
    peer : Peer
        One of them; its data folder is where the images land.
    """

    def __init__(self, path: Path, peers: Peers, peer: Peer) -> None:
        self._path, self._calling = path, local_title(peers, peer)
        self._open: dict[tuple[str, str], _Association | None] = {}

    def store(self, sop_class: str, sop_instance: str, transfer_syntax: str, pieces: Iterable[bytes]) -> int:
        """Store an image; returns the status that the listener answers, or 0122 if it does not take such images.

        Raises ServiceDown("ListenerDown").
        """
        key = sop_class, transfer_syntax
        try:
            if key not in self._open:
                self._open[key] = self._associate(*key)
            association = self._open[key]
            return association.store(sop_class, sop_instance, pieces) if association else 0x0122
        except (OSError, PeerGone, PeerMisbehaves):
            self._drop(key)
            raise ServiceDown("ListenerDown") from None

    def close(self) -> None:
        """End all associations."""
        for key in list(self._open):
            self._drop(key)

    def _drop(self, key: tuple[str, str]) -> None:
        association = self._open.pop(key, None)
        if association:
            association.release()

    def _associate(self, sop_class: str, transfer_syntax: str) -> _Association | None:
        """Associate for one kind of image; None if the listener does not take it."""
        if len(self._open) >= MOST_OPEN:
            self._drop(next(iter(self._open)))
        try:
            request = _request(self._calling, sop_class, transfer_syntax)
        except UNDECODABLE:  # what is no UID
            return None
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with short_name(self._path) as name:
            connection.connect(name)
        reader = PduReader(connection, SECONDS)
        connection.sendall(request)
        kind, body = reader.read()
        if kind != PduType.ASSOCIATE_AC:
            connection.close()
            raise PeerGone
        association = _Association(connection, reader)
        if _is_accepted(bytes(body)):
            return association
        association.release()
        return None


class _Association:
    """An association with one presentation context."""

    def __init__(self, connection: socket.socket, reader: PduReader) -> None:
        self._socket, self._reader, self._messages = connection, reader, 0

    def store(self, sop_class: str, sop_instance: str, pieces: Iterable[bytes]) -> int:
        self._messages = self._messages % 65535 + 1
        command = command_set.encode(
            {
                Field.AFFECTED_SOP_CLASS_UID: sop_class.encode(),
                Field.COMMAND_FIELD: Command.C_STORE,
                Field.MESSAGE_ID: self._messages,
                Field.COMMAND_DATA_SET_TYPE: 0x0001,
                Field.AFFECTED_SOP_INSTANCE_UID: sop_instance.encode(),
            }
        )
        self._socket.sendall(data_pdus(CONTEXT, command, True, 0))
        for piece in pieces:
            for start in range(0, len(piece), LONGEST_PDU - 6):
                self._socket.sendall(next_data_pdu(CONTEXT, piece[start : start + LONGEST_PDU - 6]))
        self._socket.sendall(last_data_pdu(CONTEXT))
        return self._status()

    def _status(self) -> int:
        answer = bytearray()
        while True:
            kind, body = self._reader.read()
            if kind != PduType.P_DATA_TF:
                raise PeerGone
            for fragment in fragments(body):
                answer += fragment.data
                if fragment.is_last:
                    return command_set.number(command_set.decode(bytes(answer)), Field.STATUS)

    def release(self) -> None:
        with suppress(OSError, PeerGone, PeerMisbehaves):
            self._socket.sendall(RELEASE)
            self._reader.read(5.0)
        self._socket.close()


def local_title(peers: Peers, peer: Peer) -> str:
    """Return the AE title by which a peer's place in the file is told to the listener on its local socket."""
    return f"#{peers.known.index(peer)}"


def _request(calling: str, sop_class: str, transfer_syntax: str) -> bytes:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID("1.2.840.10008.3.1.1.1")
    primitive.calling_ae_title, primitive.called_ae_title = calling, "LOCAL"
    context = build_context(sop_class, transfer_syntax)
    context.context_id = CONTEXT
    primitive.presentation_context_definition_list = [context]
    primitive.user_information = user_information()
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    return pdu.encode()


def _is_accepted(body: bytes) -> bool:
    """Return whether an A-ASSOCIATE-AC accepts its one context (PS3.8 table 9-18)."""
    item = body.find(b"\x21\0")
    return item >= 0 and body[item + 6] == 0
