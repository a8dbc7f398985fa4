"""Review: images that wait for a person's word, and the word: release or reject, with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render

from sendit import rendering
from sendit.audit.acts import Act
from sendit.errors import SenditError
from sendit.ground.terminal import duration
from sendit.pipeline import operations
from sendit.pipeline.operations import Boxes, Reviewed
from sendit.pipeline.reports import review as reports
from sendit.pipeline.reports.projects import project_of
from sendit.web import answers, notices
from sendit.web.access import REVIEWER, person
from sendit.web.noting import note
from sendit.web.reach import reach
from sendit.web.site import projects

SIZE = 60
LONGEST_REASON = 500
REASON = "review_reason"
"""A reason is kept in the session, for the next images."""
ACTS = {"release": Act.RELEASE, "reject": Act.REJECT}
DONE = {"release": "released", "reject": "rejected"}
IMAGE = re.compile(r"(\d{1,18})/(\d{1,9})", re.ASCII)


def review(request: HttpRequest) -> HttpResponse:
    """Answer `/review`: what waits, or a decision about images that were chosen."""
    if request.method == "POST":
        return _decide(request)
    names = reach(request).names(REVIEWER)
    context = {
        "notices": notices.take(request),
        "can_render": rendering.is_available(),
        "reason": request.session.get(REASON, ""),
    }
    try:
        sheets = reports.sheets(projects(), names, SIZE)
    except SenditError as error:
        return render(request, "web/review.html", context | {"problem": str(error)})
    oldest = reports.oldest_seconds(names)
    context |= {"sheets": sheets.series, "number": sheets.number, "is_more": sheets.is_more,
                "most": reports.COUNTED, "oldest": duration(oldest) if oldest else ""}  # fmt: skip
    return render(request, "web/review.html", context)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reviewer asks for."""

    word: str
    reason: str
    images: tuple[tuple[int, int], ...]
    masks: Boxes | None

    @classmethod
    def of(cls, request: HttpRequest) -> Wish:
        """Read a form. Raises ValueError where the masks are none."""
        chosen = set(_named(request, "images"))
        for batch, number in _named(request, "series"):
            chosen |= {(batch, other) for other in reports.of_same_series(batch, number)}
        masks = operations.boxes_of(request.POST["masks"]) if "masks" in request.POST else None
        if masks is not None and not all(map(operations.is_mask, masks)):
            raise ValueError(masks)
        reason = request.POST.get("reason", "").strip()[:LONGEST_REASON]
        return cls(request.POST.get("do", ""), reason, tuple(sorted(chosen)), masks)


def _named(request: HttpRequest, field: str) -> Iterator[tuple[int, int]]:
    """The images that a field names, of the projects in which the person reviews."""
    reached = reach(request).projects(REVIEWER)
    for text in request.POST.getlist(field):
        found = IMAGE.fullmatch(text)
        if found and (reached is None or project_of(int(found[1])) in reached):
            yield int(found[1]), int(found[2])


def _decide(request: HttpRequest) -> HttpResponse:
    try:
        wish = Wish.of(request)
    except ValueError:
        return _answer(request, ["A mask is left,top,width,height in pixels of the image."], set(), is_problem=True)
    if wish.word not in ACTS:
        return answers.refused(request, 404)
    if not wish.images or not wish.reason:
        return _answer(request, ["Choose images and give a reason."], set(wish.images), is_problem=True)
    request.session[REASON] = wish.reason
    said: list[tuple[str, bool]] = []
    left = set(wish.images)
    for batch, pairs in groupby(wish.images, key=lambda pair: pair[0]):
        numbers = [number for _, number in pairs]
        note(request, ACTS[wish.word], [batch], reason=f"images {', '.join(map(str, numbers))}")
        masks = None if wish.masks is None else dict.fromkeys(numbers, wish.masks)
        try:
            name = person(request).name
            reviewed = operations.review(projects(), batch, numbers, wish.word, name, wish.reason, masks)
        except SenditError as error:
            said.append((str(error), True))
            continue
        left -= {(batch, number) for number in _settled(reviewed)}
        said += _said(batch, reviewed, wish.word)
    if wants_json(request):
        return _answer(request, [sentence for sentence, _ in said], left, is_problem=False)
    for sentence, is_problem in said:
        notices.give(request, sentence, is_problem=is_problem)
    return redirect("review")


def wants_json(request: HttpRequest) -> bool:
    """Return whether the page's script asks."""
    return request.headers.get("Accept") == "application/json"


def _answer(request: HttpRequest, said: list[str], left: set[tuple[int, int]], *, is_problem: bool) -> HttpResponse:
    if wants_json(request):
        return JsonResponse({"said": said, "left": [f"{batch}/{number}" for batch, number in sorted(left)]})
    for sentence in said:
        notices.give(request, sentence, is_problem=is_problem)
    return redirect("review")


def _settled(reviewed: Reviewed | None) -> set[int]:
    """The images that wait no more, by this decision or by an earlier one."""
    if reviewed is None:
        return set()
    late: Mapping[int, object] = dict(reviewed.too_late)
    return {*reviewed.decided, *late}


def _said(batch: int, reviewed: Reviewed | None, word: str) -> Iterator[tuple[str, bool]]:
    if reviewed is None:
        yield f"There is no batch {batch}.", True
        return
    if reviewed.is_on_the_move:
        yield f"Batch {batch} is being worked on: decide again when it is DONE or EMPTY.", True
    yield from ((f"Image {number} of batch {batch} is {DONE[word]}.", False) for number in reviewed.decided)
    yield from ((f"Image {number} of batch {batch} does not wait for a person.", True) for number in reviewed.forbidden)
    yield from ((f"Image {number} of batch {batch}: the original is gone.", True) for number in reviewed.gone)
    for number, earlier in reviewed.too_late:
        yield f"Image {number} of batch {batch}: {earlier.actor} has decided already: {earlier.decision}.", True
