"""Signing in and out, the one-time link, and a person's own account."""

from __future__ import annotations

import re

from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from sendit.audit.acts import Act, Outcome
from sendit.web import accounts, answers, limits
from sendit.web.access import ACCESS, may, person
from sendit.web.models import OneTimeLink, User
from sendit.web.noting import note
from sendit.web.roles import MEANINGS, Role

BACKEND = "django.contrib.auth.backends.ModelBackend"
WRONG = "That name and password do not belong together."
LOCKED = "Too many attempts. Wait a quarter of an hour."
FIRST_PAGES = ("overview", "batches", "warehouse", "audit", "users")
"""Where a person begins: the first of these that a role of theirs may open."""


def sign_in(request: HttpRequest) -> HttpResponse:
    """Answer `/sign-in`."""
    if request.method != "POST":
        return _sign_in_page(request)
    name = request.POST.get("name", "")
    if limits.is_locked(request, name):
        return _sign_in_page(request, LOCKED, 429)
    user = authenticate(request, username=name, password=request.POST.get("password", ""))
    if not isinstance(user, User):
        limits.note_failure(request, name)
        known = [name] if User.objects.filter(name=name).exists() else []  # else it may be a password
        note(request, Act.SIGN_IN, users=known, outcome=Outcome.MINOR_FAILURE)
        return _sign_in_page(request, WRONG, 403)
    limits.forget_failures(name)
    login(request, user)
    note(request, Act.SIGN_IN)
    return redirect(_next(request))


def _sign_in_page(request: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
    context = {"problem": problem, "next": request.GET.get("next", ""), "has_users": accounts.has_admin()}
    return render(request, "web/sign_in.html", context, status=status)


def _next(request: HttpRequest) -> str:
    """Return the page that was asked for, if it is one of ours."""
    wanted = request.POST.get("next", "")
    if wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        return wanted
    return "/"


def sign_out(request: HttpRequest) -> HttpResponse:
    """Answer `POST /sign-out`."""
    note(request, Act.SIGN_OUT)
    logout(request)
    return redirect("sign-in")


def home(request: HttpRequest) -> HttpResponse:
    """Answer `/`: lead to the first page that the person may open."""
    return redirect(next((name for name in FIRST_PAGES if may(request, name)), "account"))


# ------------------------------------------------------------------------------------------ the one-time link


def welcome(request: HttpRequest, token: str) -> HttpResponse:
    """Answer `/welcome/<token>`: let its holder choose a password."""
    link = accounts.link_of(token)
    if link is None:
        return answers.refused(request, 404)
    if request.method != "POST":
        return _welcome_page(request, link)
    try:
        user = accounts.follow(link, *_chosen(request, link))
    except ValidationError as error:
        return _welcome_page(request, link, " ".join(error.messages), 400)
    login(request, user, BACKEND)
    note(request, Act.CHANGE_USER, users=[user.name], reason="followed a one-time link")
    return redirect("home")


def _chosen(request: HttpRequest, link: OneTimeLink) -> tuple[str, list[Role], str]:
    """Return name, roles and password as typed; a first admin chooses all three."""
    name, password = request.POST.get("name", ""), request.POST.get("password", "")
    if link.user is None and not re.fullmatch(accounts.NAME_FORM, name):
        raise ValidationError("A name has up to 150 letters, digits and any of . _ + - @")
    if password != request.POST.get("again", ""):
        raise ValidationError("The two passwords differ.")
    return name, [Role(role) for role in request.POST.getlist("roles") if role in set(Role)], password


def _welcome_page(request: HttpRequest, link: OneTimeLink, problem: str = "", status: int = 200) -> HttpResponse:
    preset = set(Role) - {Role.VIEWER, Role.BROKER}
    roles = [(role, meaning, role in preset) for role, meaning in MEANINGS.items()]
    context = {"link": link, "roles": roles, "problem": problem, "name": request.POST.get("name", "")}
    return render(request, "web/welcome.html", context, status=status)


# ------------------------------------------------------------------------------------------ the account


def account(request: HttpRequest) -> HttpResponse:
    """Answer `/account`: what the person may do, and a new password."""
    problem, is_changed = "", False
    if request.method == "POST":
        try:
            _change_password(request)
            is_changed = True
        except ValidationError as error:
            problem = " ".join(error.messages)
    context = {
        "held": [(role, MEANINGS[role]) for role in Role if role in person(request).roles],
        "problem": problem,
        "is_changed": is_changed,
        "pages": sorted(name for name in ACCESS if may(request, name)),
    }
    return render(request, "web/account.html", context, status=400 if problem else 200)


def _change_password(request: HttpRequest) -> None:
    user = person(request)
    if not user.check_password(request.POST.get("old", "")):
        raise ValidationError("The old password is wrong.")
    if request.POST.get("password", "") != request.POST.get("again", ""):
        raise ValidationError("The two passwords differ.")
    accounts.set_password(user, request.POST.get("password", ""))
    note(request, Act.CHANGE_USER, users=[user.name], reason="changed the password")
    update_session_auth_hash(request, user)
