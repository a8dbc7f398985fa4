"""Approval: what a project does with a study, and who has approved it so, as a page to print and sign."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sendit.deid.recipe.explanation import explain
from sendit.errors import SenditError
from sendit.pipeline.reports import approvals as reports
from sendit.projects.project import DEFAULT
from sendit.web.site import projects


def approval(request: HttpRequest) -> HttpResponse:
    """Answer `/approval?project=lung`."""
    site_projects = projects()
    offered = sorted(site_projects.names)
    wanted = request.GET.get("project", DEFAULT)
    name = wanted if wanted in offered else DEFAULT
    context: dict[str, Any] = {"offered": offered, "name": name}
    try:
        ports = site_projects.of(name)
        context |= {"told": explain(ports.recipe), "standing": reports.standing(ports)}
    except SenditError as error:
        return render(request, "web/approval.html", context | {"problem": str(error)})
    return render(request, "web/approval.html", context)
