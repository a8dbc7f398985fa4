"""What waits for a reviewer: images in review, and images that a graylist withholds where nothing waits.

A graylist names images of a kind that often carries text: a person can see whether this one does. What any other filter
withholds is forbidden, and nobody's to release.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import BooleanField, Exists, OuterRef, QuerySet
from django.db.models.expressions import RawSQL

from sendit.deid.recipe.recipe import Recipe
from sendit.pipeline.record.models import Image, Outcome, ReviewDecision
from sendit.pipeline.record.states import GROWING, Job

COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """An image that a person may release or reject."""

    batch: int
    number: int
    rule: str
    since: datetime | None
    """Since when images of its batch wait; None of an image that is withheld."""
    has_output: bool
    """Whether a de-identified image was made of it, which waits in its batch's archive."""
    is_on_the_move: bool
    """Whether a worker has the batch, so that the decision has to wait."""


def doubtful_rules(recipe: Recipe) -> frozenset[str]:
    """The rules whose images a person may decide about."""
    return frozenset(label.text for rules in recipe.filters if rules.is_graylist for label in rules.labels)


def waiting(project: str, recipe: Recipe, size: int) -> list[Waiting]:
    """The images of a project that wait for a decision, in the order of their batches, and then what is withheld."""
    in_review = undecided(project).order_by("batch", "number").select_related("batch")[:size]
    found = [
        Waiting(row.batch.pk, row.number, row.rule, row.batch.review_since, bool(row.member), False)
        for row in in_review
    ]
    withheld = _withheld(project, recipe).order_by("-pk").select_related("batch")[: size - len(found)]
    at_rest = (*GROWING, Job.PROCESS.waiting)
    found += [
        Waiting(row.batch.pk, row.number, row.rule, None, False, row.batch.state not in at_rest) for row in withheld
    ]
    return found


def number_waiting(project: str, recipe: Recipe) -> int:
    """How many images of a project wait for a decision, up to a limit: it is asked for every few seconds."""
    in_review = undecided(project)[:COUNTED].count()
    return in_review + _withheld(project, recipe)[: COUNTED - in_review].count()


def undecided(project: str) -> QuerySet[Image]:
    """The images in review about which nobody has decided.

    The outcome is a literal: SQLite uses no partial index for a bound parameter.
    """
    literal = RawSQL(f"pipeline_image.outcome = '{Outcome.IN_REVIEW.value}'", (), BooleanField())
    decided = ReviewDecision.objects.filter(project=project, digest=OuterRef("review_digest"))
    return Image.objects.filter(literal, ~Exists(decided), batch__project=project)


def _withheld(project: str, recipe: Recipe) -> QuerySet[Image]:
    rules = sorted(doubtful_rules(recipe))
    return Image.objects.filter(outcome=Outcome.FILTERED, rule__in=rules, batch__project=project)
