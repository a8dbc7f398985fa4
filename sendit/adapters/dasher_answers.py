"""Checks a DASHER identity service's answer against the request. Whatever does not fit is an error of the service and
never used as data; the error names the JSON key, never a value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, NoReturn

from sendit.errors import ServiceRefused
from sendit.phi import Phi
from sendit.ports import IdentityItem, IdentityRequest, IdentityResponse, Pseudonym

MOST_DAYS = 36_525
"""A shift of more than a century is refused as implausible."""

MOST_CHARACTERS = 64
"""The longest value that Patient ID (VR LO, PS3.5 6.2) can hold."""

INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)


def response(untrusted: object, asked: IdentityRequest) -> IdentityResponse:
    """Return the pseudonyms, with items in the order of the request. Raises ServiceRefused("BadIdentityAnswer")."""
    results = _list(untrusted, "results")
    if len(results) != 1:
        _bad("results")
    untrusted_items = _list(results[0], "items") if asked.items or "items" in results[0] else []
    entity = _pseudonym(results[0], asked)
    items = [_pseudonym(*pair) for pair in zip(_in_order(untrusted_items, asked.items), asked.items, strict=True)]
    if any(item.jitter != entity.jitter for item in items):
        _bad("jitter")
    return IdentityResponse(entity, tuple(items))


def joined(asked: IdentityRequest, parts: Sequence[IdentityResponse]) -> IdentityResponse:
    """Join the answers to a request that was sent in parts: they must agree on the patient and tell studies apart."""
    entities = {part.entity for part in parts}
    items = tuple(item for part in parts for item in part.items)
    names = [_name(item) for item in asked.items]
    suids = {name: item.suid for name, item in zip(names, items, strict=True)}
    is_repeated = all(suids[name] == item.suid for name, item in zip(names, items, strict=True))
    if len(entities) != 1 or len(set(suids.values())) != len(suids) or not is_repeated:
        _bad("suid")
    return IdentityResponse(entities.pop(), items)


def _in_order(untrusted_items: list[Any], asked: Sequence[IdentityItem]) -> list[Any]:
    names = [(_text(item, "id").strip(), _text(item, "id_source")) for item in untrusted_items]
    wanted = [_name(item) for item in asked]
    if names == wanted:
        return untrusted_items
    by_name = dict(zip(names, untrusted_items, strict=True))
    if len(by_name) != len(names) or sorted(names) != sorted(wanted):
        _bad("id")
    return [by_name[name] for name in wanted]


def _pseudonym(untrusted: Any, asked: IdentityRequest | IdentityItem) -> Pseudonym:
    if _text(untrusted, "id").strip() != asked.id.reveal():
        _bad("id")
    if _text(untrusted, "id_source") != asked.id_source:
        _bad("id_source")
    jitter = _days(untrusted)
    return Pseudonym(_suid(untrusted, asked.id), jitter, _timestamp(untrusted, asked.timestamp, jitter))


def _suid(untrusted: Any, asked: Phi[str]) -> str:
    """Return the pseudonym, which must be opaque and must not be the identifier itself."""
    suid = _text(untrusted, "suid")
    if not re.fullmatch(rf"[A-Za-z0-9_-]{{1,{MOST_CHARACTERS}}}", suid) or suid.lower() == asked.reveal().lower():
        _bad("suid")
    return suid


def _days(untrusted: Any) -> int:
    """Return the date shift; 0 is refused, because it would leave the dates as they are."""
    jitter = _value(untrusted, "jitter")
    if type(jitter) is not int or not 0 < abs(jitter) <= MOST_DAYS:
        _bad("jitter")
    return jitter


def _timestamp(untrusted: Any, asked: Phi[str] | None, jitter: int) -> str | None:
    """Return the shifted instant, which must be moved by exactly the shift; None where it leaves the calendar."""
    if asked is None or _value(untrusted, "jittered_timestamp") is None:
        return None
    text = _text(untrusted, "jittered_timestamp")
    matched = INSTANT.fullmatch(text)
    try:
        is_right = matched and date.fromisoformat(matched[1]) == _date(asked) + timedelta(days=jitter)
    except (ValueError, OverflowError):
        is_right = False
    if not is_right:
        _bad("jittered_timestamp")
    return text


def _date(asked: Phi[str]) -> date:
    return date.fromisoformat(asked.reveal()[:10])


def _name(item: IdentityItem) -> tuple[str, str]:
    return item.id.reveal(), item.id_source


def _list(untrusted: Any, key: str) -> list[Any]:
    values = _value(untrusted, key)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        _bad(key)
    return values


def _text(untrusted: Any, key: str) -> str:
    text = _value(untrusted, key)
    if not isinstance(text, str):
        _bad(key)
    return text


def _value(untrusted: Any, key: str) -> Any:
    if not isinstance(untrusted, dict) or key not in untrusted:
        _bad(key)
    return untrusted[key]


def _bad(key: str) -> NoReturn:
    raise ServiceRefused("BadIdentityAnswer", subject=key)
