"""Whether this process lives, and whether what it needs is there."""

from __future__ import annotations

import sys
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, JsonResponse

from sendit.errors import SenditError, ServiceDown, place_of
from sendit.ground import database, events
from sendit.pipeline.record import key_bindings
from sendit.pipeline.workforce import choice

WELL = "ok"


def alive(request: HttpRequest) -> JsonResponse:
    """`GET /healthz`: the process answers. Asks nobody, so a database that is away restarts nothing."""
    return JsonResponse({"status": WELL})


def ready(request: HttpRequest) -> JsonResponse:
    """`GET /readyz`: 200 when database and broker answer, 503 with the code of what does not."""
    checks = {name: _code_of(check) for name, check in CHECKS.items()}
    is_well = all(code == WELL for code in checks.values())
    return JsonResponse(checks, status=200 if is_well else 503)


def _code_of(check: Callable[[], object]) -> str:
    try:
        check()
    except SenditError as error:
        return error.code
    except database.AWAY:
        database.reconnect()
        return "DatabaseDown"
    return WELL


def _ensure_current() -> None:
    if not database.is_current():
        raise ServiceDown("DatabaseOutdated")
    key_bindings.ensure_not_exchanged(settings.SITE.secrets_folder)


CHECKS: dict[str, Callable[[], object]] = {"database": _ensure_current, "broker": choice.messages}


def no_such_address(request: HttpRequest, exception: Exception) -> JsonResponse:
    """In place of Django's page, which quotes the address."""
    return JsonResponse({"error": "NoSuchAddress"}, status=404)


def failed(request: HttpRequest) -> JsonResponse:
    """In place of Django's page."""
    error = sys.exc_info()[1]
    if error is not None:
        events.log("web.failed", failure=type(error).__name__, place=place_of(error))
    return JsonResponse({"error": "UnexpectedFailure"}, status=500)
