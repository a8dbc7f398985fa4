"""When a session ends: a while after the person last did something, and in any case after a working day.

A page that looks for news by itself is no sign of a person.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

from sendit.web.site import site

BEGAN, SEEN = "began", "seen"
SECONDS_OF_A_WORKING_DAY = 12 * 3600
NOTED_EVERY_SECONDS = 60
"""The session is not written for each click."""


class SessionEndMiddleware:
    """Ends sessions that are over."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            _look_at(request, time.time())
        return self._get_response(request)


def _look_at(request: HttpRequest, now: float) -> None:
    session = request.session
    began, seen = session.setdefault(BEGAN, now), session.setdefault(SEEN, now)
    if now - seen > site().web_session_minutes * 60 or now - began > SECONDS_OF_A_WORKING_DAY:
        logout(request)
    elif now - seen > NOTED_EVERY_SECONDS and not is_poll(request):
        session[SEEN] = now


def is_poll(request: HttpRequest) -> bool:
    """Return whether a page asks by itself, not a person."""
    return request.headers.get("X-Sendit-Poll") == "1"
