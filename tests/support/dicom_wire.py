"""A peer that speaks byte by byte: the PDUs of an association on the wire, and what may be wrong with them."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import UID
from pynetdicom.dsutils import encode
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification
from pynetdicom.presentation import build_context

from sendit.receiving.wire import command_set
from sendit.receiving.wire.command_set import Field
from sendit.receiving.wire.negotiation import STORAGE_COMMITMENT, VERIFICATION
from sendit.receiving.wire.pdus import data_pdus

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
ECHO, STORE, COMMIT = 1, 3, 5
"""The ids of the presentation contexts of `request`."""

RELEASE = struct.pack(">BxI", 5, 4) + bytes(4)
ABORT = struct.pack(">BxI", 7, 4) + bytes(4)


def request(called: str = "SENDIT", calling: str = "STORESCU") -> bytes:
    """An A-ASSOCIATE-RQ for echo, CT images and storage commitment."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID("1.2.840.10008.3.1.1.1")
    primitive.calling_ae_title, primitive.called_ae_title = calling, called
    contexts = [build_context(one, EXPLICIT) for one in (VERIFICATION, CT, STORAGE_COMMITMENT)]
    for number, context in zip((ECHO, STORE, COMMIT), contexts, strict=True):
        context.context_id = number
    primitive.presentation_context_definition_list = contexts
    longest, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    longest.maximum_length_received = 16384
    implementation.implementation_class_uid = UID("1.2.3.4")
    primitive.user_information = [longest, implementation]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    return pdu.encode()


def echo() -> list[bytes]:
    command = command_set.encode(
        {
            Field.AFFECTED_SOP_CLASS_UID: VERIFICATION.encode(),
            Field.COMMAND_FIELD: 0x30,
            Field.MESSAGE_ID: 7,
            Field.COMMAND_DATA_SET_TYPE: 0x0101,
        }
    )
    return [data_pdus(ECHO, command, True, 0)]


def store(path: Path, longest: int = 16384) -> list[bytes]:
    """A C-STORE of a file's dataset as it is: its command, then the PDUs of its dataset."""
    ds = dcmread(path)
    raw = encoded(ds)
    command = command_set.encode(
        {
            Field.AFFECTED_SOP_CLASS_UID: CT.encode(),
            Field.COMMAND_FIELD: 0x01,
            Field.MESSAGE_ID: 8,
            Field.COMMAND_DATA_SET_TYPE: 0x0000,
            Field.AFFECTED_SOP_INSTANCE_UID: str(ds.SOPInstanceUID).encode(),
        }
    )
    return [data_pdus(STORE, command, True, 0), *split(data_pdus(STORE, raw, False, longest))]


def encoded(ds: Dataset) -> bytes:
    """A dataset in Explicit VR Little Endian."""
    stream = encode(ds, False, True)
    assert stream is not None
    return stream


def commit(*instances: str) -> list[bytes]:
    """A request for storage commitment."""
    ds = Dataset()
    ds.TransactionUID = "1.2.3"
    ds.ReferencedSOPSequence = [Dataset() for _ in instances]
    for item, instance in zip(ds.ReferencedSOPSequence, instances, strict=True):
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, instance
    command = command_set.encode(
        {
            Field.REQUESTED_SOP_CLASS_UID: STORAGE_COMMITMENT.encode(),
            Field.COMMAND_FIELD: 0x130,
            Field.MESSAGE_ID: 9,
            Field.COMMAND_DATA_SET_TYPE: 0x0000,
            Field.REQUESTED_SOP_INSTANCE_UID: b"1.2.840.10008.1.20.1.1",
            Field.ACTION_TYPE_ID: 1,
        }
    )
    return [data_pdus(COMMIT, command, True, 0), data_pdus(COMMIT, encoded(ds), False, 0)]


def split(pdus: bytes) -> list[bytes]:
    """The PDUs of a stream."""
    found, stream = [], BytesIO(pdus)
    while head := stream.read(6):
        found.append(head + stream.read(int.from_bytes(head[2:], "big")))
    return found


