"""A request: who filed it, what for, and who decided. What may identify stands in it encrypted."""

from __future__ import annotations

from enum import StrEnum

from django.db import models
from django.db.models import Q
from django.utils import timezone

from sendit.ground.phi_field import PhiField
from sendit.phi import Phi


class Kind(StrEnum):
    """What is asked for."""

    CROSSWALK = "crosswalk"
    """Which pseudonym belongs to which identifier, encrypted to somebody's key."""
    APPROVAL = "approval"
    """That a project may deliver as it is configured now."""


class RequestState(StrEnum):
    """How far a request has come. Whatever was decided stays."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    DECLINED = "declined"


def nothing() -> Phi[None]:
    """What an encrypted field holds before there is anything to hold, and after its purge."""
    return Phi(None)


class Request(models.Model):
    """What one person asks for; another one decides."""

    kind = models.CharField(max_length=16)
    project = models.CharField(max_length=64)
    state = models.CharField(max_length=16, default=RequestState.WAITING.value)
    filed_by = models.CharField(max_length=150)
    """The account of the operating system that ran the command."""
    filed_for = models.CharField(max_length=150, blank=True, default="")
    """The account from which sudo came, where it was used."""
    filed_at = models.DateTimeField(default=timezone.now)
    reason = PhiField(default=nothing)
    content = PhiField(default=nothing)
    """What is asked about; it goes when the request is decided."""
    about = models.JSONField(default=dict)
    """What a page may show of it: counts, fingerprints of keys, recipes and projects."""
    decided_by = models.CharField(max_length=150, blank=True, default="")
    decided_at = models.DateTimeField(null=True)
    result = models.BinaryField(null=True)
    """Encrypted to the recipient's key."""

    class Meta:
        constraints = [
            models.CheckConstraint(name="request_kind", condition=Q(kind__in=[kind.value for kind in Kind])),
            models.CheckConstraint(
                name="request_decided_by_somebody",
                condition=Q(state=RequestState.WAITING.value, decided_by="", decided_at__isnull=True)
                | (
                    Q(state__in=[RequestState.CONFIRMED.value, RequestState.DECLINED.value], decided_at__isnull=False)
                    & ~Q(decided_by="")
                ),
            ),
        ]
        indexes = [models.Index(name="request_of_project", fields=["project", "kind", "state"])]

    def __str__(self) -> str:
        return f"request {self.pk}"
