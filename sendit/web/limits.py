"""How often somebody may try to sign in within a quarter of an hour: a few times for a name, more from an address."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

from django.http import HttpRequest
from django.utils import timezone

from sendit.web.models import FailedSignIn
from sendit.web.site import cookie_key, site

WINDOW = timedelta(minutes=15)
OF_A_NAME, FROM_AN_ADDRESS = 5, 50
"""A whole department may share an address."""


def is_locked(request: HttpRequest, name: str) -> bool:
    """Return whether there were too many failures; a right password does not help then."""
    recent = FailedSignIn.objects.filter(at__gt=timezone.now() - WINDOW)
    return (
        recent.filter(name_digest=_digest(name.casefold())).count() >= OF_A_NAME
        or recent.filter(address_digest=_digest(address_of(request))).count() >= FROM_AN_ADDRESS
    )


def note_failure(request: HttpRequest, name: str) -> None:
    """Count a failure, and forget those that count no more."""
    FailedSignIn.objects.filter(at__lt=timezone.now() - WINDOW).delete()
    FailedSignIn.objects.create(name_digest=_digest(name.casefold()), address_digest=_digest(address_of(request)))


def forget_failures(name: str) -> None:
    """Begin again for a name that has signed in."""
    FailedSignIn.objects.filter(name_digest=_digest(name.casefold())).delete()


def address_of(request: HttpRequest) -> str:
    """Return where a request comes from: behind a proxy, the address that the proxy saw."""
    if site().web_url:
        forwarded = request.headers.get("X-Forwarded-For", "").split(",")[-1].strip()
        if forwarded:
            return forwarded
    return str(request.META.get("REMOTE_ADDR", ""))


def _digest(text: str) -> str:
    return hmac.new(cookie_key(), text.encode(errors="replace"), hashlib.sha256).hexdigest()