# ---------------------------------------------------------------------------------------------- what may be wrong


def mutated(pdus: list[bytes], luck: random.Random) -> bytes:
    """The stream of an association with one to three things wrong with it."""
    for _ in range(luck.randint(1, 3)):
        pdus = luck.choice(MUTATIONS)([pdu for pdu in pdus if pdu] or [ABORT], luck)
    return b"".join(pdus)


def _any(pdus: list[bytes], luck: random.Random) -> int:
    return luck.randrange(len(pdus))


def _flip(pdus: list[bytes], luck: random.Random) -> list[bytes]:
    number = _any(pdus, luck)
    pdu = bytearray(pdus[number])
    for _ in range(luck.choice((1, 1, 2, 8))):
        pdu[luck.randrange(min(len(pdu), luck.choice((12, 80, len(pdu)))))] = luck.randrange(256)
    pdus[number] = bytes(pdu)
    return pdus


def _length(pdus: list[bytes], luck: random.Random) -> list[bytes]:
    """The length of a PDU, or of its first item, is another."""
    number, where = _any(pdus, luck), luck.choice((2, 6))
    length = luck.choice((0, 1, 2, 3, 5, 0x7FFFFFFF, 0xFFFFFFFF, 0x20000, 0x20001, luck.randrange(70000)))
    pdu = pdus[number]
    pdus[number] = pdu[:where] + struct.pack(">I", length) + pdu[where + 4 :]
    return pdus


def _order(pdus: list[bytes], luck: random.Random) -> list[bytes]:
    luck.shuffle(pdus)
    return pdus


def _drop(pdus: list[bytes], luck: random.Random) -> list[bytes]:
    del pdus[_any(pdus, luck)]
    return pdus or [ABORT]


def _repeat(pdus: list[bytes], luck: random.Random) -> list[bytes]:
    pdus.insert(_any(pdus, luck), luck.choice(pdus))
    return pdus


def _cut(pdus: list[bytes], luck: random.Random) -> list[bytes]:
    number = _any(pdus, luck)
    pdus[number] = pdus[number][: luck.randrange(len(pdus[number]))]
    return pdus


def _context(pdus: list[bytes], luck: random.Random) -> list[bytes]:
    """A fragment is of another context, or of another kind."""
    numbers = [number for number, pdu in enumerate(pdus) if len(pdu) > 12 and pdu[0] == 4]
    if numbers:
        number, where = luck.choice(numbers), luck.choice((10, 11))
        pdus[number] = pdus[number][:where] + bytes([luck.randrange(256)]) + pdus[number][where + 1 :]
    return pdus


def _foreign(pdus: list[bytes], luck: random.Random) -> list[bytes]:
    kind, length = luck.randrange(256), luck.randrange(64)
    pdus.insert(_any(pdus, luck), struct.pack(">BxI", kind, length) + luck.randbytes(length))
    return pdus


def _flood(pdus: list[bytes], luck: random.Random) -> list[bytes]:
    pdus[1:1] = echo() * luck.randrange(200)
    return pdus


def _small(pdus: list[bytes], luck: random.Random) -> list[bytes]:
    """Many items in one PDU, most of them empty."""
    item = struct.pack(">IBB", 2, luck.choice((ECHO, STORE, COMMIT, 9)), luck.randrange(4))
    body = item * luck.randrange(1, 500)
    pdus.insert(_any(pdus, luck), struct.pack(">BxI", 4, len(body)) + body)
    return pdus


MUTATIONS = (_flip, _flip, _length, _order, _drop, _repeat, _cut, _context, _foreign, _flood, _small)


def streams(images: list[Path], seed: int) -> Iterator[bytes]:
    """Mutated associations without end, the same for a seed."""
    whole = [request(), *echo(), *store(images[0]), *commit("1.2.3"), *store(images[1], 4096), RELEASE]
    parts = (whole, [request(), *store(images[0]), RELEASE], [request(), *commit("1.2", "1.3"), RELEASE], [request()])
    luck = random.Random(seed)
    while True:
        yield mutated(list(luck.choice(parts)), luck)
