"""Review: images that wait for a person's word, and the word: release or reject, with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from sendit import rendering
from sendit.audit.acts import Act
from sendit.errors import SenditError
from sendit.pipeline import operations
from sendit.pipeline.operations import Reviewed
from sendit.pipeline.reports import review as reports
from sendit.pipeline.reports.projects import project_of
from sendit.web import answers, notices
from sendit.web.access import REVIEWER, person
from sendit.web.noting import note
from sendit.web.reach import reach
from sendit.web.site import projects, recipe

SIZE = 60
LONGEST_REASON = 500
ACTS = {"release": Act.RELEASE, "reject": Act.REJECT}
DONE = {"release": "released: it goes out with the next part of its study", "reject": "rejected"}
IMAGE = re.compile(r"(\d{1,18})/(\d{1,9})", re.ASCII)


def review(request: HttpRequest) -> HttpResponse:
    """Answer `/review`: what waits, or a decision about images that were chosen."""
    if request.method == "POST":
        return _decide(request)
    names = reach(request).names(REVIEWER)
    context = {"notices": notices.take(request), "can_render": rendering.is_available()}
    try:
        waiting = [one for name in names for one in reports.waiting(name, recipe(name), SIZE + 1)][: SIZE + 1]
    except SenditError as error:
        return render(request, "web/review.html", context | {"problem": str(error)})
    context |= {"waiting": waiting[:SIZE], "has_more": len(waiting) > SIZE}
    return render(request, "web/review.html", context)


def _decide(request: HttpRequest) -> HttpResponse:
    word, reason = request.POST.get("do", ""), request.POST.get("reason", "").strip()[:LONGEST_REASON]
    chosen = sorted({(int(found[1]), int(found[2])) for one in request.POST.getlist("images")
                     if (found := IMAGE.fullmatch(one))})  # fmt: skip
    if word not in ACTS:
        return answers.refused(request, 404)
    if not chosen or not reason:
        notices.give(request, "Choose images and give a reason.", is_problem=True)
        return redirect("review")
    reached = reach(request).projects(REVIEWER)
    chosen = [pair for pair in chosen if reached is None or project_of(pair[0]) in reached]
    for batch, pairs in groupby(chosen, key=lambda pair: pair[0]):
        numbers = [number for _, number in pairs]
        note(request, ACTS[word], [batch], reason=f"images {', '.join(map(str, numbers))}")
        with notices.of_errors(request):
            reviewed = operations.review(projects(), batch, numbers, word, person(request).name, reason)
            for sentence, is_problem in _said(batch, reviewed, word):
                notices.give(request, sentence, is_problem=is_problem)
    return redirect("review")


def _said(batch: int, reviewed: Reviewed | None, word: str) -> Iterator[tuple[str, bool]]:
    if reviewed is None:
        yield f"There is no batch {batch}.", True
        return
    if reviewed.is_on_the_move:
        yield f"Batch {batch} is being worked on: decide again when it is DONE or EMPTY.", True
    yield from ((f"Image {number} of batch {batch} is {DONE[word]}.", False) for number in reviewed.decided)
    yield from ((f"Image {number} of batch {batch}: no graylist withholds it.", True) for number in reviewed.forbidden)
    yield from ((f"Image {number} of batch {batch}: the original is gone.", True) for number in reviewed.gone)
    for number, earlier in reviewed.too_late:
        yield f"Image {number} of batch {batch}: {earlier.actor} has decided already: {earlier.decision}.", True
