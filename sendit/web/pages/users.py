"""Users: who may sign in, with which roles. A user's first password is chosen by the user, through a one-time link."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from sendit.audit.acts import Act
from sendit.errors import SenditError
from sendit.web import accounts, notices
from sendit.web.access import person
from sendit.web.models import User
from sendit.web.noting import note
from sendit.web.roles import MEANINGS, Role


def users(request: HttpRequest) -> HttpResponse:
    """Answer `/users`: the list, and a new user."""
    if request.method == "POST":
        return _add(request)
    found = User.objects.order_by("name").prefetch_related("memberships")
    context = {"users": found, "roles": list(MEANINGS.items()), "notices": notices.take(request)}
    return render(request, "web/users.html", context)


def _add(request: HttpRequest) -> HttpResponse:
    name = request.POST.get("name", "").strip()
    if not re.fullmatch(accounts.NAME_FORM, name) or User.objects.filter(name=name).exists():
        notices.give(request, "A name has up to 150 letters, digits and any of . _ + - @, and is new.", is_problem=True)
        return redirect("users")
    try:
        user = accounts.add(name, _roles(request))
    except SenditError as error:
        notices.give(request, str(error), is_problem=True)
        return redirect("users")
    note(request, Act.CHANGE_ROLES, users=[name], reason=f"added as {_told(user.roles)}")
    return _with_link(request, user)


def user(request: HttpRequest, key: int) -> HttpResponse:
    """Answer `/users/<key>`: one user's roles, and what an admin may do."""
    found = get_object_or_404(User, pk=key)
    if request.method == "POST":
        return _change(request, found)
    return _user_page(request, found)


def _user_page(request: HttpRequest, found: User, link: str = "") -> HttpResponse:
    roles = [(role, meaning, role in found.roles) for role, meaning in MEANINGS.items()]
    context = {"found": found, "roles": roles, "link": link, "notices": notices.take(request)}
    return render(request, "web/user.html", context)


def _change(request: HttpRequest, found: User) -> HttpResponse:
    match request.POST.get("do"):
        case "roles":
            with notices.of_errors(request):
                accounts.give(found, _roles(request))
                note(request, Act.CHANGE_ROLES, users=[found.name], reason=f"now {_told(_roles(request))}")
                notices.give(request, "The roles are changed.")
        case "disable" if found.pk != person(request).pk:
            with notices.of_errors(request):
                accounts.set_active(found, False)
                note(request, Act.CHANGE_USER, users=[found.name], reason="disabled")
                notices.give(request, "The user is disabled; open sessions have ended.")
        case "enable":
            accounts.set_active(found, True)
            note(request, Act.CHANGE_USER, users=[found.name], reason="enabled")
            notices.give(request, "The user may sign in again.")
        case "link" if found.is_active:
            return _with_link(request, found)
    return redirect("user", found.pk)


def _with_link(request: HttpRequest, found: User) -> HttpResponse:
    """Show a fresh link, once: it is kept as a digest only."""
    note(request, Act.CHANGE_USER, users=[found.name], reason="made a one-time link")
    path = reverse("welcome", args=[accounts.new_link(found)])
    return _user_page(request, found, request.build_absolute_uri(path))


def _told(roles: Iterable[Role]) -> str:
    return ", ".join(sorted(roles)) or "nothing"


def _roles(request: HttpRequest) -> list[Role]:
    return [Role(role) for role in request.POST.getlist("roles") if role in set(Role)]
