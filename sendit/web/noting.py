"""Rows of the audit trail for what is asked over HTTP."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest

from sendit.audit import trail
from sendit.audit.acts import Act, Outcome
from sendit.audit.trail import Actor, AuditKey, Seen
from sendit.web.limits import address_of
from sendit.web.models import User
from sendit.web.reach import reach
from sendit.web.site import site

BATCH, USER = "batch", "user"


def note(
    request: HttpRequest,
    act: Act,
    batches: Iterable[int] = (),
    *,
    users: Iterable[str] = (),
    outcome: Outcome = Outcome.SUCCESS,
    reason: str = "",
) -> None:
    """Add a row of what the signed-in person does; on an error nothing is shown or done."""
    seen: list[Seen] = [*((BATCH, key) for key in batches), *((USER, name) for name in users)]
    key = AuditKey.of(site().secrets_folder, site().var)
    trail.note(key, act, _actor(request), seen, outcome=outcome, reason=reason)


def note_request(request: HttpRequest, act: Act, key: int, *, outcome: Outcome, reason: str) -> None:
    """Add a row of a decision about what somebody has filed."""
    audit_key = AuditKey.of(site().secrets_folder, site().var)
    trail.note(audit_key, act, _actor(request), [("request", key)], outcome=outcome, reason=reason)


def _actor(request: HttpRequest) -> Actor:
    user = request.user
    if not isinstance(user, User):
        return Actor("", (), address_of(request))
    return Actor(user.name, tuple(reach(request).here), address_of(request))
