"""Health checks: whether this process lives, and whether the services that it needs answer."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, JsonResponse

from sendit.pipeline.reports.readiness import WELL, readiness


def alive(request: HttpRequest) -> JsonResponse:
    """Answer `GET /healthz`. It depends on nothing, so that no process is restarted because the database is away."""
    return JsonResponse({"status": WELL})


def ready(request: HttpRequest) -> JsonResponse:
    """Answer `GET /readyz`: 200 if database and broker answer, or 503 with the code of what does not."""
    found = readiness(settings.SITE.secrets_folder)
    is_well = all(code == WELL for code in found.values())
    return JsonResponse(found, status=200 if is_well else 503)
