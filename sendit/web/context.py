"""What every template is given: the version, the addresses of scripts and styles, and the menu of the person."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

import sendit
from sendit.web.access import may
from sendit.web.static_files import address

MENU = (
    ("overview", "Overview", "overview"),
    ("batches", "Batches", ("batch", "image")),
    ("studies", "Studies", "studies"),
    ("review", "Review", "review"),
    ("pulls", "Pulls", "pull"),
    ("warehouse", "Warehouse", "warehouse"),
    ("recipes", "Recipes", "recipe"),
    ("approval", "Approval", "approval"),
    ("requests", "Requests", "requests"),
    ("audit", "Audit", "audit"),
    ("settings", "Settings", "setting"),
    ("users", "Users", "user"),
    ("tokens", "Tokens", "token"),
    ("api-docs", "API", "api"),
)
"""The menu in its order: a page, its title, and how the names of the pages below it begin. Each person sees the pages
that the table of access opens to them."""

REVIEW_SCRIPT = "review.js"
SCRIPT, STYLE, ICON, HTMX = "sendit.js", "sendit.css", "sendit.svg", "vendor/htmx-2.0.11.min.js"


def of_every_page(request: HttpRequest) -> dict[str, Any]:
    """Return what the base template needs."""
    here = request.resolver_match.view_name if request.resolver_match else ""
    is_known = hasattr(request, "user") and request.user.is_authenticated
    menu = [
        (reverse(name), title, here.startswith(prefix))
        for name, title, prefix in MENU
        if is_known and may(request, name)
    ]
    return {
        "sendit_version": sendit.__version__,
        "menu": menu,
        "is_signed_in": is_known,
        "script": address(SCRIPT),
        "review_script": address(REVIEW_SCRIPT),
        "style": address(STYLE),
        "icon": address(ICON),
        "htmx": address(HTMX),
    }
