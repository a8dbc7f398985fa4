"""Whether this process lives, and whether what it needs is there."""

from __future__ import annotations

import sys

from django.conf import settings
from django.http import HttpRequest, JsonResponse

from sendit.errors import place_of
from sendit.ground import events
from sendit.pipeline.reports.readiness import WELL, readiness


def alive(request: HttpRequest) -> JsonResponse:
    """`GET /healthz`: the process answers. Asks nobody, so a database that is away restarts nothing."""
    return JsonResponse({"status": WELL})


def ready(request: HttpRequest) -> JsonResponse:
    """`GET /readyz`: 200 when database and broker answer, 503 with the code of what does not."""
    found = readiness(settings.SITE.secrets_folder)
    is_well = all(code == WELL for code in found.values())
    return JsonResponse(found, status=200 if is_well else 503)


def no_such_address(request: HttpRequest, exception: Exception) -> JsonResponse:
    """In place of Django's page, which quotes the address."""
    return JsonResponse({"error": "NoSuchAddress"}, status=404)


def failed(request: HttpRequest) -> JsonResponse:
    """In place of Django's page."""
    error = sys.exc_info()[1]
    if error is not None:
        events.log("web.failed", failure=type(error).__name__, place=place_of(error))
    return JsonResponse({"error": "UnexpectedFailure"}, status=500)
