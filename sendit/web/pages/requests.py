"""Requests: what somebody filed by a command, for another person to decide about."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from sendit.audit.acts import Act, Outcome
from sendit.pipeline import operations
from sendit.pipeline.operations import Decision, Kind
from sendit.pipeline.reports import requests as reports
from sendit.web import answers, notices
from sendit.web.access import person
from sendit.web.noting import note_request
from sendit.web.roles import Role, Roles
from sendit.web.site import projects

MAY_DECIDE: dict[Kind, Roles] = {
    Kind.CROSSWALK: frozenset({Role.BROKER, Role.PRIVACY}),
    Kind.APPROVAL: frozenset({Role.PRIVACY}),
}
ACTS = {Kind.CROSSWALK: Act.CROSSWALK, Kind.APPROVAL: Act.APPROVE}
SAID = {
    Decision.CONFIRMED: "Request {key} is confirmed.",
    Decision.DECLINED: "Request {key} is declined.",
    Decision.NOT_WAITING: "Request {key} does not wait for a decision any more.",
    Decision.OWN_REQUEST: "Request {key} was filed by you: another person has to decide about it.",
}
DECIDED = (Decision.CONFIRMED, Decision.DECLINED)


def requests(request: HttpRequest) -> HttpResponse:
    """Answer `/requests`: what waits for this person and what was decided, or a decision."""
    if request.method == "POST":
        return _decide(request)
    shown = list(reports.requests(_kinds(request), person(request).name))
    return render(request, "web/requests.html", {"notices": notices.take(request), "requests": shown})


def _kinds(request: HttpRequest) -> frozenset[Kind]:
    return frozenset(kind for kind, roles in MAY_DECIDE.items() if person(request).roles & roles)


def _decide(request: HttpRequest) -> HttpResponse:
    key, word = request.POST.get("request", ""), request.POST.get("do", "")
    kind = reports.kind_of(int(key)) if key.isascii() and key.isdigit() and len(key) < 19 else None
    if kind is None or word not in ("confirm", "decline"):
        return answers.refused(request, 404)
    if kind not in _kinds(request):
        return answers.refused(request, 403)
    with notices.of_errors(request):
        decision = _noted(request, kind, int(key), is_confirmed=word == "confirm")
        notices.give(request, SAID[decision].format(key=key), is_problem=decision not in DECIDED)
    return redirect("requests")


def _noted(request: HttpRequest, kind: Kind, key: int, *, is_confirmed: bool) -> Decision:
    """Decide, with the one row of the audit trail: both are there, or neither."""
    with transaction.atomic():
        decision = operations.decide_request(kind, key, person(request).name, projects(), is_confirmed=is_confirmed)
        if decision in DECIDED or decision is Decision.OWN_REQUEST:
            is_well = decision is Decision.CONFIRMED
            said = "; ".join([decision, *(f"{name} {value}" for name, value in reports.facts(key).items())])
            outcome = Outcome.SUCCESS if is_well else Outcome.MINOR_FAILURE
            note_request(request, ACTS[kind], key, outcome=outcome, reason=said)
    return decision
