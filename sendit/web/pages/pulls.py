"""Pulls: lists of studies that are retrieved from a PACS. What the lists name is encrypted at once and never shown."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from sendit.audit.acts import Act
from sendit.errors import Misconfigured
from sendit.pipeline.reports import surroundings
from sendit.receiving.peers import peers_of
from sendit.receiving.retrieving import pulls as keeping
from sendit.receiving.retrieving.cohort import parse_cohort
from sendit.receiving.retrieving.hours import Hours
from sendit.receiving.retrieving.pulls import PullReport
from sendit.web import answers, notices
from sendit.web.access import OPERATOR, person
from sendit.web.noting import note
from sendit.web.reach import reach
from sendit.web.site import projects, site


def pulls(request: HttpRequest) -> HttpResponse:
    """Answer `/pulls`: the pulls, and a new one."""
    if request.method == "POST":
        with notices.of_errors(request):
            _ask(request)
        return redirect("pulls")
    return render(request, "web/pulls.html", _shown(request) | {"notices": notices.take(request)})


def _shown(request: HttpRequest) -> dict[str, object]:
    listener = surroundings.listener(site().var)
    return {
        "pulls": of_reach(request, keeping.reports()),
        "peers": retrievable(request),
        "listener_runs": bool(listener and listener.runs),
    }


def retrievable(request: HttpRequest) -> list[str]:
    """Return the names of the peers that the person may retrieve from: those whose studies go to projects in reach.

    There are none where the peers file is missing or wrong.
    """
    try:
        known = peers_of(site()).known
        names = reach(request).names(OPERATOR)
        folders = {folder.path.resolve() for name, folder in projects().data_folders if name in names}
    except Misconfigured:
        return []
    return [peer.name for peer in known if peer.retrieve_from and peer.data_folder.resolve() in folders]


def of_reach(request: HttpRequest, found: Sequence[PullReport]) -> list[PullReport]:
    """Return the pulls from peers that the person may retrieve from; an operator of the site sees all of them."""
    if reach(request).projects(OPERATOR) is None:
        return list(found)
    peers = retrievable(request)
    return [one for one in found if one.peer in peers]


def in_reach(request: HttpRequest, key: int) -> PullReport | None:
    """Return one pull, if it is in the person's reach, or None."""
    found = keeping.report(key)
    return next(iter(of_reach(request, [found] if found else [])), None)


def _ask(request: HttpRequest) -> None:
    """Ask for the studies of the form. Raises Misconfigured."""
    peer, hours = request.POST.get("peer", ""), request.POST.get("hours", "").strip()
    per_hour = request.POST.get("per_hour", "").strip() or "0"
    if peer not in retrievable(request):
        notices.give(request, "Choose a PACS that the peers file names with retrieve_from.", is_problem=True)
    elif not (are_hours(hours) and per_hour.isascii() and per_hour.isdigit() and len(per_hour) < 7):
        notices.give(request, "Hours are given as 20-6, and the rate as a number of studies an hour.", is_problem=True)
    else:
        cohort = parse_cohort(io.StringIO(_list(request), newline=""))
        note(request, Act.PULL, reason=f"{len(cohort)} lines from {peer}")
        key = keeping.ask(peer, cohort, person(request).name, hours, float(per_hour))
        notices.give(request, f"Pull {key}: {len(cohort)} lines are wanted from {peer}.")


def are_hours(text: str) -> bool:
    """Return whether a text is a span of the day, or blank."""
    try:
        return not text or bool(Hours.parse(text))
    except ValueError:
        return False


def _list(request: HttpRequest) -> str:
    """Return the list, from the file or from the field. Raises Misconfigured("BadCohort")."""
    file = request.FILES.get("file")
    if file is None or isinstance(file, list):
        return request.POST.get("list", "").lstrip("\ufeff")
    try:
        return str(file.read(), "utf-8-sig")
    except UnicodeDecodeError:
        raise Misconfigured("BadCohort", subject="the file is not CSV in UTF-8") from None


def stop(request: HttpRequest, key: int) -> HttpResponse:
    """Answer `POST /pulls/<key>/stop`."""
    return _changed(request, key, keeping.stop, "stopped", "stops after the study that is under way")


def go_on(request: HttpRequest, key: int) -> HttpResponse:
    """Answer `POST /pulls/<key>/go-on`."""
    return _changed(request, key, keeping.go_on, "went on with", "goes on")


def _changed(request: HttpRequest, key: int, change: Callable[[int], bool], did: str, words: str) -> HttpResponse:
    if in_reach(request, key) is None:
        return answers.refused(request, 404)
    is_done = change(key)
    if is_done:
        note(request, Act.PULL, reason=f"{did} pull {key}")
    notices.give(request, f"Pull {key} {words}." if is_done else f"Pull {key} was left as it is.")
    return redirect("pulls")
