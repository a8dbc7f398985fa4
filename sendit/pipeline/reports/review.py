"""What waits for a reviewer: images that a graylist withholds, and whose text could not be hidden.

A graylist names images of a kind that often carries text: a person can see whether this one does. What any other filter
withholds is forbidden, and nobody's to release.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from sendit.deid.recipe.recipe import Recipe
from sendit.pipeline.record.models import Image, Outcome
from sendit.pipeline.record.states import GROWING

COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Doubtful:
    """An image that a person may release or reject."""

    batch: int
    number: int
    rule: str
    is_on_the_move: bool
    """Whether a worker has the batch, so that the decision has to wait."""


def doubtful_rules(recipe: Recipe) -> frozenset[str]:
    """The rules whose images a person may decide about."""
    return frozenset(label.text for rules in recipe.filters if rules.is_graylist for label in rules.labels)


def waiting(project: str, recipe: Recipe, size: int) -> list[Doubtful]:
    """The images of a project that wait for a decision, the newest first."""
    found = _doubtful(project, recipe).order_by("-pk").select_related("batch")[:size]
    return [Doubtful(row.batch.pk, row.number, row.rule, row.batch.state not in GROWING) for row in found]


def number_waiting(project: str, recipe: Recipe) -> int:
    """How many images of a project wait for a decision, up to a limit: it is asked for every few seconds."""
    return _doubtful(project, recipe)[:COUNTED].count()


def _doubtful(project: str, recipe: Recipe) -> QuerySet[Image]:
    rules = sorted(doubtful_rules(recipe))
    return Image.objects.filter(outcome=Outcome.FILTERED, rule__in=rules, batch__project=project)
