"""The API's addresses for what waits for a person, for pausing delivery, and for the projects."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated, Literal

from annotated_types import Ge, Le, Len
from django.http import HttpRequest
from ninja import Router, Schema

from sendit.audit.acts import Act
from sendit.pipeline import operations
from sendit.pipeline.operations import Reviewed
from sendit.pipeline.reports import projects as project_reports
from sendit.pipeline.reports import review as reports
from sendit.pipeline.reports.projects import project_of
from sendit.web.access import OPERATOR, REVIEWER, person
from sendit.web.api.bounds import Key, Reason, Size
from sendit.web.eyes import Eyes
from sendit.web.noting import note
from sendit.web.pages.review import ACTS
from sendit.web.problems import NothingHere
from sendit.web.reach import reach
from sendit.web.site import projects

router = Router(tags=["review"])

Number = Annotated[int, Ge(0), Le(1 << 31)]
Pixel = Annotated[int, Ge(0), Le(1 << 20)]
Box = Annotated[list[Pixel], Len(4, 4)]


class WaitingOut(Schema):
    """An image that waits for a person: `since` is blank where a graylist withholds it for good."""

    batch: int
    number: int
    rule: str
    since: str
    is_on_the_move: bool


class ImageIn(Schema):
    """An image by its batch and its number."""

    batch: Key
    number: Number


class ReviewIn(Schema):
    """A decision. `masks` are left, top, width and height in pixels; without it, what is proposed is blanked."""

    do: Literal["release", "reject"]
    images: Annotated[list[ImageIn], Len(1, 500)]
    reason: Reason
    masks: Annotated[list[Box], Len(0, 64)] | None = None


class ReviewedOut(Schema):
    """What became of the wish to decide about images of one batch, by their numbers."""

    batch: int
    decided: list[int]
    forbidden: list[int]
    gone: list[int]
    too_late: list[int]
    is_on_the_move: bool


class ProjectOut(Schema):
    """A project. `refused` says why nothing is done for it, where its file is wrong."""

    name: str
    title: str
    recipe: str
    batches: int
    refused: str


class PauseIn(Schema):
    """Whose delivery; blank is that of all projects."""

    project: Annotated[str, Len(0, 64)] = ""


class PauseOut(Schema):
    """Whether delivery is paused now, and whether this request has changed that."""

    is_paused: bool
    is_changed: bool


@router.get("/review", response=list[WaitingOut], url_name="review")
def waiting(request: HttpRequest, limit: Size = 100) -> list[WaitingOut]:
    """What waits for a person, in the projects that the user reviews."""
    eyes, names = Eyes.of(request), reach(request).names(REVIEWER)
    found = reports.sheets(projects(), names, limit)
    return [
        WaitingOut(
            batch=one.batch,
            number=one.number,
            rule=one.rule,
            since=eyes.moment(one.since),
            is_on_the_move=one.is_on_the_move,
        )
        for series in found.series
        for one in series.images
    ]


@router.post("/review", response=list[ReviewedOut], url_name="review")
def decide(request: HttpRequest, wish: ReviewIn) -> list[ReviewedOut]:
    """Release or reject images. The first decision about an image stands; a later one is told in `too_late`."""
    chosen = sorted({(one.batch, one.number) for one in wish.images})
    reached = reach(request).projects(REVIEWER)
    if reached is not None and any(project_of(batch) not in reached for batch, _ in chosen):
        raise NothingHere
    masks = None if wish.masks is None else tuple((box[0], box[1], box[2], box[3]) for box in wish.masks)
    answered = []
    for batch, pairs in groupby(chosen, key=lambda pair: pair[0]):
        numbers = [number for _, number in pairs]
        note(request, ACTS[wish.do], [batch], reason=f"images {', '.join(map(str, numbers))}")
        boxes = None if masks is None else dict.fromkeys(numbers, masks)
        name = person(request).name
        reviewed = operations.review(projects(), batch, numbers, wish.do, name, wish.reason, boxes)
        if reviewed is None:
            raise NothingHere
        answered.append(_shown(reviewed))
    return answered


def _shown(one: Reviewed) -> ReviewedOut:
    return ReviewedOut(
        batch=one.batch,
        decided=list(one.decided),
        forbidden=list(one.forbidden),
        gone=list(one.gone),
        too_late=[number for number, _ in one.too_late],
        is_on_the_move=one.is_on_the_move,
    )


@router.get("/projects", response=list[ProjectOut], url_name="projects", tags=["projects"])
def all_projects(request: HttpRequest) -> list[ProjectOut]:
    """The projects that the user operates."""
    names = reach(request).projects(OPERATOR)
    return [
        ProjectOut(name=one.name, title=one.title, recipe=one.recipe, batches=one.batches, refused=one.refused)
        for one in project_reports.listed(projects())
        if names is None or one.name in names
    ]


@router.post("/delivery/pause", response=PauseOut, url_name="delivery-pause", tags=["operations"])
def pause(request: HttpRequest, whose: PauseIn) -> PauseOut:
    """Pause delivery; what has begun is finished."""
    _ensure_theirs(request, whose.project)
    note(request, Act.PAUSE, reason=whose.project)
    name = person(request).name
    is_changed = operations.pause_project(whose.project, name) if whose.project else operations.pause_delivery(name)
    return PauseOut(is_paused=True, is_changed=is_changed)


@router.post("/delivery/resume", response=PauseOut, url_name="delivery-resume", tags=["operations"])
def resume(request: HttpRequest, whose: PauseIn) -> PauseOut:
    """Go on with delivery."""
    _ensure_theirs(request, whose.project)
    note(request, Act.RESUME, reason=whose.project)
    name = person(request).name
    is_changed = operations.resume_project(whose.project, name) if whose.project else operations.resume_delivery(name)
    return PauseOut(is_paused=False, is_changed=is_changed)


def _ensure_theirs(request: HttpRequest, project: str) -> None:
    """Raise NothingHere where the user does not operate the project, or, for all of them, the site."""
    reached = reach(request).projects(OPERATOR)
    is_known = not project or project in projects().names
    if not is_known or (reached is not None and project not in reached):
        raise NothingHere
