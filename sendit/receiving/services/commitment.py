"""Storage commitment, push model (PS3.4 Annex J): what is asked for, what is here, and what the result says.

A request is kept in the database until the peer has confirmed its result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from io import BytesIO
from typing import Any

from django.utils import timezone
from pydicom import Dataset
from pydicom.errors import BytesLengthException
from pynetdicom.dsutils import decode, encode

from sendit.ground.phi_field import digest
from sendit.phi import Phi
from sendit.receiving.landings.records import Evidence
from sendit.receiving.landings.zone import Zone
from sendit.receiving.models import Commitment, ReceivedInstance
from sendit.receiving.wire import command_set
from sendit.receiving.wire.command_set import Command, CommandSet, Field
from sendit.receiving.wire.negotiation import STORAGE_COMMITMENT, UNDECODABLE
from sendit.receiving.wire.pdus import PeerMisbehaves

WELL_KNOWN_INSTANCE = "1.2.840.10008.1.20.1.1"
REQUEST_STORAGE_COMMITMENT = 1
"""The Action Type ID (PS3.4 section J.3.2.1)."""
LONGEST_REQUEST = 8 * 1024 * 1024
"""Bytes of the dataset of a request: about 70,000 images."""
RETRY_SECONDS = (5, 15, 60, 300, 900, 3600)
GIVEN_UP_AFTER = timedelta(days=7)
CHUNK = 500
MOST_KEPT = 1000
"""Requests of one peer whose results it has not confirmed; further ones are refused."""
MOST_AT_ONCE = 20
"""Results that are sent again on an association that a peer opens."""

IMPLICIT = "1.2.840.10008.1.2"


class EventType(IntEnum):
    """What a report says (PS3.4 section J.3.3.1)."""

    SUCCESSFUL = 1
    FAILURES_EXIST = 2


class FailureReason(IntEnum):
    """Why an image is not committed to (PS3.3 section C.14)."""

    NO_SUCH_OBJECT_INSTANCE = 0x0112


class ActionStatus(IntEnum):
    """Status codes of our N-ACTION responses (PS3.7 section 10.1.4)."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    INVALID_ARGUMENT = 0x0115
    NO_SUCH_SOP_CLASS = 0x0118
    NO_SUCH_ACTION = 0x0123
    RESOURCE_LIMITATION = 0x0213


ACTION_MEANINGS = {
    ActionStatus.SUCCESS: "the request is kept",
    ActionStatus.PROCESSING_FAILURE: "the database does not answer; ask again",
    ActionStatus.NO_SUCH_OBJECT_INSTANCE: "the SOP instance is not the well-known one",
    ActionStatus.INVALID_ARGUMENT: "the request has no Transaction UID, or names no image",
    ActionStatus.NO_SUCH_SOP_CLASS: "the presentation context is not that of storage commitment",
    ActionStatus.NO_SUCH_ACTION: "the action is not 1, Request Storage Commitment",
    ActionStatus.RESOURCE_LIMITATION: f"the peer has not confirmed the results of {MOST_KEPT:,} requests yet",
}
"""What each status means, for docs/dicom.md."""


Named = tuple[str, str]
"""SOP Class UID and SOP Instance UID of an image that a peer names."""


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """A request for commitment as it is kept."""

    pk: int
    peer: str
    transaction: str
    instances: tuple[Named, ...]
    attempts: int


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """The result of a request."""

    kind: EventType
    dataset: Dataset


def refusal(command: CommandSet, abstract_syntax: str) -> ActionStatus:
    """Return why a request is refused whatever it names, or SUCCESS."""
    if abstract_syntax != STORAGE_COMMITMENT:
        return ActionStatus.NO_SUCH_SOP_CLASS
    if command_set.uid(command, Field.REQUESTED_SOP_INSTANCE_UID) != WELL_KNOWN_INSTANCE.encode():
        return ActionStatus.NO_SUCH_OBJECT_INSTANCE
    if command_set.number(command, Field.ACTION_TYPE_ID) != REQUEST_STORAGE_COMMITMENT:
        return ActionStatus.NO_SUCH_ACTION
    return ActionStatus.SUCCESS


def report_command(message_id: int, report: Report) -> bytes:
    """Return the command set of an N-EVENT-REPORT."""
    return command_set.encode(
        {
            Field.AFFECTED_SOP_CLASS_UID: STORAGE_COMMITMENT.encode(),
            Field.COMMAND_FIELD: Command.N_EVENT_REPORT,
            Field.MESSAGE_ID: message_id,
            Field.COMMAND_DATA_SET_TYPE: 0x0001,
            Field.AFFECTED_SOP_INSTANCE_UID: WELL_KNOWN_INSTANCE.encode(),
            Field.EVENT_TYPE_ID: int(report.kind),
        }
    )


def decode_dataset(untrusted: bytes, transfer_syntax: str) -> Dataset:
    """Decode the dataset of a message, all of it. Raises PeerMisbehaves if it is none."""
    try:
        ds = decode(BytesIO(untrusted), transfer_syntax == IMPLICIT, True)
        ds.walk(lambda *_: None)  # pydicom decodes values when they are asked for
    except (*UNDECODABLE, BytesLengthException, EOFError, OSError, RecursionError):
        raise PeerMisbehaves from None
    return ds


