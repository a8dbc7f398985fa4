"""The rows of the trail. They are only added to, and each has a digest over the one before."""

from __future__ import annotations

from typing import Any

from django.db import models

from sendit.errors import BrokenPromise


class AuditQuerySet(models.QuerySet["AuditRow"]):
    """The trail is only added to."""

    def update(self, **values: Any) -> int:
        """Refuse."""
        raise BrokenPromise("HistoryIsAppendOnly")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refuse."""
        raise BrokenPromise("HistoryIsAppendOnly")


class AuditRow(models.Model):
    """One act. No column holds a value from a study: a kind and a primary key say what was seen."""

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    act = models.CharField(max_length=24)
    outcome = models.PositiveSmallIntegerField()
    actor = models.CharField(max_length=150)
    """A user's name, or "command"; blank where nobody has signed in."""
    roles = models.CharField(max_length=120)
    address = models.CharField(max_length=64)
    """The network address; blank for commands."""
    objects_seen = models.JSONField(default=list)
    """A list of [kind, key or name], such as ["batch", 17]."""
    reason = models.CharField(max_length=500)
    digest = models.CharField(max_length=64)

    objects = AuditQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(name="audit_by_actor", fields=["actor", "number"]),
            models.Index(name="audit_by_act", fields=["act", "number"]),
        ]

    def __str__(self) -> str:
        return f"audit row {self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add it; a row that stands is not changed."""
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse."""
        raise BrokenPromise("HistoryIsAppendOnly")


class AuditHead(models.Model):
    """The number and the digest of the newest row. Who adds a row holds this one, so there is one order."""

    number = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, default="")

    def __str__(self) -> str:
        return f"head at {self.number}"
