"""Negotiation of an association (PS3.8 section 7.1): pynetdicom reads and writes the PDUs, we say what is accepted."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification
from pynetdicom.pdu_primitives import ImplementationVersionNameNotification as ImplementationVersionName
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor

from sendit.deid.stream.encodings import transfer_syntax
from sendit.errors import DataFault
from sendit.receiving.wire.pdus import LONGEST_PDU, PeerMisbehaves

VERIFICATION = "1.2.840.10008.1.1"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"
INSTANCE_AVAILABILITY = "1.2.840.10008.5.1.4.33"
SERVICES = (VERIFICATION, STORAGE_COMMITMENT, PERFORMED_PROCEDURE_STEP, INSTANCE_AVAILABILITY)
"""The SOP classes beside those of storage."""
STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
STANDARD_ROOT = "1.2.840.10008."
ELSEWHERE = frozenset(
    {
        "1.2.840.10008.5.1.1.27",
        "1.2.840.10008.5.1.1.29",
        "1.2.840.10008.5.1.1.30",
        "1.2.840.10008.5.1.4.34.1",
        "1.2.840.10008.5.1.4.34.7",
        "1.2.840.10008.5.1.4.34.10",
    }
)
"""SOP classes of a patient's objects that PS3.6 lists outside of `STORAGE_ROOT`."""

IMPLEMENTATION_CLASS_UID = "2.25.274937293331311019516554461518005896459"
IMPLEMENTATION_VERSION_NAME = "SENDIT"

UNDECODABLE = (ValueError, LookupError, TypeError, AttributeError, NotImplementedError, AssertionError, struct.error)
"""What pynetdicom and pydicom raise for bytes that are not what they should be."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 table 9-21)."""

    result: int
    source: int
    reason: int
    why: str
    """A word for the log."""
    meaning: str
    """For docs/dicom.md."""


CALLED_UNKNOWN = Rejection(1, 1, 7, "called", "called AE title not recognized: no peer calls us by it")
CALLING_UNKNOWN = Rejection(
    1, 1, 3, "calling", "calling AE title not recognized: no peer of that name calls this title from this address"
)
CONTEXT_UNKNOWN = Rejection(1, 1, 2, "application", "application context name not supported")
VERSION_UNKNOWN = Rejection(1, 2, 2, "version", "protocol version not supported")
TOO_MANY = Rejection(
    2, 3, 2, "limit", "local limit exceeded: LISTENER_MAX_ASSOCIATIONS, or LISTENER_MAX_ASSOCIATIONS_PER_ADDRESS"
)
REJECTIONS = (CALLED_UNKNOWN, CALLING_UNKNOWN, CONTEXT_UNKNOWN, VERSION_UNKNOWN, TOO_MANY)


@dataclass(frozen=True, slots=True)
class Request:
    """What an A-ASSOCIATE-RQ asks for."""

    called: str
    calling: str
    longest_pdu: int
    """Bytes that the peer takes in a P-DATA-TF PDU; 0 is any number."""
    primitive: A_ASSOCIATE


def decode_request(body: bytes) -> Request | Rejection:
    """Read the body of an A-ASSOCIATE-RQ. Raises PeerMisbehaves if it cannot be decoded."""
    if len(body) < 68:
        raise PeerMisbehaves
    if not int.from_bytes(body[:2], "big") & 1:
        return VERSION_UNKNOWN
    pdu = A_ASSOCIATE_RQ()
    try:
        pdu.decode(struct.pack(">BxI", 1, len(body)) + body)
        primitive = pdu.to_primitive()
        name = primitive.application_context_name
        called, calling = primitive.called_ae_title.strip(), primitive.calling_ae_title.strip()
        longest = primitive.maximum_length_received or 0
        contexts = primitive.presentation_context_definition_list
        is_whole = all(context.abstract_syntax and context.transfer_syntax for context in contexts)
    except UNDECODABLE:
        raise PeerMisbehaves from None
    if name != "1.2.840.10008.3.1.1.1":
        return CONTEXT_UNKNOWN
    if not contexts or not is_whole or 0 < longest < 64:
        raise PeerMisbehaves
    return Request(called, calling, longest, primitive)


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context."""

    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The A-ASSOCIATE-AC to send, and the contexts that it accepts, by their id."""

    pdu: bytes
    contexts: dict[int, Context]


