"""Users whom a proxy has signed in: it names them in a header, which counts only beside the proxy's own secret.

Whoever reaches the page past the proxy can write any header, but does not know the secret.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse

from sendit.audit.acts import Act
from sendit.web.models import User
from sendit.web.noting import note
from sendit.web.site import site

SECRET_HEADER = "X-Sendit-Proxy-Secret"
BACKEND = "django.contrib.auth.backends.ModelBackend"
BY_PROXY = "by_proxy"
"""The key of a session that a proxy's header has begun; it ends when the proxy names nobody, or somebody else."""


class ProxyUserMiddleware:
    """Signs in whom the proxy names, where the settings say that there is such a proxy."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if site().web_user_header and site().web_proxy_secret:
            _follow(request, _named(request))
        return self._get_response(request)


def _follow(request: HttpRequest, named: User | None) -> None:
    """Let the session be that of the user whom the proxy names."""
    is_by_proxy = request.session.get(BY_PROXY, False)
    if named is None:
        if is_by_proxy:
            logout(request)
    elif request.user != named:
        login(request, named, BACKEND)
        request.session[BY_PROXY] = True
        note(request, Act.SIGN_IN, reason="by the proxy")


def _named(request: HttpRequest) -> User | None:
    """Return the user whom a proxy that shows the secret names, if an admin has added and not disabled that user."""
    shown = request.headers.get(SECRET_HEADER, "")
    if not hmac.compare_digest(shown.encode(errors="replace"), site().web_proxy_secret.encode()):
        return None
    name = request.headers.get(site().web_user_header, "")
    return User.objects.filter(name=name, is_active=True).first() if name else None
