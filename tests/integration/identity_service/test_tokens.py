"""Tokens: a day of access, a refresh token that is good once, and what a stolen one does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from sendit.identity_service import tokens
from sendit.identity_service.models import Audit, Client, TokenPair

pytestmark = pytest.mark.on_both_databases

ONE = {"identifiers": [{"id": "1", "id_source": "Stanford MRN"}]}


def status(api: Any, access: str) -> int:
    return int(api.ask(ONE, access=access).status_code)


def test_an_access_token_is_good_for_a_day(api: Any) -> None:
    lasts = TokenPair.objects.get().access_expires_at - timezone.now()
    assert timedelta(hours=23, minutes=59) < lasts <= timedelta(hours=24)
    assert status(api, api.tokens.access) == 200
    TokenPair.objects.update(access_expires_at=timezone.now())
    assert status(api, api.tokens.access) == 401


def test_a_refresh_token_gets_two_new_tokens_and_the_old_ones_are_no_good(api: Any) -> None:
    new = api.renewed(api.tokens.refresh)
    assert len({new.access, new.refresh, api.tokens.access, api.tokens.refresh}) == 4
    assert [status(api, access) for access in (new.access, api.tokens.access)] == [200, 401]
    newer = api.renewed(new.refresh)
    assert [status(api, access) for access in (newer.access, new.access)] == [200, 401]


def test_renewal_needs_no_access_token_and_an_expired_one_does_not_hinder(api: Any) -> None:
    TokenPair.objects.update(access_expires_at=timezone.now() - timedelta(days=400))
    assert status(api, api.renewed(api.tokens.refresh).access) == 200


def test_a_replaced_refresh_token_revokes_the_client(api: Any) -> None:
    """Either the thief shows it, or the one who was robbed; from here they look alike."""
    new = api.renewed(api.tokens.refresh)
    assert status(api, new.access) == 200
    response = api.renew(api.tokens.refresh)
    assert (response.status_code, response.json()["error"]) == (401, "TokenReused")
    assert status(api, new.access) == 401 and api.renew(new.refresh).status_code == 401
    client = Client.objects.get()
    assert client.revoked_at and client.revoked_for == tokens.REUSE
    assert Audit.objects.filter(client=client, code="TokenReused").count() == 1


def test_a_refresh_token_of_long_ago_revokes_the_client_too(api: Any) -> None:
    new = api.renewed(api.renewed(api.tokens.refresh).refresh)
    assert api.renew(api.tokens.refresh).json()["error"] == "TokenReused"
    assert status(api, new.access) == 401


def test_an_answer_that_was_lost_is_given_again(api: Any) -> None:
    lost = [api.renewed(api.tokens.refresh) for _ in range(3)]
    new = api.renewed(api.tokens.refresh)
    assert [status(api, one.access) for one in lost] == [401] * 3
    assert status(api, new.access) == 200
    assert Client.objects.get().revoked_at is None


@pytest.mark.parametrize("is_shown", ["access", "refresh"])
def test_once_a_new_token_was_shown_its_answer_was_not_lost(api: Any, is_shown: str) -> None:
    new = api.renewed(api.tokens.refresh)
    if is_shown == "access":
        status(api, new.access)
    else:
        api.renewed(new.refresh)
    assert api.renew(api.tokens.refresh).json()["error"] == "TokenReused"


@pytest.mark.parametrize("shown", ["", " ", "unknown", 7, None, ["x"]])
def test_what_is_no_refresh_token_is_refused(api: Any, shown: object) -> None:
    assert api.renew(shown).status_code in (400, 401)
    assert status(api, api.tokens.access) == 200


def test_an_access_token_is_no_refresh_token(api: Any) -> None:
    assert api.renew(api.tokens.access).status_code == 401
    assert status(api, api.tokens.access) == 200


def test_a_clients_new_tokens_make_all_of_its_old_ones_nobodys(api: Any) -> None:
    new = tokens.reissue(api.client)
    assert [status(api, access) for access in (new.access, api.tokens.access)] == [200, 401]
    assert api.renew(api.tokens.refresh).json()["error"] == "UnknownTokens"
    assert status(api, new.access) == 200


def test_one_client_has_nothing_to_do_with_another(api: Any) -> None:
    other = Client.objects.create(name="other", answered_by=api.client.answered_by)
    theirs = tokens.issue(other)
    tokens.revoke(api.client, tokens.OPERATOR)
    assert [status(api, access) for access in (theirs.access, api.tokens.access)] == [200, 401]
