"""Studies: taken back, let in again and made again, many at once or one by one, always with a reason.

What somebody types to name a study identifies: it comes in a form, and a line is only ever known by its number.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from sendit.audit.acts import Act
from sendit.ground.terminal import counted
from sendit.phi import Phi
from sendit.pipeline import operations
from sendit.pipeline.operations import Remade, Withdrawal
from sendit.pipeline.reports import batches, studies
from sendit.web import answers, notices
from sendit.web.access import person
from sendit.web.noting import note
from sendit.web.site import projects, site

LONGEST_REASON = 500
MOST_SENTENCES = 40
"""More are counted and not shown."""
WORK_SECONDS = 15.0
"""A press of a button works for so long; the page says what is left."""

Sentences = Iterator[tuple[str, bool]]
"""What is said of each study, and whether it is a problem."""


def page(request: HttpRequest) -> HttpResponse:
    """Answer `/studies`."""
    context = {
        "notices": notices.take(request),
        "unfinished": studies.unfinished(),
        "recipes": studies.recipes(),
        "projects": projects().names,
        "has_opt_out": bool(site().opt_out),
    }
    return render(request, "web/studies.html", context)


# ---------------------------------------------------------------------------------------------- many at once


def withdraw(request: HttpRequest) -> HttpResponse:
    """Answer `POST /studies/withdraw`: the studies that the lines of a form name."""
    lines = request.POST.get("lines", "").splitlines()

    def work(reason: str) -> None:
        note(request, Act.WITHDRAW, reason=f"{len(lines)} lines")
        _say(request, _by_lines(request, lines, reason))

    return _with_reason(request, "studies", work)


def _by_lines(request: HttpRequest, lines: list[str], reason: str) -> Sentences:
    ends_at = time.monotonic() + WORK_SECONDS
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if time.monotonic() > ends_at:
            yield f"Line {number} and those below it are left: send them again.", True
            return
        done = operations.withdraw_meant(Phi(line), reason, projects(), person(request).name)
        if not done:
            yield f"Line {number} names no study that is known.", True
        yield from _withdrawn(request, done)


def opt_out(request: HttpRequest) -> HttpResponse:
    """Answer `POST /studies/opt-out`: all studies of the patients in OPT_OUT."""

    def work(reason: str) -> None:
        note(request, Act.WITHDRAW, reason="patients who opted out")
        done = operations.withdraw_opted_out(reason, projects(), person(request).name)
        _say(request, _withdrawn(request, done))

    return _with_reason(request, "studies", work)


def finish(request: HttpRequest) -> HttpResponse:
    """Answer `POST /studies/finish`: what earlier withdrawals could not remove."""

    def work(reason: str) -> None:
        note(request, Act.WITHDRAW, reason="what could not be removed before")
        done = operations.go_on_withdrawing(reason, projects(), person(request).name)
        _say(request, _withdrawn(request, done))

    return _with_reason(request, "studies", work)


def redeliver(request: HttpRequest) -> HttpResponse:
    """Answer `POST /studies/redeliver`: all studies of a recipe or a project; first, what would be done."""
    recipe, project = request.POST.get("recipe", ""), request.POST.get("project", "")
    found = operations.studies_of((), project, recipe)
    return _with_reason(request, "studies", lambda reason: _say(request, _remade(request, found, reason)))


# ---------------------------------------------------------------------------------------------- one


def withdraw_batch(request: HttpRequest, key: int) -> HttpResponse:
    """Answer `POST /batches/<key>/withdraw`."""

    def work(reason: str) -> None:
        note(request, Act.WITHDRAW, [key])
        _say(request, _withdrawn(request, [operations.withdraw(key, reason, projects(), person(request).name)]))

    return _of_batch(request, key, work)


def readmit_batch(request: HttpRequest, key: int) -> HttpResponse:
    """Answer `POST /batches/<key>/readmit`."""

    def work(reason: str) -> None:
        note(request, Act.READMIT, [key])
        remade = operations.readmit(key, reason, person(request).name)
        if remade is None:
            notices.give(request, f"Batch {key} is not withdrawn.", is_problem=True)
        else:
            notices.give(request, _capital(remade.sentence("queued again")), is_problem=remade.is_left_alone)

    return _of_batch(request, key, work)


def redeliver_batch(request: HttpRequest, key: int) -> HttpResponse:
    """Answer `POST /batches/<key>/redeliver`."""
    found = operations.studies_of([key])
    return _of_batch(request, key, lambda reason: _say(request, _remade(request, found, reason)))


def _of_batch(request: HttpRequest, key: int, work: Callable[[str], None]) -> HttpResponse:
    if batches.report(key) is None:
        return answers.refused(request, 404)
    return _with_reason(request, "batch", work, key)


# ---------------------------------------------------------------------------------------------- what is said


def _with_reason(request: HttpRequest, back: str, work: Callable[[str], None], *key: int) -> HttpResponse:
    """Do it, unless the form gives no reason, and lead back to a page."""
    reason = request.POST.get("reason", "").strip()[:LONGEST_REASON]
    if not reason:
        notices.give(request, "Give a reason.", is_problem=True)
    else:
        with notices.of_errors(request):
            work(reason)
    return redirect(back, *key)


def _withdrawn(request: HttpRequest, done: Iterable[Withdrawal]) -> Sentences:
    for withdrawal in done:
        note(request, Act.WITHDRAW, withdrawal.batches)
        first, *rest = withdrawal.sentences()
        yield _capital(first), False
        yield from ((sentence, True) for sentence in rest)


def _remade(request: HttpRequest, found: list[int], reason: str) -> Sentences:
    is_dry_run = request.POST.get("do") != "redeliver"
    if not is_dry_run:
        note(request, Act.REDELIVER, reason=f"{len(found)} studies")
    made: list[Remade] = []
    for remade in operations.redeliver(found, reason, person(request).name, is_dry_run=is_dry_run):
        made += [] if remade.is_left_alone else [remade]
        if not is_dry_run:
            note(request, Act.REDELIVER, remade.batches)
        yield _capital(remade.sentence("would be made again" if is_dry_run else "queued again")), remade.is_left_alone
    said = "would be made again" if is_dry_run else "queued again"
    yield f"{counted(len(made), 'study', 'studies')} {said}.", False


def _say(request: HttpRequest, sentences: Sentences) -> None:
    """Say the first ones, and how many more there are."""
    said = list(sentences)
    for sentence, is_problem in said[:MOST_SENTENCES]:
        notices.give(request, sentence, is_problem=is_problem)
    if len(said) > MOST_SENTENCES:
        notices.give(request, f"And {counted(len(said) - MOST_SENTENCES, 'more line')}; the last one: {said[-1][0]}")
    if not said:
        notices.give(request, "There is no such study.", is_problem=True)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
