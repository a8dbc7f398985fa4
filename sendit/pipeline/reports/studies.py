"""Studies: what withdrawals could not remove yet, and by which recipes the studies were made that stand."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count

from sendit.deid.recipe.recipe import Recipe
from sendit.pipeline.record import studies
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.site_models import KeptRecipe


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


def project_of(batch: int) -> str:
    """The project of a batch that is there."""
    return str(Batch.objects.values_list("project", flat=True).get(pk=batch))


def recipe_changes(sha256: str, now: Recipe) -> Iterator[str]:
    """The lines that the recipe of now lacks (-) and has in addition (+), compared with the one of that SHA-256.

    There are none where that one was not kept.
    """
    kept = KeptRecipe.objects.filter(sha256=sha256).values_list("text", flat=True).first()
    for line in difflib.unified_diff((kept or "").splitlines(), now.text.splitlines(), n=0) if kept else ():
        if line[:1] in "+-" and not line.startswith(("---", "+++")):
            yield line
