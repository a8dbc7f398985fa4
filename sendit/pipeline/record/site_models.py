"""The tables that hold something about the whole site and not about a batch.

Each is written and read by the one module that its docstring names.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class DeliveryPause(models.Model):
    """Whether delivery is paused; one row, which `pauses` makes and changes."""

    is_on = models.BooleanField(default=False)
    actor = models.CharField(max_length=150, default="")
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return "delivery is paused" if self.is_on else "delivery is not paused"


class ProjectPause(models.Model):
    """A project that is paused, as long as there is this row."""

    name = models.CharField(max_length=64, primary_key=True)
    actor = models.CharField(max_length=150, default="")
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"project {self.name} is paused"


class Totals(models.Model):
    """What the history amounts to up to an event; one row, which `totals` makes and moves on."""

    through = models.BigIntegerField(default=0)
    """The last event that is counted in."""
    counts = models.JSONField(default=list)
    """A list of [*what, number]."""
    noted = models.BigIntegerField(default=0)
    noted_at = models.DateTimeField()
    """When `noted` was the last event: once that is a while ago, every event up to it has been committed."""
    batches_through = models.BigIntegerField(db_default=0)
    batches = models.BigIntegerField(db_default=0)
    """How many batches have that key or a lower one: no batch is deleted, so that never changes."""

    def __str__(self) -> str:
        return f"totals through event {self.through}"


class KeptRecipe(models.Model):
    """A recipe by which a batch was processed, whole; `kept_recipes` writes and reads it."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    name = models.TextField()
    """The names of all its parts, with commas between."""
    text = models.TextField()
    """As `Recipe.text`: with the lines that PROFILE and INCLUDE stand for."""
    parts = models.JSONField(default=list)
    """A list of [name, text, whether it is lenient]: what it was made of."""
    kept_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"recipe {self.sha256[:12]}"


class KeyBinding(models.Model):
    """Which keys a key file held when this database's data were made; `key_bindings` reads and writes it."""

    file = models.CharField(max_length=40, primary_key=True)
    proofs = models.TextField(default="")
    """A digest of each key in the file, keyed with the key itself, in the file's order; blank until the first start."""
    bound_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"binding of {self.file}"


class ProjectBinding(models.Model):
    """What a project was when its first batch was made; `project_bindings` reads and writes it."""

    name = models.CharField(max_length=64, primary_key=True)
    proof = models.CharField(max_length=64)
    """A digest that only its key makes."""
    kind = models.CharField(max_length=8)
    identity_service = models.CharField(max_length=255)
    identity_collection = models.CharField(max_length=255)
    bound_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"binding of project {self.name}"


class Host(models.Model):
    """A host, which says from time to time that it is there."""

    name = models.CharField(max_length=64, primary_key=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"host {self.name}"