def accept(request: Request) -> Acceptance:
    """Accept what we can of a request; in each context the first transfer syntax proposed that we can read."""
    results = [_result(context) for context in request.primitive.presentation_context_definition_list]
    primitive = A_ASSOCIATE()
    primitive.application_context_name = request.primitive.application_context_name
    primitive.calling_ae_title = request.primitive.calling_ae_title
    primitive.called_ae_title = request.primitive.called_ae_title
    primitive.result, primitive.result_source = 0, 1
    primitive.presentation_context_definition_results_list = results
    primitive.user_information = user_information()
    pdu = A_ASSOCIATE_AC()
    pdu.from_primitive(primitive)
    accepted = {
        context.context_id: Context(str(context.abstract_syntax), str(context.transfer_syntax[0]))
        for context in results
        if context.result == 0 and context.context_id is not None
    }
    return Acceptance(pdu.encode(), accepted)


def user_information() -> list[Any]:
    """Return what we say of ourselves in any negotiation."""
    longest, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    longest.maximum_length_received = LONGEST_PDU
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionName()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    return [longest, implementation, version]


def _result(proposed: PresentationContext) -> PresentationContext:
    """Let the library negotiate one context against what we support of it."""
    supported = PresentationContext()
    if proposed.abstract_syntax is not None and is_supported(str(proposed.abstract_syntax)):
        supported.abstract_syntax = proposed.abstract_syntax
        readable = [syntax for syntax in proposed.transfer_syntax if _is_acceptable(proposed.abstract_syntax, syntax)]
        supported.transfer_syntax = [*readable] or [UID(IMPLEMENTATION_CLASS_UID)]  # which nobody can have proposed
        results, _ = negotiate_as_acceptor([proposed], [supported])
    else:
        results, _ = negotiate_as_acceptor([proposed], [])
    return results[0]


def _is_acceptable(abstract_syntax: str, syntax: str) -> bool:
    """Images come in any syntax that we can read; the datasets of services only in the two little endian ones."""
    if is_storage(str(abstract_syntax)):
        return is_readable(str(syntax))
    return str(syntax) in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")


@lru_cache(maxsize=512)
def is_readable(syntax: str) -> bool:
    """Return whether the header of an image in this transfer syntax can be read."""
    try:
        transfer_syntax(syntax.encode())
    except DataFault:
        return False
    return True


def is_supported(abstract_syntax: str) -> bool:
    return abstract_syntax in SERVICES or is_storage(abstract_syntax)


@lru_cache(maxsize=512)
def is_storage(abstract_syntax: str) -> bool:
    """Return whether a SOP class is one of a patient's objects: a standard one, retired or new, or a private one."""
    if not abstract_syntax.startswith(STANDARD_ROOT):
        return True
    if abstract_syntax in ELSEWHERE:
        return True
    name, kind = UID_dictionary.get(abstract_syntax, ("Storage", "SOP Class"))[:2]
    is_known_otherwise = kind != "SOP Class" or (name != "" and "Storage" not in name)
    return abstract_syntax.startswith(STORAGE_ROOT) and not is_known_otherwise


def reject(rejection: Rejection) -> bytes:
    """Return an A-ASSOCIATE-RJ."""
    primitive = A_ASSOCIATE()
    primitive.result, primitive.result_source = rejection.result, rejection.source
    primitive.diagnostic = rejection.reason
    pdu = A_ASSOCIATE_RJ()
    pdu.from_primitive(primitive)
    return pdu.encode()
