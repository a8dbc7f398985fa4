"""Users whom a proxy has signed in: only by its secret, only known ones, and only for as long as it names them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from sendit.audit.models import AuditRow
from sendit.web.roles import Role
from tests.support.pages import PASSWORD, a_user, signed_in, web_settings
from tests.support.site import Site

SECRET = "a shared secret of some length".replace(" ", "-")


@pytest.fixture(autouse=True)
def behind_a_proxy(site: Site) -> Iterator[None]:
    site.set(WEB_USER_HEADER="X-Remote-User", WEB_PROXY_SECRET=SECRET)
    with web_settings():
        yield


def ask(browser: Client, name: str | None, secret: str | None = SECRET) -> int:
    """The status of the page of one's own account."""
    headers = {"X-Remote-User": name, "X-Sendit-Proxy-Secret": secret}
    return browser.get(
        "/account", headers={key: value for key, value in headers.items() if value is not None}
    ).status_code


def test_whom_the_proxy_names_is_signed_in_and_that_is_in_the_trail() -> None:
    a_user(Role.OPERATOR, name="ada")
    browser = signed_in(None)
    assert ask(browser, "ada") == 200
    assert ask(browser, "ada") == 200
    assert [row.reason for row in AuditRow.objects.filter(act="sign-in")] == ["by the proxy"]


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + "x", SECRET[:-1], "ü" * 30])
def test_without_the_secret_the_header_counts_for_nothing(secret: str | None) -> None:
    a_user(Role.ADMIN, name="ada")
    assert ask(signed_in(None), "ada", secret) == 302


def test_who_is_unknown_or_disabled_signs_in_nowhere() -> None:
    gone = a_user(Role.OPERATOR, name="gone")
    gone.is_active = False
    gone.save()
    for name in ("gone", "nobody", "", "ada\n"):
        assert ask(signed_in(None), name) == 302


def test_the_session_ends_with_the_header_and_changes_with_the_name() -> None:
    a_user(Role.OPERATOR, name="ada")
    a_user(Role.VIEWER, name="bob")
    browser = signed_in(None)
    assert ask(browser, "ada") == 200
    assert b"bob" in browser.get("/account", headers={"X-Remote-User": "bob", "X-Sendit-Proxy-Secret": SECRET}).content
    assert ask(browser, None) == 302


def test_a_session_with_a_password_needs_no_proxy() -> None:
    user = a_user(Role.OPERATOR, name="ada")
    browser = signed_in(None)
    assert browser.post("/sign-in", {"name": user.name, "password": PASSWORD}).status_code == 302
    assert ask(browser, None, None) == 200


def test_where_no_proxy_is_set_nothing_of_it_counts(site: Site) -> None:
    a_user(Role.OPERATOR, name="ada")
    site.set(WEB_USER_HEADER="")
    assert ask(signed_in(None), "ada") == 302
