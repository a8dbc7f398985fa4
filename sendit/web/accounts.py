"""Users: made, given roles, disabled, and let in by a one-time link. No user ever has a default password."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from sendit.errors import Misconfigured
from sendit.web.models import Membership, OneTimeLink, User
from sendit.web.roles import Role, Roles, may_be_combined

LINK_LASTS = timedelta(hours=24)
NAME_FORM = r"[\w.@+-]{1,150}"


def has_admin() -> bool:
    """Return whether somebody may add users."""
    return User.objects.filter(is_active=True, memberships__role=Role.ADMIN).exists()


def add(name: str, roles: Iterable[Role]) -> User:
    """Add a user, who cannot sign in before following a link of `new_link`."""
    with transaction.atomic():
        user = User(name=name)
        user.set_unusable_password()
        user.save()
        give(user, roles)
    return user


def give(user: User, roles: Iterable[Role]) -> None:
    """Let the user have these roles and no others.

    Raises
    ------
    Misconfigured
        `RolesCombined`: one person with all of them would see a pseudonym beside a true time. `LastAdmin`.
    """
    wanted: Roles = frozenset(roles)
    if not may_be_combined(wanted):
        raise Misconfigured("RolesCombined")
    with _an_admin_is_left():
        Membership.objects.filter(user=user).exclude(role__in=wanted).delete()
        held = set(Membership.objects.filter(user=user).values_list("role", flat=True))
        Membership.objects.bulk_create(Membership(user=user, role=role) for role in sorted(wanted - held))


def set_active(user: User, is_active: bool) -> None:
    """Disable a user, whose sessions end at once, or enable the user again. Raises Misconfigured("LastAdmin")."""
    with _an_admin_is_left():
        User.objects.filter(pk=user.pk).update(is_active=is_active)
        OneTimeLink.objects.filter(user=user).delete()


@contextmanager
def _an_admin_is_left() -> Iterator[None]:
    """Undo a change after which nobody could add users, where somebody could before."""
    with transaction.atomic():
        had_admin = has_admin()
        yield
        if had_admin and not has_admin():
            raise Misconfigured("LastAdmin")


# ------------------------------------------------------------------------------------------ one-time links


def new_link(user: User | None) -> str:
    """Return the secret part of a fresh link for a user, or for the first admin; earlier links end."""
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        OneTimeLink.objects.filter(user=user).delete()
        OneTimeLink.objects.create(digest=_digest(token), user=user, expires_at=timezone.now() + LINK_LASTS)
    return token


def link_of(token: str) -> OneTimeLink | None:
    """Return the link that may still be followed."""
    found = OneTimeLink.objects.filter(digest=_digest(token), used_at=None, expires_at__gt=timezone.now()).first()
    if found is None or (found.user is None and has_admin()) or (found.user and not found.user.is_active):
        return None
    return found


def follow(link: OneTimeLink, name: str, roles: Iterable[Role], password: str) -> User:
    """Use up the link: set its user's password, or make the first admin with this name and these roles.

    Raises ValidationError where the password is too weak or the link was used meanwhile.
    """
    with transaction.atomic():
        used = OneTimeLink.objects.filter(pk=link.pk, used_at=None).update(used_at=timezone.now())
        if used != 1:
            raise ValidationError("The link has been used.")
        user = link.user or add(name, {Role.ADMIN, *roles})
        set_password(user, password)
    return user


def set_password(user: User, password: str) -> None:
    """Set it, unless it is too weak (ValidationError); the user's other sessions end."""
    validate_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
