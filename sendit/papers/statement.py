"""The signed statement of a delivery: an in-toto Statement (v1) in a DSSE envelope, one line of JSON.

Its subjects are the archive, both forms of its report, and every image in it; its predicate says how they were made. It
holds no time, and nothing that the report beside it does not say to the same people, but who released an image.
https://in-toto.io/Statement/v1, https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sendit.papers.signing import PublicKey, SigningKey

Bytes = bytes | bytearray

SUFFIX = "intoto.jsonl"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://github.com/pydicom/sendit/delivery/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
PIECE_BYTES = 3 << 18
"""What becomes base64 at a time; a multiple of three."""
REPORTED = (
    "archive", "CodedPatientID", "CodedAccessionNumberID", "part", "files", "recipe", "profile", "verification",
    "software",
)  # fmt: skip
"""What the predicate repeats of the report, so that either shows what was changed in the other."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A file that the statement is about; an image of an archive also has its place there."""

    name: str
    sha256: str
    offset: int | None = None
    length: int | None = None


def make_statement(subjects: Iterable[Subject], predicate: Mapping[str, Any]) -> bytearray:
    """Return the statement's bytes, the same for the same content. There may be many thousand subjects."""
    told = bytearray(f'{{"_type":"{STATEMENT_TYPE}","subject":['.encode())
    for number, one in enumerate(subjects):
        told += b"," if number else b""
        told += _encoded(_descriptor(one))
    told += f'],"predicateType":"{PREDICATE_TYPE}","predicate":'.encode()
    told += _encoded(predicate)
    told += b"}"
    return told


def _descriptor(subject: Subject) -> dict[str, Any]:
    """A ResourceDescriptor of in-toto."""
    told: dict[str, Any] = {"name": subject.name, "digest": {"sha256": subject.sha256}}
    if subject.offset is not None:
        told["annotations"] = {"offset": subject.offset, "length": subject.length}
    return told


def sign(statement: Bytes, key: SigningKey) -> Iterator[bytes]:
    """Return the envelope, a line of JSON, in pieces."""
    signature = base64.b64encode(key.sign(pre_authentication(PAYLOAD_TYPE, statement)))
    return _envelope(statement, key.public.key_id, signature)


def _envelope(payload: Bytes, key_id: str, signature: bytes) -> Iterator[bytes]:
    yield f'{{"payloadType":"{PAYLOAD_TYPE}","payload":"'.encode()
    for begin in range(0, len(payload), PIECE_BYTES):
        yield base64.b64encode(payload[begin : begin + PIECE_BYTES])
    yield b'","signatures":[{"keyid":"%s","sig":"%s"}]}\n' % (key_id.encode(), signature)


def pre_authentication(payload_type: str, payload: Bytes) -> bytes:
    """Return what DSSE has signed: PAE of the type and the payload."""
    kind = payload_type.encode()
    return b" ".join((b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload))


def _encoded(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode()


# ---------------------------------------------------------------------------------------------- reading


class NotAStatement(ValueError):
    """The bytes are not an envelope with a statement of sendit's; its text names the field."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as it was read, and what is wrong with its envelope and signature."""

    subjects: tuple[Subject, ...]
    predicate: Mapping[str, Any]
    key_id: str
    problems: tuple[str, ...]


def read(untrusted: bytes, keys: Iterable[PublicKey]) -> Statement:
    """Read an envelope, and verify it with the site's public keys.

    Raises
    ------
    NotAStatement
        It cannot be read; then nothing can be said of what it was about.
    """
    envelope = _object(untrusted, "envelope")
    payload = _base64(envelope.get("payload"), "payload")
    signatures = envelope.get("signatures")
    if not (isinstance(signatures, list) and len(signatures) == 1 and isinstance(signatures[0], dict)):
        raise NotAStatement("signatures")
    signature, key_id = signatures[0].get("sig"), str(signatures[0].get("keyid"))
    problems = list(_problems_of_signature(envelope, payload, signature, key_id, tuple(keys)))
    if not problems and untrusted != b"".join(_envelope(payload, key_id, base64.b64encode(_base64(signature, "sig")))):
        problems.append("the envelope is not written as sendit writes it, though its signature is good")
    return _statement(payload, key_id, tuple(problems))


def _problems_of_signature(
    envelope: Mapping[str, Any], payload: bytes, signature: Any, key_id: str, keys: tuple[PublicKey, ...]
) -> Iterable[str]:
    kind = envelope.get("payloadType")
    if kind != PAYLOAD_TYPE:
        yield f"payloadType is not {PAYLOAD_TYPE}"
    try:
        signed = _base64(signature, "sig")
    except NotAStatement:
        yield "signatures.sig is not a signature"
        return
    message = pre_authentication(PAYLOAD_TYPE, payload)
    maker = next((key for key in keys if key.verifies(signed, message)), None)
    if maker is None:
        yield "signatures.sig: no key that was given made this signature over this payload"
    if key_id not in {key.key_id for key in ([maker] if maker else keys)}:
        yield "signatures.keyid names another key"


def _statement(payload: bytes, key_id: str, problems: tuple[str, ...]) -> Statement:
    told = _object(payload, "payload")
    named = {"_type": STATEMENT_TYPE, "predicateType": PREDICATE_TYPE}
    wrong = tuple(f"{name} is not {expected}" for name, expected in named.items() if told.get(name) != expected)
    predicate, subjects = told.get("predicate"), told.get("subject")
    if not (isinstance(predicate, dict) and isinstance(subjects, list) and subjects):
        raise NotAStatement("payload")
    return Statement(tuple(map(_subject, subjects)), predicate, key_id, (*problems, *wrong))


def _subject(untrusted: Any) -> Subject:
    try:
        name, sha256 = untrusted["name"], untrusted["digest"]["sha256"]
        place = untrusted.get("annotations", {})
        offset, length = place.get("offset"), place.get("length")
    except (KeyError, TypeError, AttributeError):
        raise NotAStatement("payload.subject") from None
    numbers = {type(offset), type(length)}
    if not (isinstance(name, str) and isinstance(sha256, str) and numbers in ({int}, {type(None)})):
        raise NotAStatement("payload.subject")
    return Subject(name, sha256, offset, length)


def _object(untrusted: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(untrusted)
    except json.JSONDecodeError as error:
        raise NotAStatement(f"{where}, character {error.pos}") from None
    except (ValueError, RecursionError):
        raise NotAStatement(where) from None
    if not isinstance(found, dict):
        raise NotAStatement(where)
    return found


def _base64(untrusted: Any, where: str) -> bytes:
    try:
        return base64.b64decode(untrusted, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise NotAStatement(where) from None
