"""Tokens: an access token for 24 hours, and a refresh token that works once. The database has only their digests.

If a replaced refresh token is used, two parties have it, and one of them is a thief: the client is revoked, and its
operator sees why. But an answer may be lost on its way. So as long as neither of the new tokens has been used, the
refresh token before them still works and gets another pair.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from sendit.client_secrets import Tokens
from sendit.errors import ServiceRefused
from sendit.identity_service.models import Client, TokenPair

ACCESS_LASTS = timedelta(hours=24)
OPERATOR, REUSE = "operator", "reuse"


def issue(client: Client) -> Tokens:
    """Issue the client's next pair of tokens, which replaces its current one, if any."""
    tokens = Tokens(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
    now = timezone.now()
    with _alone(client):
        client.tokens.filter(replaced_at=None).update(replaced_at=now, is_used=True)
        client.tokens.create(
            access_digest=digest(tokens.access),
            refresh_digest=digest(tokens.refresh),
            issued_at=now,
            access_expires_at=now + ACCESS_LASTS,
        )
    return tokens


def reissue(client: Client) -> Tokens:
    """Issue tokens for a client, even if it was revoked; all its earlier tokens become invalid."""
    with _alone(client):
        client.tokens.all().delete()
        Client.objects.filter(pk=client.pk).update(revoked_at=None, revoked_for="")
        return issue(client)


def revoke(client: Client, reason: str) -> None:
    """Revoke the client: all its tokens become invalid."""
    with _alone(client):
        client.tokens.all().delete()
        Client.objects.filter(pk=client.pk).update(revoked_at=timezone.now(), revoked_for=reason)


@contextmanager
def _alone(client: Client) -> Iterator[None]:
    """Lock the client's row, so that changes to its tokens happen one after another."""
    with transaction.atomic():
        Client.objects.select_for_update().get(pk=client.pk)
        yield


def client_of(access: str) -> Client:
    """Return the client with this access token. Raises ServiceRefused("UnknownTokens") if it is not valid."""
    current = TokenPair.objects.filter(replaced_at=None, access_expires_at__gt=timezone.now())
    pair = current.filter(access_digest=digest(access)).select_related("client").first()
    if pair is None:
        raise ServiceRefused("UnknownTokens")
    if not pair.is_used:
        TokenPair.objects.filter(pk=pair.pk).update(is_used=True)
    return pair.client


def holder_of(refresh: str) -> Client:
    """Return the client that has or had this refresh token. Raises ServiceRefused("UnknownTokens") if none had."""
    client = Client.objects.filter(tokens__refresh_digest=digest(refresh)).first()
    if client is None:
        raise ServiceRefused("UnknownTokens")
    return client


def renew(client: Client, refresh: str) -> Tokens | None:
    """Issue the next pair. If the refresh token was replaced before, revoke the client and return None."""
    with _alone(client):
        newest, *before = client.tokens.order_by("-pk")[:2] or [None]
        shown = client.tokens.filter(refresh_digest=digest(refresh)).first()
        if newest is None or shown is None:  # revoked or reissued a moment ago
            raise ServiceRefused("UnknownTokens")
        if shown in before and not newest.is_used:  # the answer with the newest pair was lost
            newest.delete()
        elif shown != newest:
            revoke(client, REUSE)
            return None
        return issue(client)


def digest(token: str) -> str:
    """Return the digest of a token that the database stores; 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def answered_by(key: bytes, max_date_shift_days: int) -> str:
    """Return a digest that identifies this site's key and largest shift, and reveals nothing of the key."""
    said = f"sendit-identity-1 shifts dates by up to {max_date_shift_days} days with this key"
    return hmac.digest(key, said.encode(), "sha256").hex()
