"""What waits for a reviewer: images in review, and images that a graylist withholds where nothing waits.

A graylist names images of a kind that often carries text: a person can see whether this one does. What any other filter
withholds is forbidden, and nobody's to release.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import BooleanField, Exists, OuterRef, QuerySet
from django.db.models.expressions import RawSQL

from sendit.deid.recipe.recipe import Recipe
from sendit.deid.stream.header import read_header
from sendit.errors import DataFault
from sendit.pipeline.record import clock
from sendit.pipeline.record.models import Batch, Image, Outcome, ReviewDecision
from sendit.pipeline.record.states import GROWING, Job
from sendit.pipeline.reports import images
from sendit.projects.composition import Projects

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


# ---------------------------------------------------------------------------------------------- contact sheets


@dataclass(frozen=True, slots=True)
class Series:
    """Images of one series that wait, as far as they are shown."""

    batch: int
    name: str
    """Its modality and number."""
    images: tuple[Waiting, ...]

    @property
    def first(self) -> int:
        """An image of it, by which the whole series is meant."""
        return self.images[0].number


@dataclass(frozen=True, slots=True)
class Sheets:
    """What is shown of all that waits."""

    series: tuple[Series, ...]
    number: int
    """Of all images that wait, up to COUNTED."""
    is_more: bool


def sheets(projects: Projects, names: Iterable[str], size: int) -> Sheets:
    """What waits in these projects, up to so many images, by series in the order of the batches."""
    found: list[Waiting] = []
    number = 0
    for name in names:
        ports = projects.of(name)
        number += number_waiting(name, ports.recipe)
        found += waiting(name, ports.recipe, size + 1 - len(found))
    series: dict[tuple[int, str], list[Waiting]] = {}
    called: dict[tuple[int, str], str] = {}
    for one in found[:size]:
        uid, name = _series_of(one.batch, one.number)
        series.setdefault((one.batch, uid), []).append(one)
        called.setdefault((one.batch, uid), name)
    shown = tuple(Series(key[0], called[key], tuple(some)) for key, some in series.items())
    return Sheets(shown, min(number, COUNTED), len(found) > size)


def of_same_series(batch: int, number: int) -> list[int]:
    """The undecided images of a batch that are of the same series as one of them."""
    project = Batch.objects.filter(pk=batch).values_list("project", flat=True).first()
    if project is None:
        return []
    numbers = undecided(project).filter(batch=batch).order_by("number").values_list("number", flat=True)
    wanted, _ = _series_of(batch, number)
    return [one for one in numbers if one == number or _series_of(batch, one)[0] == wanted]


def oldest_seconds(projects: Iterable[str]) -> float:
    """For how long the oldest image of these projects has been waiting."""
    first = (
        Batch.objects.filter(review_since__isnull=False, project__in=list(projects)).order_by("review_since").first()
    )
    return (clock.now() - first.review_since).total_seconds() if first and first.review_since else 0.0


def _series_of(batch: int, number: int) -> tuple[str, str]:
    """The series of an image by its original: what tells it from others, and what it is called."""
    try:
        header = read_header(images.original(batch, number).reveal())
    except (DataFault, OSError):
        return "", "original gone"
    name = " ".join(filter(None, (header.text("Modality"), header.text("SeriesNumber"))))
    return header.text("SeriesInstanceUID"), name or "series"
