"""DASHER's JSON on the service's side: parses a body into requests and makes an answer of responses. Unknown fields,
such as `custom_fields`, are ignored.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from sendit.errors import ServiceRefused
from sendit.phi import Phi
from sendit.ports import IdentityItem, IdentityRequest, IdentityResponse, Pseudonym

MOST_ENTITIES = 100
MOST_ITEMS = 1_000
MOST_CHARACTERS = 256
STUDY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""The form of a collection's name; nothing else of a URL is stored."""


def questions(study: str, untrusted_body: bytes) -> list[IdentityRequest]:
    """Parse a body into one request per patient. Raises ServiceRefused("BadIdentityRequest")."""
    entities = _list(_object(untrusted_body).get("identifiers"), MOST_ENTITIES)
    if not STUDY.fullmatch(study) or not entities:
        _bad()
    return [_question(study, entity) for entity in entities]


def refresh_token(untrusted_body: bytes) -> str:
    """Parse a body that holds the refresh token to be replaced."""
    return _text(_object(untrusted_body).get("refreshToken"))


def answer(asked: list[IdentityRequest], responses: list[IdentityResponse]) -> dict[str, Any]:
    """Return the answer's JSON, which repeats the ids as they were sent."""
    return {"results": [_entity(*pair) for pair in zip(asked, responses, strict=True)]}


def _entity(asked: IdentityRequest, response: IdentityResponse) -> dict[str, Any]:
    items = [_record(*pair) for pair in zip(asked.items, response.items, strict=True)]
    return _record(asked, response.entity) | {"items": items}


def _record(asked: IdentityRequest | IdentityItem, pseudonym: Pseudonym) -> dict[str, Any]:
    record = {
        "id": asked.id.reveal(),
        "id_source": asked.id_source,
        "suid": pseudonym.suid,
        "jitter": pseudonym.jitter,
    }
    return record | ({"jittered_timestamp": pseudonym.timestamp} if asked.timestamp else {})


def _question(study: str, untrusted: dict[str, Any]) -> IdentityRequest:
    items = (_named(item) for item in _list(untrusted.get("items", []), MOST_ITEMS))
    return IdentityRequest(study, *_named(untrusted), items=tuple(IdentityItem(*item) for item in items))


def _named(untrusted: dict[str, Any]) -> tuple[Phi[str], str, Phi[str] | None]:
    timestamp = untrusted.get("id_timestamp")
    moment = None if timestamp is None else Phi(_text(timestamp))
    return Phi(_text(untrusted.get("id"))), _text(untrusted.get("id_source")), moment


def _object(untrusted_body: bytes) -> dict[str, Any]:
    try:
        untrusted = json.loads(untrusted_body)
    except (ValueError, RecursionError):
        untrusted = None
    if not isinstance(untrusted, dict):
        _bad()
    return untrusted


def _list(untrusted: object, most: int) -> list[dict[str, Any]]:
    if not isinstance(untrusted, list) or len(untrusted) > most or not all(isinstance(one, dict) for one in untrusted):
        _bad()
    return untrusted


def _text(untrusted: object) -> str:
    if not isinstance(untrusted, str) or not 0 < len(untrusted.strip()) <= len(untrusted) <= MOST_CHARACTERS:
        _bad()
    try:
        untrusted.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # JSON can name half of a surrogate pair; only bytes of a file name may look like one
        _bad()
    return untrusted


def _bad() -> NoReturn:
    raise ServiceRefused("BadIdentityRequest")
