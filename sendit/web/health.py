"""Health checks: whether this process lives, and whether the services that it needs answer."""

from __future__ import annotations

import sys

from django.conf import settings
from django.http import HttpRequest, JsonResponse

from sendit.errors import place_of
from sendit.ground import events
from sendit.pipeline.reports.readiness import WELL, readiness


def alive(request: HttpRequest) -> JsonResponse:
    """Answer `GET /healthz`. It depends on nothing, so that no process is restarted because the database is away."""
    return JsonResponse({"status": WELL})


def ready(request: HttpRequest) -> JsonResponse:
    """Answer `GET /readyz`: 200 if database and broker answer, or 503 with the code of what does not."""
    found = readiness(settings.SITE.secrets_folder)
    is_well = all(code == WELL for code in found.values())
    return JsonResponse(found, status=200 if is_well else 503)


def no_such_address(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer a request to any other URL, in place of Django's page, which quotes the URL."""
    return JsonResponse({"error": "NoSuchAddress"}, status=404)


def failed(request: HttpRequest) -> JsonResponse:
    """Answer a request that failed, in place of Django's page, and log the place of the error."""
    error = sys.exc_info()[1]
    if error is not None:
        events.log("web.failed", failure=type(error).__name__, place=place_of(error))
    return JsonResponse({"error": "UnexpectedFailure"}, status=500)
