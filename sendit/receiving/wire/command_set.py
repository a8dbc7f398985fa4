"""Command sets of DIMSE messages (PS3.7 section 6.3): always Implicit VR Little Endian, always group 0000."""

from __future__ import annotations

import struct
from enum import IntEnum

from sendit.receiving.wire.pdus import PeerMisbehaves

LONGEST = 65_536
"""Bytes; the largest legal command set has a few hundred."""
NO_DATA_SET = 0x0101

_HEAD = struct.Struct("<HHI")
_US = struct.Struct("<H")


class Command(IntEnum):
    """Values of Command Field (PS3.7 Annex E.1) that a peer may send to us. A response has `RESPONSE` added."""

    C_STORE = 0x0001
    C_ECHO = 0x0030
    C_CANCEL = 0x0FFF
    N_EVENT_REPORT = 0x0100
    N_SET = 0x0120
    N_ACTION = 0x0130
    N_CREATE = 0x0140


RESPONSE = 0x8000


class Field(IntEnum):
    """Elements of group 0000 (PS3.7 Annex E.1)."""

    GROUP_LENGTH = 0x0000
    AFFECTED_SOP_CLASS_UID = 0x0002
    REQUESTED_SOP_CLASS_UID = 0x0003
    COMMAND_FIELD = 0x0100
    MESSAGE_ID = 0x0110
    MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
    COMMAND_DATA_SET_TYPE = 0x0800
    STATUS = 0x0900
    AFFECTED_SOP_INSTANCE_UID = 0x1000
    REQUESTED_SOP_INSTANCE_UID = 0x1001
    EVENT_TYPE_ID = 0x1002
    ACTION_TYPE_ID = 0x1008


CommandSet = dict[int, bytes]
"""Encoded values by element number."""


def decode(untrusted: bytes) -> CommandSet:
    """Return the values of an encoded command set. Raises PeerMisbehaves if it is none."""
    found: CommandSet = {}
    position, end = 0, len(untrusted)
    while position < end:
        if end - position < 8:
            raise PeerMisbehaves
        group, element, length = _HEAD.unpack_from(untrusted, position)
        position += 8 + length
        if group or position > end:
            raise PeerMisbehaves
        found[element] = untrusted[position - length : position]
    return found


def number(command: CommandSet, field: Field) -> int:
    """Return an element of VR US. Raises PeerMisbehaves if it is missing or malformed."""
    value = command.get(field, b"")
    if len(value) != 2:
        raise PeerMisbehaves
    return int.from_bytes(value, "little")


def uid(command: CommandSet, field: Field) -> bytes:
    """Return an element of VR UI without its padding; empty if it is missing."""
    return command.get(field, b"").rstrip(b"\0 ")


def is_uid(untrusted: bytes) -> bool:
    """Return whether the bytes have the form of a UID (PS3.5 section 9.1), leading zeros allowed."""
    return 0 < len(untrusted) <= 64 and all(part.isdigit() for part in untrusted.split(b"."))


def encode(values: dict[Field, int | bytes]) -> bytes:
    """Encode a command set, its group length included; numbers become US, bytes UI."""
    body = b"".join(_element(field, values[field]) for field in sorted(values))
    return _HEAD.pack(0, Field.GROUP_LENGTH, 4) + struct.pack("<I", len(body)) + body


def _element(field: Field, value: int | bytes) -> bytes:
    encoded = _US.pack(value) if isinstance(value, int) else value + b"\0" * (len(value) % 2)
    return _HEAD.pack(0, field, len(encoded)) + encoded


def response(request: CommandSet, status: int) -> bytes:
    """Return the response without a dataset to any request but a cancellation."""
    values: dict[Field, int | bytes] = {
        Field.COMMAND_FIELD: number(request, Field.COMMAND_FIELD) | RESPONSE,
        Field.MESSAGE_ID_BEING_RESPONDED_TO: number(request, Field.MESSAGE_ID),
        Field.COMMAND_DATA_SET_TYPE: NO_DATA_SET,
        Field.STATUS: status,
    }
    for ours, theirs in (
        (Field.AFFECTED_SOP_CLASS_UID, Field.REQUESTED_SOP_CLASS_UID),
        (Field.AFFECTED_SOP_INSTANCE_UID, Field.REQUESTED_SOP_INSTANCE_UID),
    ):
        value = uid(request, ours) or uid(request, theirs)
        if value:
            values[ours] = value
    if Field.ACTION_TYPE_ID in request:
        values[Field.ACTION_TYPE_ID] = number(request, Field.ACTION_TYPE_ID)
    return encode(values)
