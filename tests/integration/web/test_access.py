"""Access: every URL, every role, without a session, and with a stranger's token; nothing is open by omission."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from sendit.pipeline import operations
from sendit.web import tokens
from sendit.web.access import ACCESS, Access
from sendit.web.models import User
from sendit.web.roles import IDENTIFIERS, PSEUDONYMS, TRUE_TIMES, Role, may_be_combined
from sendit.web.tokens import Scope
from tests.support.pages import a_user, signed_in, web_settings
from tests.support.site import Site

METHODS = ("GET", "HEAD", "POST", "PUT")
VALUES: dict[str, object] = {"token": "x", "digest": "x", "name": "x"}


@pytest.fixture(autouse=True)
def web() -> Iterator[None]:
    with web_settings():
        yield


@pytest.fixture
def people(site: Site, monkeypatch: pytest.MonkeyPatch) -> dict[Role, User]:
    """One user of each role, and a batch that is there; no watcher is started or stopped."""
    monkeypatch.setattr(operations, "start_watcher", lambda var: 1)
    monkeypatch.setattr(operations, "stop_watcher", lambda var, seconds: None)
    monkeypatch.setattr(operations, "start_listener", lambda var: 1)
    monkeypatch.setattr(operations, "stop_listener", lambda var, seconds: None)
    site.study(1, images=1)
    site.process()
    return {role: a_user(role) for role in Role}


OWN_TOKEN = ("dicomweb-studies",)
"""What takes no cookie: whoever sends shows a token that the peers file knows."""


def addresses() -> dict[str, str]:
    """An address of every URL that the web has, by its name."""
    found = {}
    for name, pattern in _patterns(get_resolver("sendit.web.urls")):
        arguments = {argument: VALUES.get(argument, 1) for argument in pattern.pattern.converters}
        found[name] = reverse(name, kwargs=arguments, urlconf="sendit.web.urls")
    return found


def _patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.name}", pattern
        else:
            yield from _patterns(pattern, f"{pattern.namespace}:" if pattern.namespace else prefix)


def test_every_url_has_a_name_and_a_row_and_every_row_a_url() -> None:
    assert set(addresses()) == set(ACCESS)
    assert all(row.reads or row.sends for row in ACCESS.values())


def test_a_role_opens_its_pages_and_no_others(people: dict[Role, User]) -> None:
    for role, user in people.items():
        ensure_only_its_pages(role, user)


def ensure_only_its_pages(role: Role, user: User) -> None:
    browser = signed_in(user)
    for name, address in sorted(addresses().items(), key=lambda one: one[0] == "sign-out"):
        row = ACCESS[name]
        for method in METHODS:
            answer = browser.generic(method, address)
            if (name, method) == ("sign-out", "POST"):
                browser = signed_in(user)
            if row.is_public and row.has(method):
                assert answer.status_code in (200, 401, 403, 404, 429), (name, method)
            elif row.scope and method not in ("GET", "HEAD"):  # a program's, which has no session
                assert answer.status_code == 401, (name, method)
            elif not row.has(method):
                assert answer.status_code == 405, (name, method)
            elif role not in row.of(method):
                assert answer.status_code == 403, (name, method)
            else:
                assert answer.status_code in (200, 302, 400, 404, 422), (name, method, answer.status_code)


def test_without_a_session_only_what_is_public_answers(people: dict[Role, User]) -> None:
    for name, address in addresses().items():
        row = ACCESS[name]
        for method in METHODS:
            answer = signed_in(None).generic(method, address)
            if row.is_public and row.has(method):
                assert answer.status_code in (200, 401, 403, 404), (name, method)
            elif row.scope:
                assert answer.status_code == 401, (name, method)
            else:
                assert answer.status_code == 302 and answer["Location"].startswith("/sign-in"), (name, method)


def test_what_is_open_to_everybody_is_this() -> None:
    assert {name for name, row in ACCESS.items() if row.is_public} == {
        "health", "ready", "metrics", "static", "sign-in", "welcome", "dicomweb-studies",
    }  # fmt: skip


def test_a_form_with_a_strangers_token_is_refused_everywhere(people: dict[Role, User]) -> None:
    stranger = Client()
    page = stranger.get("/sign-in").content.decode()
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    everybody = a_user(*Role, name="everybody")
    for name, address in addresses().items():
        if not ACCESS[name].sends:
            continue
        browser = signed_in(everybody, enforce_csrf_checks=True)
        browser.get("/account")
        refused = 401 if ACCESS[name].scope or name in OWN_TOKEN else 403
        for sent in ({}, {"csrfmiddlewaretoken": token}):
            assert browser.post(address, sent).status_code == refused, name
        origin = browser.post(address, {"csrfmiddlewaretoken": token}, HTTP_ORIGIN="https://stranger.example")
        assert origin.status_code == refused, name


def test_a_token_of_a_role_opens_the_api_of_that_role_and_no_page(people: dict[Role, User]) -> None:
    for role, user in people.items():
        headers = {"Authorization": f"Bearer {tokens.add(user, 'a program', Scope, 1)}"}
        for name, address in addresses().items():
            row = ACCESS[name]
            for method in ("GET", "POST"):
                answer = signed_in(None).generic(method, address, headers=headers)
                if row.scope and row.has(method):
                    assert (answer.status_code == 403) is (role not in row.of(method)), (role, name, method)
                elif not row.is_public:
                    assert answer.status_code in (302, 403, 405), (role, name, method)


def test_a_page_without_a_row_is_closed_to_everybody(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(ACCESS, "overview")
    assert signed_in(a_user(*Role)).get("/overview").status_code == 403


def test_a_method_that_a_row_does_not_name_belongs_to_nobody() -> None:
    assert all(not Access(reads=frozenset(Role), sends=frozenset(Role)).has(method) for method in ("PUT", "TRACE", ""))


# ------------------------------------------------------------------------------------------ roles together


def test_no_legal_combination_shows_a_pseudonym_beside_a_true_time_to_who_sees_no_accession_numbers() -> None:
    every = [frozenset(some) for size in range(len(Role) + 1) for some in combinations(Role, size)]
    for roles in every:
        tells = bool(roles & PSEUDONYMS and roles & TRUE_TIMES)
        assert may_be_combined(roles) is (not tells or bool(roles & IDENTIFIERS)), roles
    assert {tuple(sorted(roles)) for roles in every if len(roles) == 2 and not may_be_combined(roles)} == {
        ("privacy", "viewer"), ("privacy", "researcher"),
    }  # fmt: skip


def test_a_disabled_users_open_session_ends(site: Site) -> None:
    from sendit.web import accounts

    a_user(Role.ADMIN)
    user = a_user(Role.OPERATOR)
    browser = signed_in(user)
    assert browser.get("/overview").status_code == 200
    accounts.set_active(user, False)
    assert browser.get("/overview").status_code == 302
