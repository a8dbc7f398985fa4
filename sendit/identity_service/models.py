"""Clients, their tokens as digests, and who asked how much. No column holds an identifier, a pseudonym or a token."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone


class Client(models.Model):
    """A gateway that may use the service."""

    name = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True)
    revoked_for = models.CharField(max_length=40, default="")
    """`operator`, or `reuse`: a replaced refresh token was used, so somebody has a copy."""
    answered_by = models.CharField(max_length=64)
    """A digest of the key and the algorithm that made this client's first answers and must make all others."""

    def __str__(self) -> str:
        return f"client {self.pk}"


class TokenPair(models.Model):
    """An access token and the refresh token that replaces both. A client has one pair that is not replaced."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="tokens")
    access_digest = models.CharField(max_length=64, unique=True)
    refresh_digest = models.CharField(max_length=64, unique=True)
    issued_at = models.DateTimeField(default=timezone.now)
    access_expires_at = models.DateTimeField()
    is_used = models.BooleanField(default=False)
    """Whether the client has used one of the two. Then it has received them, and the pair before never works again."""
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
    """A request: its client, time, collection, number of patients and studies, and result; never an identifier."""

    at = models.DateTimeField(default=timezone.now)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, null=True, db_index=False)
    """Null if the token was invalid. Such requests share a row per minute, so a flood does not fill the table."""
    call = models.CharField(max_length=8)
    """`uid` or `tokens`."""
    study = models.CharField(max_length=64, default="")
    patients = models.PositiveIntegerField(default=0)
    studies = models.PositiveIntegerField(default=0)
    code = models.CharField(max_length=40, default="")
    """The code of the refusal; blank if the request was answered."""
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
