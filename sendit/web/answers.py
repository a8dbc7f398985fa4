"""What every page has in common: how it is rendered, refused, and answered again only when it has changed."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from sendit.web.site import cookie_key
from sendit.web.static_files import address

REFUSALS: dict[int, tuple[str, str]] = {
    403: ("Not for you", "None of your roles may do this. An admin can give you others."),
    404: ("Nothing here", "There is no such page, batch or image."),
    405: ("Not this way", "This address is not used in this way."),
    500: (
        "That failed",
        "The failure was logged with its place in the code. Try again; if it stays, report it as a bug.",
    ),
    503: ("The database does not answer", "Try again when it does; no work is lost."),
}


def refused(request: HttpRequest, status: int) -> HttpResponse:
    """Return the page that says no, which quotes nothing of the request."""
    title, sentence = REFUSALS[status]
    return render(request, "web/refused.html", {"title": title, "sentence": sentence}, status=status)


def failed_without_session(status: int) -> HttpResponse:
    """Return such a page without asking the database, which may be what failed."""
    title, sentence = REFUSALS[status]
    context = {"title": title, "sentence": sentence, "style": address("sendit.css")}
    return HttpResponse(render_to_string("web/failed.html", context), status=status)


def fragment(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Return a part of a page with its version, or 304 where the browser has that version already.

    The version is a digest under the site's key, since an unkeyed one of a few digits could be guessed.
    """
    text = render_to_string(template, context | {"version": ""}, request)
    version = f'"{hmac.new(cookie_key(), text.encode(), hashlib.sha256).hexdigest()[:32]}"'
    if request.headers.get("If-None-Match") == version:
        return HttpResponse(status=304)
    answer = HttpResponse(render_to_string(template, context | {"version": version}, request))
    answer["ETag"] = version
    return answer
