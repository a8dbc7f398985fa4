"""The two calls of DASHER's API, and a health check. They take and return JSON; an error quotes nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.http.request import UnreadablePostError

from sendit.errors import BrokenPromise, Misconfigured, SenditError, ServiceDown, ServiceRefused, place_of
from sendit.ground import events
from sendit.ground.database import AWAY
from sendit.identity_service import tokens, wire
from sendit.identity_service.audit import TOKENS, UID, audited
from sendit.identity_service.models import Client
from sendit.identity_service.patience import waiting_for_body
from sendit.ports import IdentityService
from sendit.projects import composition

MOST_BYTES = 2_000_000
"""The most bytes of a request's body; a thousand items take a tenth of it."""

RETRY_AFTER_SECONDS = 5

STATUSES = {
    "BadIdentityRequest": 400,
    "UnknownTokens": 401,
    "TokenReused": 401,
    "NoSuchCall": 404,
    "WrongMethod": 405,
    "TooManyBytes": 413,
    "NotJson": 415,
    "UnexpectedFailure": 500,
}
"""The HTTP status of each code. Any other code is a fault of the service: 503, and the client retries."""

View = Callable[..., JsonResponse]


def answering(view: View) -> View:
    """Turn a view's errors into JSON with a code and a sentence, and the matching status."""

    @wraps(view)
    def answered(request: HttpRequest, **arguments: str) -> JsonResponse:
        try:
            return view(request, **arguments)
        except SenditError as error:
            return _refusal(error)
        except AWAY:
            return _refusal(ServiceDown("DatabaseDown"))

    return answered


@answering
def identify(request: HttpRequest, study: str) -> JsonResponse:
    """Answer `POST /identifiers/api/v1/uid/{study}` with pseudonyms for patients and their studies."""
    with audited(UID) as entry:
        client = entry.client = tokens.client_of(_bearer(request))
        asked = wire.questions(study, _json_body(request))
        entry.about(study, asked)
        service = _service_for(client)
        responses = [service.identify(one) for one in asked]
    return _json(wire.answer(asked, responses))


@answering
def refresh(request: HttpRequest) -> JsonResponse:
    """Answer `POST /token/api/v1/refresh` with two new tokens; the old two become invalid."""
    with audited(TOKENS) as entry:
        shown = wire.refresh_token(_json_body(request))
        entry.client = tokens.holder_of(shown)
        new = tokens.renew(entry.client, shown)
        if new is None:
            raise ServiceRefused("TokenReused")
    return _json({"accessToken": new.access, "refreshToken": new.refresh})


@answering
def health(request: HttpRequest) -> JsonResponse:
    """Answer `GET /healthz` with 200 if the database answers."""
    Client.objects.exists()
    return _json({"status": "ok"})


def no_such_call(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer a request to any other URL."""
    return _refusal(ServiceRefused("NoSuchCall"))


def failed(request: HttpRequest) -> JsonResponse:
    """Answer a request that ended in an unexpected error, and log the error's place."""
    error = sys.exc_info()[1]
    if error is not None:
        events.log("identity.failed", failure=type(error).__name__, place=place_of(error))
    return _refusal(BrokenPromise("UnexpectedFailure"))


def _service_for(client: Client) -> IdentityService:
    """Return the local service, if its key and shifts are those that this client's earlier answers were made with."""
    key, longest_shift = composition.pseudonym_key(settings.SITE), settings.SITE.max_date_shift_days
    if client.answered_by != tokens.answered_by(key, longest_shift):
        raise Misconfigured("BadKey", subject="pseudonym.key")
    return composition.local_identity_service(key, longest_shift)


def _bearer(request: HttpRequest) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _json_body(request: HttpRequest) -> bytes:
    if request.method != "POST":
        raise ServiceRefused("WrongMethod")
    if request.content_type != "application/json":
        raise ServiceRefused("NotJson")
    if _length(request) > MOST_BYTES:
        raise ServiceRefused("TooManyBytes")
    try:
        with waiting_for_body(request):
            return request.body
    except UnreadablePostError:
        pass
    raise ServiceRefused("BadIdentityRequest")


def _length(request: HttpRequest) -> int:
    text = request.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _refusal(error: SenditError) -> JsonResponse:
    status = STATUSES.get(error.code, 503)
    response = _json({"error": error.code, "message": str(error)}, status)
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    if status == 405:
        response["Allow"] = "POST"
    if status == 503:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _json(content: dict[str, Any], status: int = 200) -> JsonResponse:
    return JsonResponse(content, status=status, headers={"Cache-Control": "no-store"})
