"""Overview: what waits, what is done, what was withheld and why, and the switches."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from sendit.audit.acts import Act
from sendit.errors import CODES, SenditError
from sendit.ground.terminal import counted, duration
from sendit.pipeline import operations
from sendit.pipeline.reports import overview as reports
from sendit.pipeline.reports import review, surroundings
from sendit.pipeline.reports.overview import Overview, Throughput
from sendit.receiving.peers import peers_file
from sendit.web import answers, notices
from sendit.web.access import may, person
from sendit.web.eyes import Eyes
from sendit.web.noting import note
from sendit.web.site import projects, recipe, site

RETRY_SECONDS = 10.0
"""A press of the button retries for so long; the page says how many are left."""
STOP_SECONDS = 45.0
"""More than the watcher gives its workers."""


@dataclass(frozen=True, slots=True)
class StateRow:
    """A state with its count and, for who may see it, its oldest batch."""

    state: str
    count: int
    oldest: int | None = None
    age: str = ""


def overview(request: HttpRequest) -> HttpResponse:
    """Answer `/overview`; a browser that asks for news gets the part that changes."""
    if request.headers.get("HX-Request"):
        return answers.fragment(request, "web/overview_now.html", _now(request))
    return render(request, "web/overview.html", _now(request) | {"notices": notices.take(request)})


def _now(request: HttpRequest) -> dict[str, Any]:
    eyes, found = Eyes.of(request), reports.overview()
    context: dict[str, Any] = {
        "rows": list(_rows(found, eyes)),
        "with_errors": found.with_errors,
        "withheld": found.withheld,
        "reasons": found.reasons,
        "is_whole_history": found.is_whole_history,
        "newest_files": reports.RECENT_FILES,
        "may_operate": may(request, "queue", "POST"),
        "may_review": may(request, "review"),
        "in_review": _in_review(),
        "most_in_review": review.COUNTED,
        "review_age": duration(found.in_review.seconds) if found.in_review.images and eyes.sees_times else "",
        "delivers": site().send_to_google,
        "is_paused": surroundings.delivery_is_paused(),
        "sees_times": eyes.sees_times,
    }
    return context | (_surroundings(found) if eyes.sees_times else {})


def _in_review() -> int:
    """How many images wait for a decision; a recipe that cannot be read says so elsewhere."""
    try:
        return sum(review.number_waiting(name, recipe(name)) for name in projects().names)
    except SenditError:
        return 0


def _rows(found: Overview, eyes: Eyes) -> Iterator[StateRow]:
    oldest = {one.state: one for one in found.oldest} if eyes.sees_times else {}
    for state, count in found.states.items():
        one = oldest.get(state)
        yield StateRow(state, count, one.batch, duration(one.seconds)) if one else StateRow(state, count)


def _surroundings(found: Overview) -> dict[str, Any]:
    """Return what tells when and how fast, which is not for everybody."""
    at = site()
    return {
        "watcher": surroundings.watcher(at.var),
        "watcher_is_ours": at.runner == "embedded",
        "listener": surroundings.listener(at.var),
        "has_peers": peers_file(at).exists(),
        "broker": surroundings.broker(),
        "folders": surroundings.folders(projects()),
        "last_hour": _speed(found.last_hour),
        "latest": _speed(found.latest),
        "free": _free(),
        "postponed": [(code, number, CODES[code]) for code, number in sorted(found.postponed.items()) if code in CODES],
        "lapsed": found.lapsed,
    }


def _speed(throughput: Throughput) -> str:
    if not throughput.batches:
        return "nothing"
    return (
        f"{counted(throughput.batches, 'batch', 'batches')}, {counted(throughput.images, 'image')}, "
        f"{throughput.images_per_second:,.1f} images/s, {throughput.megabytes_per_second:,.1f} MB/s"
    )


def _free() -> str:
    usage = shutil.disk_usage(site().var)
    return f"{usage.free / 1e9:,.0f} GB of {usage.total / 1e9:,.0f} GB"


# ------------------------------------------------------------------------------------------ the switches


def queue(request: HttpRequest) -> HttpResponse:
    """Answer `POST /queue`: make batches of the finished folders."""
    note(request, Act.QUEUE)
    with notices.of_errors(request):
        known = projects()
        added = operations.queue_of(known.names, known, site().queue_settle_seconds, None, person(request).name)
        left = f" {counted(len(added.left), 'folder is', 'folders are')} still being written." if added.left else ""
        notices.give(request, f"{counted(added.number, 'new folder')} queued.{left}{_who_works()}")
    return redirect("overview")


def _who_works() -> str:
    if site().runner != "embedded" or surroundings.watcher(site().var).runs:
        return ""
    return " No watcher runs: start it to have them processed."


def retry_code(request: HttpRequest) -> HttpResponse:
    """Answer `POST /retry-code`: retry every batch in ERROR that has a code."""
    code = request.POST.get("code", "")
    if code not in CODES:
        return answers.refused(request, 404)
    ends_at, queued = time.monotonic() + RETRY_SECONDS, []
    for retried in operations.retry_stopped(code, person(request).name):
        queued += [retried.batch] if retried.is_queued else []
        if time.monotonic() > ends_at:
            notices.give(request, "There are more: press the button again.")
            break
    note(request, Act.RETRY, queued, reason=code)
    notices.give(request, f"{counted(len(queued), 'batch', 'batches')} with {code} queued again.{_who_works()}")
    return redirect("overview")


def pause(request: HttpRequest) -> HttpResponse:
    """Answer `POST /delivery/pause`."""
    note(request, Act.PAUSE)
    operations.pause_delivery(person(request).name)
    notices.give(request, "Delivery is paused. What has begun is finished.")
    return redirect("overview")


def resume(request: HttpRequest) -> HttpResponse:
    """Answer `POST /delivery/resume`."""
    note(request, Act.RESUME)
    operations.resume_delivery(person(request).name)
    notices.give(request, "Delivery goes on.")
    return redirect("overview")


def start_watcher(request: HttpRequest) -> HttpResponse:
    """Answer `POST /watcher/start`."""
    return _start(request, "watcher", Act.START_WATCHER, operations.start_watcher)


def stop_watcher(request: HttpRequest) -> HttpResponse:
    """Answer `POST /watcher/stop`."""
    return _stop(request, "watcher", Act.STOP_WATCHER, operations.stop_watcher)


def start_listener(request: HttpRequest) -> HttpResponse:
    """Answer `POST /listener/start`."""
    return _start(request, "listener", Act.START_LISTENER, operations.start_listener)


def stop_listener(request: HttpRequest) -> HttpResponse:
    """Answer `POST /listener/stop`."""
    return _stop(request, "listener", Act.STOP_LISTENER, operations.stop_listener)


def _start(request: HttpRequest, service: str, act: Act, start: Callable[[Path], int]) -> HttpResponse:
    """Start a service of this VAR; with Celery it is a service manager's."""
    if site().runner != "embedded":
        return answers.refused(request, 404)
    note(request, act)
    with notices.of_errors(request):
        start(site().var)
        notices.give(request, f"The {service} runs.")
    return redirect("overview")


def _stop(request: HttpRequest, service: str, act: Act, stop: Callable[[Path, float], int | None]) -> HttpResponse:
    if site().runner != "embedded":
        return answers.refused(request, 404)
    note(request, act)
    with notices.of_errors(request):
        stopped = stop(site().var, STOP_SECONDS)
        notices.give(request, f"No {service} runs." if stopped is None else f"The {service} has stopped.")
    return redirect("overview")
