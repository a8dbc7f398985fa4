"""Image: one image as a browser shows it, rendered here. No file leaves as a whole.

Who reviews sees the original beside the de-identified image, and the two headers with the rule that decided.
"""

from __future__ import annotations

import io
import time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sendit import rendering
from sendit.audit.acts import Act
from sendit.errors import SenditError
from sendit.pipeline import operations
from sendit.pipeline.reports import batches, images, review
from sendit.pipeline.reports.device_rules import device_rule
from sendit.pipeline.reports.images import Change, ImageSummary
from sendit.pipeline.reports.projects import project_of
from sendit.projects.project import DEFAULT
from sendit.web import answers, pictures
from sendit.web.access import may
from sendit.web.noting import note
from sendit.web.pages.review import REASON
from sendit.web.site import projects, recipe

CONTACTS = 60
LOOKED_AT, LOOK_SECONDS = "originals", 600.0
"""A look at one original is one row of the audit trail, however often its window is moved."""
LONGEST_VALUE = 200


def contacts(request: HttpRequest, key: int) -> HttpResponse:
    """Answer `/batches/<key>/images`: the batch's images, in their order."""
    found = batches.report(key)
    if found is None:
        return answers.refused(request, 404)
    after = request.GET.get("after", "0")
    shown = images.contacts(key, int(after) if after.isascii() and after.isdigit() else 0, CONTACTS + 1)
    context = {
        "summary": found.summary,
        "contacts": shown[:CONTACTS],
        "next": shown[CONTACTS - 1].number if len(shown) > CONTACTS else None,
        "can_render": rendering.is_available(),
    }
    return render(request, "web/images.html", context)


def image(request: HttpRequest, key: int, number: int) -> HttpResponse:
    """Answer `/batches/<key>/images/<number>`."""
    return _page(request, key, number, "")


def rule(request: HttpRequest, key: int, number: int) -> HttpResponse:
    """Answer `POST /batches/<key>/images/<number>/rule`: the page, with a rule made of the masks that were sent."""
    try:
        masks = operations.boxes_of(request.POST.get("masks", ""))
        text = device_rule(images.original(key, number), masks).reveal()
    except (SenditError, ValueError, OSError):
        return answers.refused(request, 404)
    return _page(request, key, number, text)


def _page(request: HttpRequest, key: int, number: int, rule_text: str) -> HttpResponse:
    found = images.image(key, number)
    if found is None:
        return answers.refused(request, 404)
    reviews = may(request, "image-original")
    context = {
        "image": found,
        "sentences": batches.sentences(found.reason) if found.outcome == "error" else "",
        "can_render": rendering.is_available(),
        "output": _viewer(key, number, "image-output", reviews=reviews) if _has_output(found, reviews) else None,
        "original": _viewer(key, number, "image-original") if reviews else None,
        "reviews": reviews,
        "reason": request.session.get(REASON, "") if reviews else "",
        "rule_text": rule_text,
        "may_decide": reviews and _may_be_decided(found),
    }
    if reviews:
        _note_look(request, key, number)
    return render(request, "web/image.html", context)


def _has_output(found: ImageSummary, reviews: bool) -> bool:
    return found.has_output or (reviews and found.has_waiting_output)


def _may_be_decided(found: ImageSummary) -> bool:
    return found.is_waiting or (found.outcome == "filtered" and found.reason in _doubtful_rules(found.batch))


def _doubtful_rules(batch: int) -> frozenset[str]:
    try:
        return review.doubtful_rules(recipe(project_of(batch) or DEFAULT))
    except SenditError:
        return frozenset()


def _viewer(key: int, number: int, name: str, *, reviews: bool = True) -> dict[str, Any]:
    """Return what the script needs to show a picture; or why there is none."""
    if not rendering.is_available():
        return {"problem": ""}
    try:
        about = pictures.about(_source(key, number, name, reviews=reviews))
    except SenditError as error:
        return {"problem": str(error)}
    title = "Original" if name == "image-original" else "De-identified"
    return {"about": about, "name": name, "title": title}


# ------------------------------------------------------------------------------------------ pictures


def output_png(request: HttpRequest, key: int, number: int) -> HttpResponse:
    """Answer `/batches/<key>/images/<number>/output.png`: a frame of the de-identified image."""
    return _picture(request, key, number, "image-output")


def original_png(request: HttpRequest, key: int, number: int) -> HttpResponse:
    """Answer `/batches/<key>/images/<number>/original.png`: a frame of the original."""
    _note_look(request, key, number)
    return _picture(request, key, number, "image-original")


def _picture(request: HttpRequest, key: int, number: int, name: str) -> HttpResponse:
    if not rendering.is_available():
        return answers.refused(request, 404)
    try:
        source = _source(key, number, name, reviews=may(request, "image-original"))
        content = pictures.png(source, pictures.Wanted.of(request.GET))
    except SenditError:
        return answers.refused(request, 404)
    return HttpResponse(content, content_type="image/png")


def _source(key: int, number: int, name: str, *, reviews: bool) -> pictures.Source:
    if name == "image-original":
        path = images.original(key, number).reveal()
        return pictures.Source((key, number, name, path.stat().st_mtime_ns), lambda: path)
    # What a reviewer was shown is no reason to show it to others.
    kept = (key, number, name, reviews, images.output_sha256(key, number))
    return pictures.Source(kept, lambda: io.BytesIO(images.output(projects(), key, number, is_reviewed=reviews)))


def _note_look(request: HttpRequest, key: int, number: int) -> None:
    """Add a row unless this session has had one of this image just now."""
    looked, now, name = request.session.get(LOOKED_AT, {}), time.time(), f"{key}/{number}"
    if now - looked.get(name, 0.0) < LOOK_SECONDS:
        return
    note(request, Act.VIEW_ORIGINAL, [key], reason=f"image {number}")
    recent = {one: at for one, at in looked.items() if now - at < LOOK_SECONDS}
    request.session[LOOKED_AT] = recent | {name: now}


# ------------------------------------------------------------------------------------------ headers


def header(request: HttpRequest, key: int, number: int) -> HttpResponse:
    """Answer `/batches/<key>/images/<number>/header`: every element before and after, with the rule that decided."""
    found = images.image(key, number)
    if found is None:
        return answers.refused(request, 404)
    _note_look(request, key, number)
    return render(request, "web/header.html", _compared(found))


def _compared(found: ImageSummary) -> dict[str, Any]:
    try:
        compared = images.comparison(projects(), found.batch, found.number)
    except SenditError as error:
        return {"image": found, "problem": str(error)}
    rows = [
        {"row": row, "before": _short(row.before), "after": _short(row.after), "mark": row.mark.name.lower(),
         "indent": range(row.depth), "is_same": row.mark is Change.SAME}
        for row in compared.rows
    ]  # fmt: skip
    return {"image": found, "rows": rows, "verdict": compared.verdict, "fault": compared.fault}


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
