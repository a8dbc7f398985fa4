"""Clients, their tokens as digests, and who asked how much. No column holds an identifier, a pseudonym or a token."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone


class Client(models.Model):
    """A gateway that may ask."""

    name = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True)
    revoked_for = models.CharField(max_length=40, default="")
    """`operator`, or `reuse`: a refresh token came that had been replaced, so somebody has a copy."""
    answered_by = models.CharField(max_length=64)
    """Tells the key and the algorithm that its answers are made with, and have to be made with for ever."""

    def __str__(self) -> str:
        return f"client {self.pk}"


class TokenPair(models.Model):
    """An access token and the refresh token that replaces both; a client's current pair is the one not replaced."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="tokens")
    access_digest = models.CharField(max_length=64, unique=True)
    refresh_digest = models.CharField(max_length=64, unique=True)
    issued_at = models.DateTimeField(default=timezone.now)
    access_expires_at = models.DateTimeField()
    is_used = models.BooleanField(default=False)
    """Whether the client has shown one of the two: then it has them, and the pair before is history."""
    replaced_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_current_pair_per_client", fields=["client"], condition=Q(replaced_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"tokens {self.pk}"


class Audit(models.Model):
    """A request: who, when, for which collection, about how many, and what came of it. Never about whom."""

    at = models.DateTimeField(default=timezone.now)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, null=True, db_index=False)
    """Null where the token was nobody's; such requests of one minute share a row: a flood is no flood of rows."""
    call = models.CharField(max_length=8)
    """`uid` or `tokens`."""
    study = models.CharField(max_length=64, default="")
    patients = models.PositiveIntegerField(default=0)
    studies = models.PositiveIntegerField(default=0)
    code = models.CharField(max_length=40, default="")
    """Why it was refused; blank where it was answered."""
    requests = models.PositiveIntegerField(default=1)

    class Meta:
        indexes = [models.Index(name="audit_by_client", fields=["client", "at"])]
        constraints = [
            models.UniqueConstraint(
                name="one_row_a_minute_for_nobody", fields=["at", "call", "code"], condition=Q(client__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"audit {self.pk}"
