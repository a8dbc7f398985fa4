"""Errors of the API as problem details (RFC 9457), with sendit's own codes."""

from __future__ import annotations

import json
from http import HTTPStatus

from django.http import HttpResponse

from sendit.errors import CODES, SenditError

PROBLEM = "application/problem+json"

STATUS_OF_KIND = {
    "DataFault": 422,
    "Misconfigured": 422,
    "ServiceDown": 503,
    "ServiceRefused": 502,
    "BrokenPromise": 500,
}
"""The HTTP status of an error by whose move is next."""

OWN: dict[str, tuple[int, str]] = {
    "NotSignedIn": (401, "The request has no valid token. Send `Authorization: Bearer` with one."),
    "NotAllowed": (403, "The token's scopes, or its user's roles, do not allow this."),
    "NothingHere": (404, "There is no such thing."),
    "WrongMethod": (405, "This address is not used in this way."),
    "NotAsDescribed": (422, "The request is not as the description of the API says."),
    "UnderWay": (409, "An operation with this Idempotency-Key is under way."),
    "KeyUsed": (422, "This Idempotency-Key belongs to another request."),
}
"""Problems of the API itself."""


class NothingHere(Exception):
    """There is no such batch."""


def problem(code: str) -> HttpResponse:
    """Return one of the API's own problems."""
    status, detail = OWN[code]
    return _problem(status, code, detail)


def of_error(error: SenditError) -> HttpResponse:
    """Return an error of sendit's; its sentences hold no value."""
    entry = CODES[error.code]
    return _problem(STATUS_OF_KIND[error.kind], error.code, f"{entry.what} {entry.then}")


def _problem(status: int, code: str, detail: str) -> HttpResponse:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return HttpResponse(json.dumps(body), status=status, content_type=PROBLEM, headers=headers)
