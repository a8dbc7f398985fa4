"""People who use the pages: users, their roles, one-time links, failed sign-ins. No column holds a patient's data."""

from __future__ import annotations

from functools import cached_property

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.utils import timezone

from sendit.web.roles import Role, Roles

_ROLES = [role.value for role in Role]


class Users(BaseUserManager["User"]):
    """Finds users by name."""


class User(AbstractBaseUser):
    """A person; without a usable password until a one-time link was followed."""

    name = models.CharField(max_length=150, unique=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = Users()

    USERNAME_FIELD = "name"
    REQUIRED_FIELDS = []

    @cached_property
    def roles(self) -> Roles:
        """The roles that the person has."""
        return frozenset(Role(row.role) for row in self.memberships.all())


class Membership(models.Model):
    """A role that a user has."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_membership_of_each_role", fields=["user", "role"]),
            models.CheckConstraint(name="membership_role", condition=Q(role__in=_ROLES)),
        ]

    def __str__(self) -> str:
        return f"membership {self.pk}"


class OneTimeLink(models.Model):
    """A link by which a person chooses a password, once. The first one of a site makes its first admin."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True)
    """Null in the link that makes the first admin."""
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"one-time link {self.pk}"


class FailedSignIn(models.Model):
    """A wrong password. Name and address are keyed digests: what people type in the wrong field stays unknown."""

    name_digest = models.CharField(max_length=64)
    address_digest = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(name="failed_sign_in_by_name", fields=["name_digest", "at"]),
            models.Index(name="failed_sign_in_by_address", fields=["address_digest", "at"]),
        ]

    def __str__(self) -> str:
        return f"failed sign-in {self.pk}"


class ApiToken(models.Model):
    """A program's way in: it acts for a user, and may do what both the user's roles and its scopes allow."""

    name = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    scopes = models.CharField(max_length=120)
    """Words of `tokens.Scope`, separated by spaces."""
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"token {self.pk}"


class IdempotencyKey(models.Model):
    """An operation that a program asked for under a key of its own; asked again, it gets the first answer."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    key = models.CharField(max_length=128)
    asked = models.CharField(max_length=64)
    """A digest of method, path and body."""
    status = models.PositiveSmallIntegerField(null=True)
    """Null while the operation is under way."""
    body = models.TextField(default="")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(name="one_operation_of_a_key", fields=["user", "key"])]

    def __str__(self) -> str:
        return f"idempotency key {self.pk}"
