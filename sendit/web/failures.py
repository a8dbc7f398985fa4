"""What is answered where no view could: no such address, a form that is not ours, an error."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse

from sendit.errors import place_of
from sendit.ground import database, events
from sendit.web import answers, problems


def no_such_address(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request to any other URL, in place of Django's page, which quotes the URL."""
    if request.path.startswith("/api/"):
        return problems.problem("NothingHere")
    if _is_browser(request):
        return answers.refused(request, 404)
    return JsonResponse({"error": "NoSuchAddress"}, status=404)


def failed(request: HttpRequest) -> HttpResponse:
    """Answer a request that failed, in place of Django's page, and log the place of the error."""
    error = sys.exc_info()[1]
    if isinstance(error, database.AWAY):
        database.reconnect()
        return _failure(request, 503, "DatabaseDown")
    if error is not None:
        events.log("web.failed", failure=type(error).__name__, place=place_of(error))
    return _failure(request, 500, "UnexpectedFailure")


def _failure(request: HttpRequest, status: int, code: str) -> HttpResponse:
    if _is_browser(request):
        return answers.failed_without_session(status)
    return JsonResponse({"error": code}, status=status)


def stranger(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form without this session's token."""
    return answers.refused(request, 403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that is malformed, or for another host, in place of Django's page."""
    return HttpResponse("400\n", status=400, content_type="text/plain")


def _is_browser(request: HttpRequest) -> bool:
    return "text/html" in request.headers.get("Accept", "")