def named_instances(items: Iterable[Dataset]) -> tuple[Named, ...]:
    """Return what a Referenced SOP Sequence names; items without a SOP Instance UID are left out."""
    found = (
        (str(item.get("ReferencedSOPClassUID", "")), str(item.get("ReferencedSOPInstanceUID", ""))) for item in items
    )
    return tuple(dict.fromkeys(named for named in found if named[1]))


def has_too_many(peer: str) -> bool:
    """Return whether a peer has to confirm results before it may ask for more."""
    return Commitment.objects.filter(peer=peer).count() >= MOST_KEPT


def keep_request(peer: str, ds: Dataset) -> Request | None:
    """Keep a request; None if it names no transaction or no image."""
    transaction = str(ds.get("TransactionUID", ""))
    instances = named_instances(ds.get("ReferencedSOPSequence") or ())
    if not transaction or not instances:
        return None
    kept: Phi[Any] = Phi({"transaction": transaction, "instances": instances})
    row = Commitment.objects.create(peer=peer, request=kept, not_before=_after(0))
    return Request(row.pk, peer, transaction, instances, 0)


def due() -> list[Request]:
    """Return the requests whose report is to be sent (again) now."""
    return [_request(row) for row in Commitment.objects.filter(not_before__lte=timezone.now()).order_by("pk")[:CHUNK]]


def oldest_of(peer: str) -> list[Request]:
    """Return a peer's oldest requests, whether they are due or not, for an association that it has opened."""
    return [_request(row) for row in Commitment.objects.filter(peer=peer).order_by("pk")[:MOST_AT_ONCE]]


def _request(row: Commitment) -> Request:
    kept = row.request.reveal()
    instances = tuple((sop_class, instance) for sop_class, instance in kept["instances"])
    return Request(row.pk, row.peer, kept["transaction"], instances, row.attempts)


def postpone(request: Request) -> None:
    """Note that a report was not confirmed; it is sent again later."""
    attempts = request.attempts + 1
    Commitment.objects.filter(pk=request.pk).update(attempts=attempts, not_before=_after(attempts))


def _after(attempts: int) -> datetime:
    return timezone.now() + timedelta(seconds=RETRY_SECONDS[min(attempts, len(RETRY_SECONDS) - 1)])


def forget(request: Request) -> None:
    """Forget a request, because its result was confirmed."""
    Commitment.objects.filter(pk=request.pk).delete()


def give_up() -> int:
    """Forget requests whose result nobody confirmed for a week; returns how many."""
    return Commitment.objects.filter(asked_at__lt=timezone.now() - GIVEN_UP_AFTER).delete()[0]


def assess(request: Request, zones: Iterable[Zone], bringer: int, say: Callable[[Zone], None]) -> Report:
    """Say of each image that a request names whether it is here and durable, and complete the studies it completes.

    Parameters
    ----------
    bringer : int
        The association that brings the request; 0 is none.
    say : callable
        Called with each zone in which a study is complete now.

    Raises
    ------
    OSError
        The disk refuses to make images durable.
    """
    names = {instance.encode("ascii", "replace") for _, instance in request.instances}
    here: set[bytes] = set()
    for zone in zones:
        for landing in zone.studies():
            found = landing.named(names)
            if found:
                landing.sync_all()
                here |= found
                if landing.note(found, Evidence.COMMITMENT, bringer):
                    say(zone)
    here |= _handed_over(sorted(names - here))
    return _report(request, here)


def _handed_over(names: Sequence[bytes]) -> set[bytes]:
    """Return those of the images that are in folders that were handed over."""
    by_digest = {digest(name): name for name in names}
    digests = sorted(by_digest)
    found: set[bytes] = set()
    for start in range(0, len(digests), CHUNK):
        rows = ReceivedInstance.objects.filter(digest__in=digests[start : start + CHUNK])
        found |= {by_digest[one] for one in rows.values_list("digest", flat=True)}
    return found


def _report(request: Request, here: set[bytes]) -> Report:
    kept = [named for named in request.instances if named[1].encode("ascii", "replace") in here]
    missing = [named for named in request.instances if named[1].encode("ascii", "replace") not in here]
    ds = Dataset()
    ds.TransactionUID = request.transaction
    if kept:
        ds.ReferencedSOPSequence = [_item(named) for named in kept]
    if missing:
        ds.FailedSOPSequence = [_item(named) for named in missing]
        for item in ds.FailedSOPSequence:
            item.FailureReason = FailureReason.NO_SUCH_OBJECT_INSTANCE
    return Report(EventType.FAILURES_EXIST if missing else EventType.SUCCESSFUL, ds)


def _item(named: Named) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = named
    return item


def encoded(report: Report, transfer_syntax: str) -> bytes:
    """Encode a report's dataset for a presentation context."""
    return encode(report.dataset, transfer_syntax == IMPLICIT, True) or b""
