"""Settings: what is in force, where it comes from, and what `sendit check` finds. No secret is shown."""

from __future__ import annotations

from django.core import checks
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sendit.projects.site import SETTINGS, variable
from sendit.web.site import origins, site


def settings(request: HttpRequest) -> HttpResponse:
    """Answer `/settings`."""
    found, come_from = site(), origins()
    rows = [
        {
            "name": name,
            "variable": variable(name),
            "value": _text(getattr(found, name.lower()), entry.is_secret),
            "origin": come_from[name],
            "about": entry.about,
        }
        for name, entry in SETTINGS.items()
    ]
    messages = [
        {"is_error": one.level >= checks.ERROR, "id": one.id, "says": one.msg, "hint": one.hint}
        for one in checks.run_checks()
        if (one.id or "").startswith("sendit.")
    ]
    return render(request, "web/settings.html", {"rows": rows, "messages": messages})


def _text(value: object, is_secret: bool) -> str:
    if is_secret and value:
        return "(set)"
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)
