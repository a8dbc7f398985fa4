"""Pulls: lists of studies that are retrieved from a PACS. What the lists name is encrypted at once and never shown."""

from __future__ import annotations

import io

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from sendit.audit.acts import Act
from sendit.errors import Misconfigured
from sendit.pipeline.reports import surroundings
from sendit.receiving.peers import peers_of
from sendit.receiving.retrieving import pulls as keeping
from sendit.receiving.retrieving.cohort import parse_cohort
from sendit.receiving.retrieving.hours import Hours
from sendit.web import answers, notices
from sendit.web.access import person
from sendit.web.noting import note
from sendit.web.site import site


def pulls(request: HttpRequest) -> HttpResponse:
    """Answer `/pulls`: the pulls, and a new one."""
    if request.method == "POST":
        with notices.of_errors(request):
            _ask(request)
        return redirect("pulls")
    return render(request, "web/pulls.html", _shown() | {"notices": notices.take(request)})


def _shown() -> dict[str, object]:
    listener = surroundings.listener(site().var)
    return {"pulls": keeping.reports(), "peers": retrievable(), "listener_runs": bool(listener and listener.runs)}


def retrievable() -> list[str]:
    """Return the names of the peers that are retrieved from; none where the peers file is missing or wrong."""
    try:
        return [peer.name for peer in peers_of(site()).known if peer.retrieve_from]
    except Misconfigured:
        return []


def _ask(request: HttpRequest) -> None:
    """Ask for the studies of the form. Raises Misconfigured."""
    peer, hours = request.POST.get("peer", ""), request.POST.get("hours", "").strip()
    per_hour = request.POST.get("per_hour", "").strip() or "0"
    if peer not in retrievable():
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
    return _changed(request, key, keeping.stop(key), "stopped", "stops after the study that is under way")


def go_on(request: HttpRequest, key: int) -> HttpResponse:
    """Answer `POST /pulls/<key>/go-on`."""
    return _changed(request, key, keeping.go_on(key), "went on with", "goes on")


def _changed(request: HttpRequest, key: int, is_done: bool, did: str, words: str) -> HttpResponse:
    if keeping.report(key) is None:
        return answers.refused(request, 404)
    if is_done:
        note(request, Act.PULL, reason=f"{did} pull {key}")
    notices.give(request, f"Pull {key} {words}." if is_done else f"Pull {key} was left as it is.")
    return redirect("pulls")
