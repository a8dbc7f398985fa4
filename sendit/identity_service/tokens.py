"""Tokens: 24 hours of access, and a refresh token that is good once. The database has only their digests.

Who shows a refresh token that was replaced is a thief, or was robbed: the client is revoked, and its operator sees why.
But an answer may be lost on its way: as long as nobody has shown either of the new tokens, the one before them still
gets two others.
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
    """The client's next pair; its current one, if any, is replaced."""
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
    """Two tokens for a client, also for one that was revoked; all that it had before are nobody's."""
    with _alone(client):
        client.tokens.all().delete()
        Client.objects.filter(pk=client.pk).update(revoked_at=None, revoked_for="")
        return issue(client)


def revoke(client: Client, reason: str) -> None:
    """From now on its tokens are nobody's."""
    with _alone(client):
        client.tokens.all().delete()
        Client.objects.filter(pk=client.pk).update(revoked_at=timezone.now(), revoked_for=reason)


@contextmanager
def _alone(client: Client) -> Iterator[None]:
    """All that happens to a client's tokens happens in turn."""
    with transaction.atomic():
        Client.objects.select_for_update().get(pk=client.pk)
        yield


def client_of(access: str) -> Client:
    """Whose access token it is. Raises ServiceRefused("UnknownTokens") where it is nobody's, or nobody's any more."""
    current = TokenPair.objects.filter(replaced_at=None, access_expires_at__gt=timezone.now())
    pair = current.filter(access_digest=digest(access)).select_related("client").first()
    if pair is None:
        raise ServiceRefused("UnknownTokens")
    if not pair.is_used:
        TokenPair.objects.filter(pk=pair.pk).update(is_used=True)
    return pair.client


def holder_of(refresh: str) -> Client:
    """Whose refresh token it is or was. Raises ServiceRefused("UnknownTokens")."""
    client = Client.objects.filter(tokens__refresh_digest=digest(refresh)).first()
    if client is None:
        raise ServiceRefused("UnknownTokens")
    return client


def renew(client: Client, refresh: str) -> Tokens | None:
    """The next pair; None where the refresh token was replaced, and so the client is revoked."""
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
    """What the database has of a token: 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def answered_by(key: bytes, max_date_shift_days: int) -> str:
    """Tells this site's key and shifts from any other's, and tells nothing of the key."""
    said = f"sendit-identity-1 shifts dates by up to {max_date_shift_days} days with this key"
    return hmac.digest(key, said.encode(), "sha256").hex()
