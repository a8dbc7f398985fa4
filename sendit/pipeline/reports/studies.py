"""Studies: what withdrawals could not remove yet, and by which recipes the studies were made that stand."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from sendit.pipeline.record import studies
from sendit.pipeline.record.models import Batch


@dataclass(frozen=True, slots=True)
class RecipeUse:
    """A recipe, and how many studies were made by it."""

    sha256: str
    name: str
    studies: int


def unfinished() -> int:
    """How many withdrawn studies may still have something at a destination."""
    return len(studies.not_removed())


def recipes() -> list[RecipeUse]:
    """The recipes by which studies were made that are not withdrawn, the most used first."""
    made = Batch.objects.exclude(recipe_sha256="").filter(study__isnull=False, study__withdrawn_at__isnull=True)
    uses = made.order_by().values_list("recipe_sha256", "recipe_name").annotate(number=Count("study", distinct=True))
    return [RecipeUse(sha256, name, number) for sha256, name, number in uses.order_by("-number", "recipe_sha256")]
