"""Tokens of the API: made once, kept as a digest, with scopes and an end."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum

from django.http import HttpRequest
from django.utils import timezone

from sendit.web.models import ApiToken, User

PREFIX = "sendit_"
LONGEST_DAYS = 366


class Scope(StrEnum):
    """What a token may be used for."""

    READ = "read"
    OPERATE = "operate"
    QUERY = "query"
    REVIEW = "review"


MEANINGS: dict[Scope, str] = {
    Scope.READ: "lists and single batches, images, metrics",
    Scope.OPERATE: "queue, retry, withdraw, pulls, pause",
    Scope.QUERY: "questions to the warehouse",
    Scope.REVIEW: "what waits for a person, and decisions about it",
}


def add(user: User, name: str, scopes: Iterable[Scope], days: int) -> str:
    """Return a fresh token, which is shown this once."""
    token = PREFIX + secrets.token_urlsafe(32)
    ApiToken.objects.create(
        name=name,
        digest=_digest(token),
        user=user,
        scopes=" ".join(sorted(scopes)),
        expires_at=timezone.now() + timedelta(days=min(max(days, 1), LONGEST_DAYS)),
    )
    return token


def revoke(key: int) -> ApiToken | None:
    """End a token; None where there is none of that key."""
    ApiToken.objects.filter(pk=key, revoked_at=None).update(revoked_at=timezone.now())
    return ApiToken.objects.filter(pk=key).select_related("user").first()


def of(request: HttpRequest) -> ApiToken | None:
    """Return the token that a request carries in `Authorization: Bearer`, if it is valid and its user is active."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.startswith(PREFIX):
        return None
    valid = ApiToken.objects.filter(digest=_digest(token), revoked_at=None, expires_at__gt=timezone.now())
    return valid.filter(user__is_active=True).select_related("user").first()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
