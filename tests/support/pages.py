"""The pages in a test's own process: their settings, and people of each role who have signed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.test import Client, override_settings

from sendit.web import accounts
from sendit.web import settings as of_the_web
from sendit.web.models import User
from sendit.web.roles import Role

WHOLE_PROCESS = ("ALLOWED_HOSTS", "SITE", "DATABASES", "INSTALLED_APPS", "LOGGING_CONFIG")
"""What a test's process has once for all."""
FAST = ["django.contrib.auth.hashers.MD5PasswordHasher"]
PASSWORD = "a long enough phrase"


@contextmanager
def web_settings() -> Iterator[None]:
    """Django's settings are those of `sendit web`, with passwords that cost no time."""
    own = {name: getattr(of_the_web, name) for name in dir(of_the_web) if name.isupper() and name not in WHOLE_PROCESS}
    with override_settings(**own, PASSWORD_HASHERS=FAST, ALLOWED_HOSTS=["testserver"]):
        yield


def a_user(*roles: Role, name: str = "") -> User:
    """A user with these roles and a password."""
    user = accounts.add(name or "-".join(roles) or "nobody", roles)
    accounts.set_password(user, PASSWORD)
    return user


def signed_in(user: User | None, **options: Any) -> Client:
    """A browser in which the user has signed in."""
    browser = Client(raise_request_exception=False, HTTP_ACCEPT="text/html", **options)
    if user:
        browser.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return browser
