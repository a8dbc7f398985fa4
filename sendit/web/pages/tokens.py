"""Tokens: which programs may ask the API, for whom, for what and until when."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from sendit.audit.acts import Act
from sendit.web import answers, notices
from sendit.web import tokens as keeping
from sendit.web.models import ApiToken, User
from sendit.web.noting import note
from sendit.web.tokens import MEANINGS, Scope

DAYS = 90


def tokens(request: HttpRequest) -> HttpResponse:
    """Answer `/tokens`: the list, and a new token, which is shown once."""
    fresh = ""
    if request.method == "POST":
        fresh = _add(request)
        if not fresh:
            return redirect("tokens")
    context = {
        "tokens": ApiToken.objects.order_by("-pk").select_related("user")[:500],
        "users": User.objects.filter(is_active=True).order_by("name"),
        "scopes": list(MEANINGS.items()),
        "days": DAYS,
        "fresh": fresh,
        "now": timezone.now(),
        "notices": notices.take(request),
    }
    return render(request, "web/tokens.html", context)


def _add(request: HttpRequest) -> str:
    user = User.objects.filter(name=request.POST.get("user", ""), is_active=True).first()
    scopes = [Scope(scope) for scope in request.POST.getlist("scopes") if scope in set(Scope)]
    name, days = request.POST.get("name", "").strip()[:64], request.POST.get("days", "")
    if user is None or not scopes or not name or not (days.isascii() and days.isdigit() and len(days) < 6):
        notices.give(request, "A token needs a name, a user, a scope and a number of days.", is_problem=True)
        return ""
    note(request, Act.CHANGE_TOKEN, users=[user.name], reason=f"made a token: {', '.join(sorted(scopes))}")
    return keeping.add(user, name, scopes, int(days))


def revoke(request: HttpRequest, key: int) -> HttpResponse:
    """Answer `POST /tokens/<key>/revoke`."""
    token = keeping.revoke(key)
    if token is None:
        return answers.refused(request, 404)
    note(request, Act.CHANGE_TOKEN, users=[token.user.name], reason="revoked a token")
    notices.give(request, "The token is no longer valid.")
    return redirect("tokens")
