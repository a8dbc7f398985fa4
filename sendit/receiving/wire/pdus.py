"""PDUs as they come from a peer and go to it (PS3.8 section 9.3): framed, bounded in size and in time.

What stands in an A-ASSOCIATE PDU is pynetdicom's business; P-DATA-TF is taken apart here, because reading it is what
takes the time.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

LONGEST_PDU = 131_072
"""Bytes of a P-DATA-TF PDU, without its head, that we announce to take."""
LONGEST_ASSOCIATE_PDU = 262_144
"""128 presentation contexts with a dozen transfer syntaxes each, and room to spare."""
ROOM = 4 * LONGEST_PDU
"""Bytes read ahead; at least one PDU must fit."""

PDU_SECONDS = 60.0
"""A PDU that has begun must be there as a whole by then."""
TICK_SECONDS = 5.0
"""How often a reader that waits looks at the clock."""

_HEAD = struct.Struct(">BxI")
_ITEM = struct.Struct(">IBB")
COMMAND, LAST = 0x01, 0x02
"""Bits of a message control header (PS3.8 Annex E.2)."""


class PduType(IntEnum):
    """The types of PS3.8 section 9.3.1."""

    ASSOCIATE_RQ = 0x01
    ASSOCIATE_AC = 0x02
    ASSOCIATE_RJ = 0x03
    P_DATA_TF = 0x04
    RELEASE_RQ = 0x05
    RELEASE_RP = 0x06
    ABORT = 0x07


class AbortReason(IntEnum):
    """Why a provider aborts (PS3.8 section 9.3.8)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER = 6


class PeerGone(Exception):
    """The peer closed the connection, aborted, or has been silent for too long."""


class PeerMisbehaves(Exception):
    """The peer broke the protocol, so the association is aborted."""

    def __init__(self, reason: AbortReason = AbortReason.INVALID_PARAMETER) -> None:
        super().__init__(reason.name)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Fragment:
    """A presentation data value. `data` is a view that is valid until the next PDU is read."""

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


class PduReader:
    """Reads PDUs from a connected socket.

    Parameters
    ----------
    connection : socket.socket
        Its timeout is set to `TICK_SECONDS`.
    idle_seconds : float
        How long the peer may be silent between two PDUs.
    """

    def __init__(self, connection: socket.socket, idle_seconds: float) -> None:
        self._socket, self._idle_seconds = connection, idle_seconds
        self._room = bytearray(ROOM)
        self._view = memoryview(self._room)
        self._begin = self._end = 0
        connection.settimeout(TICK_SECONDS)

    def read(self, seconds: float | None = None) -> tuple[int, memoryview]:
        """Return the type and the body of the next PDU.

        Parameters
        ----------
        seconds : float, optional
            The limit for the whole PDU, waiting included; otherwise it may begin within `idle_seconds`.

        Raises
        ------
        PeerGone
            The connection has ended, or nothing came in time.
        PeerMisbehaves
            The PDU is of no known type, or longer than we announced.
        """
        began_at = time.monotonic()
        if self._end - self._begin < 6:
            self._fill(1, began_at + (seconds or self._idle_seconds))
        ends_at = began_at + seconds if seconds else time.monotonic() + PDU_SECONDS
        self._fill(6, ends_at)
        kind, length = _HEAD.unpack_from(self._room, self._begin)
        _ensure_legal(kind, length)
        self._fill(6 + length, ends_at)
        body = self._view[self._begin + 6 : self._begin + 6 + length]
        self._begin += 6 + length
        return kind, body

    def _fill(self, length: int, ends_at: float) -> None:
        """Read until `length` bytes are there, from `_begin` on."""
        if self._begin == self._end:
            self._begin = self._end = 0
        if self._begin + length > ROOM:
            rest = self._end - self._begin
            self._room[:rest] = self._room[self._begin : self._end]
            self._begin, self._end = 0, rest
        while self._end - self._begin < length:
            try:
                received = self._socket.recv_into(self._view[self._end :])
            except TimeoutError:
                received = -1
            except OSError:
                received = 0
            if received == 0 or (received < 0 and time.monotonic() > ends_at):
                raise PeerGone
            self._end += max(received, 0)
            if self._end - self._begin < length and time.monotonic() > ends_at:
                raise PeerGone


def _ensure_legal(kind: int, length: int) -> None:
    if not PduType.ASSOCIATE_RQ <= kind <= PduType.ABORT:
        raise PeerMisbehaves(AbortReason.UNRECOGNIZED_PDU)
    is_association = kind <= PduType.ASSOCIATE_RJ
    if length > (LONGEST_ASSOCIATE_PDU if is_association else LONGEST_PDU) or length < 4:
        raise PeerMisbehaves


def fragments(body: memoryview) -> Iterator[Fragment]:
    """Yield the presentation data values of a P-DATA-TF PDU.

    Raises PeerMisbehaves where an item's length contradicts the PDU's.
    """
    position, end = 0, len(body)
    while position < end:
        if end - position < 6:
            raise PeerMisbehaves
        length, context_id, control = _ITEM.unpack_from(body, position)
        begin, position = position + 6, position + 4 + length
        if length < 2 or position > end or control > COMMAND | LAST:
            raise PeerMisbehaves
        yield Fragment(context_id, bool(control & COMMAND), bool(control & LAST), body[begin:position])


def data_pdus(context_id: int, data: bytes, is_command: bool, longest: int) -> bytes:
    """Return a command set or a dataset as P-DATA-TF PDUs of at most `longest` bytes (0: without a limit)."""
    step = (longest or LONGEST_PDU) - 6
    pieces = [data[start : start + step] for start in range(0, len(data), step)]
    pdus = []
    for number, piece in enumerate(pieces, 1):
        control = (COMMAND if is_command else 0) | (LAST if number == len(pieces) else 0)
        item = _ITEM.pack(len(piece) + 2, context_id, control) + piece
        pdus.append(_HEAD.pack(PduType.P_DATA_TF, len(item)) + item)
    return b"".join(pdus)


def next_data_pdu(context_id: int, data: bytes) -> bytes:
    """Return a PDU with a fragment of a dataset that is not its last."""
    return _HEAD.pack(PduType.P_DATA_TF, len(data) + 6) + _ITEM.pack(len(data) + 2, context_id, 0) + data


def last_data_pdu(context_id: int) -> bytes:
    """Return a PDU with the last fragment of a dataset, without data."""
    return _HEAD.pack(PduType.P_DATA_TF, 6) + _ITEM.pack(2, context_id, LAST)


def release_response() -> bytes:
    """Return an A-RELEASE-RP PDU."""
    return _HEAD.pack(PduType.RELEASE_RP, 4) + bytes(4)


def abort(reason: AbortReason, by_provider: bool = True) -> bytes:
    """Return an A-ABORT PDU."""
    return _HEAD.pack(PduType.ABORT, 4) + bytes((0, 0, 2 if by_provider else 0, reason if by_provider else 0))
