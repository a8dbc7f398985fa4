"""The folders that are being filled, and what is left of them. What identifies is encrypted, and goes in the end."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from sendit.ground.phi_field import PhiField


class Landing(models.Model):
    """A folder of ours below a data folder, for as long as it has its temporary name.

    It is recorded before it is made, so the next start knows it after any crash, and touches no other copier's folder.
    """

    folder = PhiField()
    """`{"path", "study", "target"}`: where it is, its Study Instance UID ("" if it holds no study but images on their
    way), and the name that it is about to be renamed to ("" before that)."""
    opened_at = models.DateTimeField(default=timezone.now)
    evidence = models.CharField(max_length=16, default="")
    """What made it complete; set together with the target."""

    def __str__(self) -> str:
        return f"landing {self.pk}"


class Arrival(models.Model):
    """A folder that was handed over: its keyed digest, and what made it complete. It holds nothing that identifies."""

    folder_digest = models.CharField(max_length=64, unique=True)
    study_digest = models.CharField(max_length=64, db_index=True)
    evidence = models.CharField(max_length=16)
    images = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"arrival {self.pk}"
